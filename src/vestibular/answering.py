"""Answers from the model in production."""

from pathlib import Path

from vestibular.asking import answer_text, ask
from vestibular.base_models import Pin, locate, longest_input
from vestibular.encoding import encode_for_answering
from vestibular.errors import BaseModelError, DataError
from vestibular.files import read_json
from vestibular.layout import BASE_FOLDER, MODEL_FILE, REFUSAL_FILE
from vestibular.models import (
    load_adapter,
    load_base,
    load_tokenizer,
    pick_device,
    pick_precision,
)
from vestibular.params import PromptSettings, TrainSettings
from vestibular.questions import Question


class Answerer:
    """A fine-tuned model from a folder that `select` wrote, loaded once."""

    def __init__(self, folder: Path) -> None:
        """Load base model, adapter and tokenizer.

        Raises:
            BaseModelError: the folder is missing or incomplete, `select` promoted no model, or
                its base cannot be had.
        """
        refusal = folder / REFUSAL_FILE
        if refusal.exists():
            raise BaseModelError(f"{folder}: holds no model: {read_json(refusal)['reason']}")
        path = folder / MODEL_FILE
        if not path.exists():
            raise BaseModelError(
                f"{path}: not found; run `dvc repro` to make the model, or name its folder with "
                "--model"
            )
        try:
            description = read_json(path)
            pin = Pin(**description["base"])
            self._prompt = PromptSettings.model_validate(description["prompt"])
            self._max_new_tokens = int(description["max_new_tokens"])
            self._overlap = float(description["window_overlap"])
            self._unanswerable: str | None = description["unanswerable"]
            train = TrainSettings.model_validate(description["train"])
        except (DataError, ValueError, KeyError, TypeError) as error:
            raise BaseModelError(
                f"{path}: not a file that `select` wrote ({type(error).__name__}); run "
                "`dvc checkout` to get it back"
            ) from None
        if pin.sha256 is not None:
            pin = Pin(BASE_FOLDER, sha256=pin.sha256)
        device = pick_device()
        dtype = pick_precision(train.precision, device)
        self._tokenizer = load_tokenizer(folder)
        base = folder if train.method == "full" else locate(pin, (folder,))
        self._model = load_base(base, train.quantization, device, dtype).eval()
        if train.method == "lora":
            self._model = load_adapter(self._model, folder)
        self._limit = longest_input(base, train.max_length) - self._max_new_tokens

    def answer(self, context: str, question: str) -> str:
        """Return the answer to a question about a context, however long that is.

        Raises:
            DataError: the question is too long for the model.
        """
        asked = Question("", "", context, question, ("",), (-1,))
        windows = encode_for_answering(
            self._tokenizer, self._prompt, [asked], self._limit, self._overlap
        )
        longest = max(len(window.prompt) for window in windows[0])
        (answer,) = ask(
            self._model,
            self._tokenizer,
            windows,
            self._max_new_tokens,
            longest + self._max_new_tokens,
            self._unanswerable,
        )
        return answer_text(self._tokenizer, answer)
