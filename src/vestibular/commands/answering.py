"""Answers from the model in production."""

from pathlib import Path

from vestibular.core.base_models import longest_input
from vestibular.core.model_file import ModelFile
from vestibular.core.questions import Question
from vestibular.examination.asking import answer_text, ask
from vestibular.modeling.determinism import (
    as_deterministic_as_can_be,
    ask_for_deterministic_kernels,
)
from vestibular.modeling.encoding import encode_for_answering
from vestibular.modeling.models import (
    load_adapter,
    load_base,
    load_tokenizer,
    pick_device,
    pick_precision,
)


class Answerer:
    """A fine-tuned model from a folder that `select` wrote, loaded once."""

    def __init__(self, folder: Path, base: Path, description: ModelFile) -> None:
        """Load base model, adapter and tokenizer.

        Args:
            folder: where the model is.
            base: folder of its base, as `base_folder` gives it.
            description: the folder's, as `read_description` gives it.

        Raises:
            BaseModelError: one of the folders is incomplete.
        """
        self._description = description
        loading = description.loading
        device = pick_device()
        ask_for_deterministic_kernels(device)
        dtype = pick_precision(loading.precision, device)
        self._tokenizer = load_tokenizer(folder)
        self._model = load_base(base, loading.quantization, device, dtype).eval()
        if loading.method == "lora":
            self._model = load_adapter(self._model, folder)
        self._limit = longest_input(base, loading.max_length) - description.max_new_tokens

    def answer(self, context: str, question: str) -> str:
        """Return the answer to a question about a context, however long that is.

        Raises:
            DataError: the question is too long for the model.
        """
        how = self._description
        asked = Question("", "", context, question, ("",), (-1,))
        windows = encode_for_answering(
            self._tokenizer, how.prompt, [asked], self._limit, how.window_overlap
        )
        (answer,) = as_deterministic_as_can_be(
            lambda: ask(
                self._model,
                self._tokenizer,
                windows,
                how.max_new_tokens,
                # one window at a time, which is right for every architecture
                max_tokens=0,
                way="single",
                unanswerable=how.unanswerable,
            ),
            how.candidate,
        )
        return answer_text(self._tokenizer, answer)
