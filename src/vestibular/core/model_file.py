"""The description in the folder of the chosen model, or the reason why there is no model."""

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
    """Commit on the hub."""
    sha256: str | None = None
    """For a folder: SHA-256 over the names and bytes of its files; a copy is in `base`."""

    @property
    def pin(self) -> Pin:
        """The same, as the functions that locate base models take it."""
        return Pin(self.base_model, self.revision, self.sha256)


class Loading(Part):
    """How the model is loaded."""

    method: Literal["lora", "full"]
    """Whether the folder contains an adapter or all weights."""
    quantization: Quantization
    """Precision of the base's weights."""
    precision: Precision
    """Number format of the computation."""
    arithmetic: Arithmetic = "native"
    """Arithmetic of a CPU; files without this field are older than the setting."""
    max_length: int
    """Maximum length of prompt and answer together, in tokens."""


class ModelFile(FileFormat):
    """`model.json` in `models/production`: everything but the weights that an answer depends on."""

    VERSION = 2
    MADE_BY = "dvc repro select"

    candidate: str
    base: PinnedVersion
    loading: Loading
    prompt: PromptSettings
    max_new_tokens: int
    """Maximum length of an answer, in tokens."""
    window_overlap: float
    """Share of each window of a long context that the next window repeats."""
    unanswerable: str | None
    """The model's answer if the context does not contain one; null if every question has an
    answer."""
    seed: int
    """Seed of the training."""
    train: dict[str, JsonValue]
    """Settings of the training, for the record."""
    before: Scores
    """The untouched base's scores on the validation questions."""
    after: Scores
    """The model's own scores on the same questions."""
    data: dict[str, str]
    """SHA-256 of the prepared questions, by file."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Move the loading out of the training's settings, where version 1 had it."""
        scores, train = content.pop("scores"), content["train"]
        loading = {key: train[key] for key in Loading.model_fields if key in train}
        return {"loading": loading, **scores, **content}


class Refusal(FileFormat):
    """`refusal.json`, the only file in `models/production` if there is no model."""

    MADE_BY = "dvc repro select"

    reason: str
    """Why no model was put into production, in one sentence."""
