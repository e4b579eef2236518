"""What `vestibular plan` foresees, as JSON: `python -m vestibular.commands.scatter_plan`."""

import json

from vestibular.commands.forecast import forecasts
from vestibular.core.errors import exit_on_error
from vestibular.core.logs import silence_libraries
from vestibular.params.project import load_params


@exit_on_error
def main() -> None:
    """Print one line."""
    silence_libraries()
    found, free = forecasts(load_params())
    candidates = {
        name: {
            "training": max(each.training_peak, each.answering_peak),
            "exam": each.answering_peak,
            "seconds": each.training_seconds,
        }
        for name, each in found.items()
    }
    print(json.dumps({"candidates": candidates, "free": free}))


if __name__ == "__main__":
    main()
