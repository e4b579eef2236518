"""The record that a training leaves next to its adapter."""

from typing import Any

from vestibular.core.file_formats import FileFormat


class TrainingRecord(FileFormat):
    """`training.json` in an adapter's folder, and in `models/production`."""

    VERSION = 3
    MADE_BY = "dvc repro"

    questions: int
    """Number of questions learned."""
    shortened: int
    """Questions among these whose context was cut around the answer."""
    steps: int
    """Number of optimizer steps."""
    mean_loss: float | None
    """Mean of all steps' training losses, in nats per label token; null if unknown."""
    batching: str
    """How the questions of a step were arranged in rows."""
    way: str = ""
    """What the architecture allows in a row: all questions of a context (`shared`), one question
    (`padded`), or one question in a batch of its own (`single`)."""
    reason: str = ""
    """Why a faster way would give wrong results, in training or in the exam; empty if it would
    not."""
    max_tokens_per_batch: int
    """Maximum number of tokens in a forward pass, `auto` resolved."""
    gradient_checkpointing: bool
    """Whether activations were recomputed, `auto` resolved."""
    run: str = ""
    """Name of the run, a hash of candidate, data, base, settings, code and packages."""
    settings: str = ""
    """The same hash without code and packages: tells whether the settings are those of this
    training."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Set the mean loss, which version 1 did not keep, to unknown.

        In versions 1 and 2 the name of a run covered neither code nor packages.
        """
        return {"mean_loss": None, **content, "settings": content.get("run", "")}
