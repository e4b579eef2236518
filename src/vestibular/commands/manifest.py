"""The description of a model written by `select`: how it was trained, and how it is asked."""

from pathlib import Path

from vestibular.core.base_models import Pin, locate
from vestibular.core.errors import BaseModelError, DataError
from vestibular.core.model_file import ModelFile, Refusal
from vestibular.core.paths import BASE_FOLDER, MODEL_FILE, REFUSAL_FILE


def read_description(folder: Path) -> ModelFile:
    """Read the description of a model without torch, so that mistakes are reported immediately.

    Raises:
        BaseModelError: the folder contains no model written by `select`, or `select` promoted none.
    """
    refusal = folder / REFUSAL_FILE
    if refusal.exists():
        raise BaseModelError(f"{folder}: contains no model: {Refusal.read(refusal).reason}")
    path = folder / MODEL_FILE
    if not path.exists():
        raise BaseModelError(
            f"{path}: not found; run `dvc repro` to make the model, or name its folder with --model"
        )
    try:
        return ModelFile.read(path)
    except DataError as error:
        raise BaseModelError(
            f"{error} (`dvc checkout` restores the file as `select` wrote it)"
        ) from None


def base_folder(folder: Path, description: ModelFile) -> Path:
    """Return the folder with a model's base weights; its own folder if all weights were trained.

    Raises:
        BaseModelError: the base is not available, or is not the one that was fine-tuned.
    """
    pin = description.base.pin
    if description.loading.method == "full":
        return folder
    return locate(pin if pin.sha256 is None else Pin(BASE_FOLDER, sha256=pin.sha256), (folder,))
