"""Adaptation of training settings to an architecture."""

from typing import Any

from vestibular.modeling.capability import Ways
from vestibular.training.settings import TrainSettings


def settled(settings: TrainSettings, ways: Ways) -> TrainSettings:
    """Return training settings without anything that is incorrect for the model.

    Args:
        settings: the candidate's settings.
        ways: ways that are correct for its base model's architecture.
    """
    changes: dict[str, Any] = {}
    if settings.lora.target_modules == "auto":
        changes["lora"] = settings.lora.model_copy(update={"target_modules": ways.targets})
    if ways.training == "single":
        # no row is batched with another
        changes |= {"batching": "padded", "max_tokens_per_batch": 1}
    elif settings.batching == "shared_context" and (
        ways.training == "padded" or settings.loss == "full"
    ):
        changes["batching"] = "padded"
    return settings.model_copy(update=changes)


def what_changes(settings: TrainSettings, ways: Ways) -> str:
    """Say which setting of a candidate is incorrect for its architecture; empty if none is."""
    if ways.training == "shared" or settings.batching != "shared_context":
        return ""
    alone = ", each alone in a pass" if ways.training == "single" else ""
    return f"rows of this architecture hold one question{alone} ({ways.reason})"
