"""From a question to tokens: the prompt and, apart from it, the answer.

The same `encode_prompt` serves training, evaluation and answering, so that a model is asked as
it was taught. Nothing here imports torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from vestibular.errors import DataError

if TYPE_CHECKING:
    from vestibular.params import PromptSettings
    from vestibular.questions import Question


class Tokenizer(Protocol):
    """The part of a Hugging Face tokenizer that is used here."""

    eos_token_id: int

    def __call__(self, text: str, **options: Any) -> Any:
        """Tokenize a text."""


@dataclass(frozen=True)
class EncodedQuestion:
    """A question as tokens."""

    id: str
    prompt: tuple[int, ...]
    """Token ids of the prompt, the tokenizer's own opening tokens included."""
    answer: tuple[int, ...]
    """Token ids of the answer that is learned, the end-of-sequence token last; may be empty."""
    context: str
    """The context as the model sees it; questions of one context can be encoded together."""
    shortened: bool
    """Whether the context had to be cut."""

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.prompt) + len(self.answer)


def render(prompt: "PromptSettings", context: str, question: str) -> str:
    """Fill in the template; braces in the texts have no meaning."""
    before, after = prompt.template.split("{context}")
    if "{question}" in after:
        return before + context + after.replace("{question}", question)
    return before.replace("{question}", question) + context + after


def encode_answer(tokenizer: Tokenizer, prompt: "PromptSettings", answer: str) -> tuple[int, ...]:
    """Return the tokens that should follow the prompt: the answer, then the end."""
    ids = tokenizer(prompt.answer_prefix + answer, add_special_tokens=False)["input_ids"]
    return (*ids, tokenizer.eos_token_id)


def encode_prompt(
    tokenizer: Tokenizer,
    prompt: "PromptSettings",
    context: str,
    question: str,
    limit: int,
    keep: tuple[int, int] | None = None,
) -> tuple[tuple[int, ...], str]:
    """Return the prompt's tokens, at most `limit`, and the part of the context that they hold.

    A context that is too long loses its end; if the characters `keep` (start, end) must stay,
    it loses as much at its start as is needed for them. The question is never cut.

    Raises:
        DataError: the prompt is too long even without a context.
    """

    def tokens(piece: str) -> tuple[int, ...]:
        return tuple(tokenizer(render(prompt, piece, question))["input_ids"])

    whole = tokens(context)
    if len(whole) <= limit:
        return whole, context
    if len(tokens("")) > limit:
        raise DataError(
            f"the prompt has {len(tokens(''))} tokens even without a context, and only "
            f"{max(0, limit)} fit (train.max_length or the model's own limit, less the answer); "
            "raise train.max_length, lower evaluate.max_new_tokens, shorten prompt.template, or "
            f"take out the question: {question}"
        )
    start, end = keep or (0, 0)
    middle = (start + end) // 2

    def window(width: int) -> str:
        left = min(max(0, middle - width // 2), max(0, len(context) - width)) if keep else 0
        return context[left : left + width]

    # the widest window that fits; token counts grow with the width but for a token or so,
    # which the walk after the bisection takes care of
    low, high = 0, len(context)
    while low < high:
        width = (low + high + 1) // 2
        if len(tokens(window(width))) <= limit:
            low = width
        else:
            high = width - 1
    while len(tokens(window(low))) > limit:
        low -= 1
    return tokens(window(low)), window(low)


def encode_for_training(
    tokenizer: Tokenizer, prompt: "PromptSettings", question: "Question", limit: int
) -> EncodedQuestion:
    """Encode a question with its first answer, the context cut around that answer if need be.

    Raises:
        DataError: question and answer alone are longer than `limit` tokens.
    """
    answer = encode_answer(tokenizer, prompt, question.answers[0])
    start = question.answer_starts[0]
    keep = (start, start + len(question.answers[0])) if start >= 0 else None
    ids, context = encode_prompt(
        tokenizer, prompt, question.context, question.question, limit - len(answer), keep
    )
    return EncodedQuestion(question.id, ids, answer, context, context != question.context)


def encode_for_answering(
    tokenizer: Tokenizer, prompt: "PromptSettings", question: "Question", limit: int
) -> EncodedQuestion:
    """Encode a question without its answer; a context that is too long loses its end."""
    ids, context = encode_prompt(tokenizer, prompt, question.context, question.question, limit)
    return EncodedQuestion(question.id, ids, (), context, context != question.context)


def shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Return how many leading tokens all prompts have in common, the last token left apart.

    The last token of each prompt stays outside, since its output is what is asked for.
    """
    shortest = min(len(prompt) for prompt in prompts) - 1
    first = prompts[0]
    for place in range(shortest):
        if any(prompt[place] != first[place] for prompt in prompts):
            return place
    return shortest
