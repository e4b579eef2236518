"""What `select` wrote about the model in production: how it was trained, and how it is asked."""

from dataclasses import dataclass
from pathlib import Path

from vestibular.core.base_models import Pin
from vestibular.core.errors import BaseModelError, DataError
from vestibular.core.files import read_json
from vestibular.core.layout import MODEL_FILE, REFUSAL_FILE
from vestibular.core.params import PromptSettings, TrainSettings


@dataclass(frozen=True)
class Description:
    """All that an answer depends on beside the weights."""

    base: Pin
    prompt: PromptSettings
    train: TrainSettings
    max_new_tokens: int
    window_overlap: float
    unanswerable: str | None


def read_description(folder: Path) -> Description:
    """Read the description of a model, without torch: a mistake is told at once.

    Raises:
        BaseModelError: the folder holds no model that `select` wrote, or `select` promoted none.
    """
    refusal = folder / REFUSAL_FILE
    if refusal.exists():
        raise BaseModelError(f"{folder}: holds no model: {read_json(refusal)['reason']}")
    path = folder / MODEL_FILE
    if not path.exists():
        raise BaseModelError(
            f"{path}: not found; run `dvc repro` to make the model, or name its folder with --model"
        )
    try:
        content = read_json(path)
        return Description(
            base=Pin(**content["base"]),
            prompt=PromptSettings.model_validate(content["prompt"]),
            train=TrainSettings.model_validate(content["train"]),
            max_new_tokens=int(content["max_new_tokens"]),
            window_overlap=float(content["window_overlap"]),
            unanswerable=content["unanswerable"],
        )
    except (DataError, ValueError, KeyError, TypeError) as error:
        raise BaseModelError(
            f"{path}: not a file that `select` wrote ({type(error).__name__}); run `dvc checkout` "
            "to get it back"
        ) from None
