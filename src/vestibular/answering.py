"""Answers from the model in production."""

from pathlib import Path

from vestibular.base_models import Pin, locate
from vestibular.encoding import EncodedQuestion, encode_prompt
from vestibular.errors import BaseModelError
from vestibular.files import read_json
from vestibular.generation import answer_questions
from vestibular.layout import BASE_FOLDER, MODEL_FILE, REFUSAL_FILE
from vestibular.models import load_adapter, load_base, load_tokenizer, longest_input, pick_device
from vestibular.params import PromptSettings, TrainSettings


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
            train = TrainSettings.model_validate(description["train"])
        except (ValueError, KeyError, TypeError) as error:
            raise BaseModelError(
                f"{path}: not a file that `select` wrote ({type(error).__name__}); run "
                "`dvc checkout` to get it back"
            ) from None
        if pin.sha256 is not None:
            pin = Pin(BASE_FOLDER, sha256=pin.sha256)
        self._tokenizer = load_tokenizer(folder)
        base = load_base(locate(pin, (folder,)), train.quantization, pick_device())
        self._model = load_adapter(base, folder)
        self._limit = longest_input(base, train.max_length) - self._max_new_tokens

    def answer(self, context: str, question: str) -> str:
        """Return the answer to a question about a context.

        Raises:
            DataError: the question is too long for the model.
        """
        ids, shown = encode_prompt(self._tokenizer, self._prompt, context, question, self._limit)
        asked = EncodedQuestion("", ids, (), shown, shown != context)
        (answer,) = answer_questions(
            self._model, [asked], self._tokenizer.eos_token_id, self._max_new_tokens, len(ids)
        )
        return str(self._tokenizer.decode(answer.tokens, skip_special_tokens=True)).strip()
