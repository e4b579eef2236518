"""What goes into `models/production`: the model, or the word that there is none."""

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
    """Put the winner into `models/production`: all that is needed to answer, and its card.

    A base model from the hub is named by its commit; one from a local folder is copied, since
    no other machine could find it.
    """
    with atomic_folder(PRODUCTION) as folder:
        write_model(model, folder)
        (folder / CARD_FILE).write_text(card, encoding="utf-8")


def write_model(model: ModelFile, folder: Path) -> None:
    """Put all that a candidate needs to answer into a folder that is there."""
    copy_folder(ADAPTERS / model.candidate, folder)
    if model.base.sha256 is not None and model.loading.method == "lora":
        copy_folder(Path(model.base.base_model), folder / BASE_FOLDER)
    model.write(folder / MODEL_FILE)


def write_refusal(reason: str) -> None:
    """Leave in `models/production` nothing but the word that no model is there, and why.

    The folder is an output of the stage, so it must be there; a model of an earlier run must
    not, or it would pass for this one's.
    """
    with atomic_folder(PRODUCTION) as folder:
        Refusal(reason=reason).write(folder / REFUSAL_FILE)
