"""What `vestibular plan` foresees, as JSON: `python -m vestibular.commands.scatter_plan`."""

import json

import torch

from vestibular.commands.forecast import forecasts
from vestibular.core.errors import exit_on_error
from vestibular.core.logs import quiet
from vestibular.modeling.models import pick_device
from vestibular.params.project import load_params


@exit_on_error
def main() -> None:
    """Print one line."""
    quiet()
    found, free = forecasts(load_params())
    candidates = {
        name: {
            "training": each.training_peak,
            "exam": each.answering_peak,
            "seconds": each.training_seconds,
        }
        for name, each in found.items()
    }
    device = pick_device().type
    devices = torch.cuda.device_count() if device == "cuda" else 0
    print(
        json.dumps({"candidates": candidates, "free": free, "device": device, "devices": devices})
    )


if __name__ == "__main__":
    main()
