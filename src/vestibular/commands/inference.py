"""Answers from the model in production."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from vestibular.commands.manifest import base_folder, read_description
from vestibular.core.base_models import longest_input
from vestibular.core.model_file import ModelFile
from vestibular.core.paths import PRODUCTION
from vestibular.core.questions import Question
from vestibular.examination.windowed_answers import answer_text, ask
from vestibular.modeling.answers import Way
from vestibular.modeling.capability import ways
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

AT_A_TIME = 64
"""Maximum number of questions per batch, if the architecture allows batches."""
MOST_TOKENS = 4096
"""Maximum number of tokens per batch."""


class Answerer:
    """A fine-tuned model from a folder written by `select`, loaded once.

    From Python: `Answerer.load().answer(context, question)`.
    """

    def __init__(self, folder: Path, base: Path, description: ModelFile) -> None:
        """Load base model, adapter and tokenizer.

        Args:
            folder: folder of the model.
            base: folder of its base, from `base_folder`.
            description: description of the model, from `read_description`.

        Raises:
            BaseModelError: one of the folders is incomplete.
        """
        self._description = description
        loading = description.loading
        device = pick_device()
        ask_for_deterministic_kernels(device)
        dtype = pick_precision(loading.precision, device, base)
        self._tokenizer = load_tokenizer(folder)
        self._model = load_base(base, loading.quantization, device, dtype).eval()
        if loading.method == "lora":
            self._model = load_adapter(self._model, folder)
        self._limit = longest_input(base, loading.max_length) - description.max_new_tokens
        self._base = base

    @classmethod
    def load(cls, folder: Path | str = PRODUCTION) -> "Answerer":
        """Load the model in a folder, by default the one in production.

        Raises:
            BaseModelError: the folder contains no model, or only a part.
        """
        folder = Path(folder)
        description = read_description(folder)
        return cls(folder, base_folder(folder, description), description)

    def answer(self, context: str, question: str) -> str:
        """Return the answer to a question about a context of any length.

        Raises:
            DataError: the question is too long for the model.
        """
        # one window at a time, which is correct for every architecture
        (answer,) = self._ask([(context, question)], "single", max_tokens=0)
        return answer

    def answer_all(self, asked: Iterable[tuple[str, str]]) -> Iterator[str]:
        """Yield the answer to each context and question, in order.

        The answers equal those of `answer`, but are generated faster if the architecture allows
        batches.

        Raises:
            DataError: a question is too long for the model.
        """
        way = ways(self._base).exam
        rest = iter(asked)
        while some := list(islice(rest, AT_A_TIME)):
            yield from self._ask(some, way, MOST_TOKENS)

    def _ask(self, asked: Sequence[tuple[str, str]], way: Way, max_tokens: int) -> list[str]:
        how = self._description
        questions = [
            Question(str(number), "", context, question, ("",), (-1,))
            for number, (context, question) in enumerate(asked)
        ]
        windows = encode_for_answering(
            self._tokenizer, how.prompt, questions, self._limit, how.window_overlap
        )
        answers = as_deterministic_as_can_be(
            lambda: ask(
                self._model,
                self._tokenizer,
                windows,
                how.max_new_tokens,
                max_tokens=max_tokens,
                way=way,
                unanswerable=how.unanswerable,
            ),
            how.candidate,
        )
        return [answer_text(self._tokenizer, answer) for answer in answers]
