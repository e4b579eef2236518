"""Content of `models/production`: the model, or the reason why there is none."""

from pathlib import Path

from vestibular.core.files import atomic_folder, copy_folder
from vestibular.core.model_file import ModelFile, Refusal
from vestibular.core.paths import (
    ADAPTERS,
    BASE_FOLDER,
    CARD_FILE,
    MODEL_FILE,
    PRODUCTION,
    REFUSAL_FILE,
)


def write_production(model: ModelFile, card: str) -> None:
    """Write the winner to `models/production`: everything needed to answer, and the model card.

    A base model from the hub is named by its commit; a local one is copied, since no other machine
    could find it.
    """
    with atomic_folder(PRODUCTION) as folder:
        write_model(model, folder)
        (folder / CARD_FILE).write_text(card, encoding="utf-8")


def write_model(model: ModelFile, folder: Path) -> None:
    """Write everything that a candidate needs to answer into an existing folder."""
    copy_folder(ADAPTERS / model.candidate, folder)
    if model.base.sha256 is not None and model.loading.method == "lora":
        copy_folder(Path(model.base.base_model), folder / BASE_FOLDER)
    model.write(folder / MODEL_FILE)


def write_refusal(reason: str) -> None:
    """Replace `models/production` by the note that there is no model, and why.

    The folder is an output of the stage, so it must exist; a model of an earlier run must not stay,
    or it would pass for this run's.
    """
    with atomic_folder(PRODUCTION) as folder:
        Refusal(reason=reason).write(folder / REFUSAL_FILE)
