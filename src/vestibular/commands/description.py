"""What `select` wrote about the model in production: how it was trained, and how it is asked."""

from pathlib import Path

from vestibular.core.errors import BaseModelError, DataError
from vestibular.core.layout import MODEL_FILE, REFUSAL_FILE
from vestibular.core.model_file import ModelFile, Refusal


def read_description(folder: Path) -> ModelFile:
    """Read the description of a model, without torch: a mistake is told at once.

    Raises:
        BaseModelError: the folder holds no model that `select` wrote, or `select` promoted none.
    """
    refusal = folder / REFUSAL_FILE
    if refusal.exists():
        raise BaseModelError(f"{folder}: holds no model: {Refusal.read(refusal).reason}")
    path = folder / MODEL_FILE
    if not path.exists():
        raise BaseModelError(
            f"{path}: not found; run `dvc repro` to make the model, or name its folder with --model"
        )
    try:
        return ModelFile.read(path)
    except DataError as error:
        raise BaseModelError(
            f"{error} (`dvc checkout` gets the file back as `select` wrote it)"
        ) from None
