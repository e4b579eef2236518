"""What a training leaves beside its adapter."""

from typing import Any

from vestibular.core.file_formats import FileFormat


class TrainingRecord(FileFormat):
    """`training.json` in an adapter's folder, and in `models/production`."""

    VERSION = 3
    MADE_BY = "dvc repro"

    questions: int
    """Questions learned."""
    shortened: int
    """Of these, those whose context was cut around the answer."""
    steps: int
    """Optimizer steps in all."""
    mean_loss: float | None
    """Mean of all steps' training losses, nats a label token; null where it was not kept."""
    batching: str
    """How a step's questions lay in rows."""
    way: str = ""
    """What the architecture allows in a row: a context's questions (`shared`), one question
    (`padded`), or one question and no other row beside it (`single`)."""
    reason: str = ""
    """Why a faster way would not be right, in training or in the exam; empty if none would be."""
    max_tokens_per_batch: int
    """Most tokens in one forward pass, `auto` resolved."""
    gradient_checkpointing: bool
    """Whether activations were recomputed, `auto` resolved."""
    run: str = ""
    """Name of the run: a hash of candidate, data, base, settings, code and packages."""
    settings: str = ""
    """The same without code and packages: tells whether settings are those of this training."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Leave the mean loss unknown, which version 1 did not keep.

        The name of a run of versions 1 and 2 covered neither code nor packages.
        """
        return {"mean_loss": None, **content, "settings": content.get("run", "")}
