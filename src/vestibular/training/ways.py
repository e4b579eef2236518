"""What an architecture decides about a training, filled into its settings."""

from typing import Any

from vestibular.modeling.capability import Ways
from vestibular.training.settings import TrainSettings


def settled(settings: TrainSettings, ways: Ways) -> TrainSettings:
    """Return training settings in which nothing is asked that is not right for the model.

    Args:
        settings: the candidate's settings.
        ways: what is right for its base model's architecture.
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
    return settings.model_copy(update=changes)


def what_changes(settings: TrainSettings, ways: Ways) -> str:
    """Say which of a candidate's wishes is not right for its architecture; nothing if all are."""
    if ways.training == "shared" or settings.batching != "shared_context":
        return ""
    alone = ", each alone in a pass" if ways.training == "single" else ""
    return f"rows of this architecture hold one question{alone} ({ways.reason})"
