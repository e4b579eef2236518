"""What the folder of a chosen model says of itself, or why it holds none."""

from typing import Any, Literal

from pydantic import JsonValue

from vestibular.core.base_models import Pin
from vestibular.core.exam_results import Scores
from vestibular.core.file_formats import FileFormat, Part
from vestibular.core.settings import Arithmetic, Precision, PromptSettings, Quantization


class PinnedVersion(Part):
    """A base model's exact version."""

    base_model: str
    """A folder, or the id of a model on the Hugging Face hub."""
    revision: str | None = None
    """The hub's commit."""
    sha256: str | None = None
    """Of a folder: the hash of the names and bytes of its files; a copy lies in `base`."""

    @property
    def pin(self) -> Pin:
        """The same, as base models are located by."""
        return Pin(self.base_model, self.revision, self.sha256)


class Loading(Part):
    """How the model is loaded."""

    method: Literal["lora", "full"]
    """Whether the folder holds an adapter, or all weights."""
    quantization: Quantization
    """Precision of the base's weights."""
    precision: Precision
    """Numbers that are computed with."""
    arithmetic: Arithmetic = "native"
    """How a CPU computes with them; a file that does not say is older than the choice."""
    max_length: int
    """Longest prompt and answer together, in tokens."""


class ModelFile(FileFormat):
    """`model.json` in `models/production`: all that an answer depends on beside the weights."""

    VERSION = 2
    MADE_BY = "dvc repro select"

    candidate: str
    base: PinnedVersion
    loading: Loading
    prompt: PromptSettings
    max_new_tokens: int
    """Longest answer, in tokens."""
    window_overlap: float
    """Share of each window of a long context that the next one repeats."""
    unanswerable: str | None
    """What the model says where the context holds no answer; null if every question has one."""
    seed: int
    """Seed of the training."""
    train: dict[str, JsonValue]
    """Settings of the training, for the record."""
    before: Scores
    """The untouched base's scores on the validation questions."""
    after: Scores
    """The model's own."""
    data: dict[str, str]
    """SHA-256 of the prepared questions, by file."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Take the loading out of the training's settings, where version 1 had it."""
        scores, train = content.pop("scores"), content["train"]
        loading = {key: train[key] for key in Loading.model_fields if key in train}
        return {"loading": loading, **scores, **content}


class Refusal(FileFormat):
    """`refusal.json` in `models/production`, alone there."""

    MADE_BY = "dvc repro select"

    reason: str
    """Why no model was put into production, in a sentence."""
