"""What an architecture decides about a training, filled into its settings."""

import sys
from typing import Any

from vestibular.modeling.capability import Ways
from vestibular.training.settings import TrainSettings


def settled(settings: TrainSettings, ways: Ways, name: str) -> TrainSettings:
    """Return training settings in which nothing is asked that is not right for the model.

    What is changed against the candidate's wish is said, with the reason.

    Args:
        settings: the candidate's settings.
        ways: what is right for its base model's architecture.
        name: the candidate.
    """
    changes: dict[str, Any] = {}
    if settings.lora.target_modules == "auto":
        changes["lora"] = settings.lora.model_copy(update={"target_modules": ways.targets})
    if ways.training == "single":
        # no row stands beside another one
        changes |= {"batching": "padded", "max_tokens_per_batch": 1}
    elif settings.batching == "shared_context" and (
        ways.training == "padded" or settings.loss == "full"
    ):
        changes["batching"] = "padded"
    if ways.training != "shared" and settings.batching == "shared_context":
        print(
            f"{name}: rows of this architecture hold one question each"
            f"{', and lie in a pass alone' if ways.training == 'single' else ''} ({ways.reason})",
            file=sys.stderr,
        )
    return settings.model_copy(update=changes)
