"""Questions about contexts of any length: every window is asked, the best answer wins."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from vestibular.modeling.answers import Answer, Way, end_tokens
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.generation import answer_questions

Windows = Sequence[EncodedQuestion]
"""One question, asked about each window of its context; most often there is one, the whole."""


def ask(
    model: Any,
    tokenizer: Any,
    asked: Sequence[Windows],
    max_new_tokens: int,
    max_tokens: int,
    way: Way,
    unanswerable: str | None,
    on_answered: Callable[[int], object] = lambda count: None,
) -> list[Answer]:
    """Let a model answer questions about all their windows; return the best answer to each."""
    answers = answer_questions(
        model,
        [window for windows in asked for window in windows],
        end_tokens(tokenizer, model),
        max_new_tokens,
        max_tokens,
        way,
        on_answered,
    )
    return best_answers(tokenizer, asked, answers, unanswerable)


def best_answers(
    tokenizer: Any, asked: Sequence[Windows], answers: Sequence[Answer], unanswerable: str | None
) -> list[Answer]:
    """Return the best of the answers to each question's windows.

    That is the one with the highest mean log-probability. Where the dataset has questions without
    an answer, a window that finds one comes before all that find none: most windows of a long
    context do not hold the answer, and say so.

    Args:
        tokenizer: the model's.
        asked: each question's windows.
        answers: the answers to all windows, in order.
        unanswerable: what is answered where there is no answer, if that occurs.
    """

    def worth(answer: Answer) -> tuple[bool, float]:
        found = unanswerable is None or answer_text(tokenizer, answer) != unanswerable
        return found, answer.mean_log_probability

    ends = list(accumulate(len(windows) for windows in asked))
    return [
        max(answers[end - len(windows) : end], key=worth)
        for windows, end in zip(asked, ends, strict=True)
    ]


def answer_text(tokenizer: Any, answer: Answer) -> str:
    """Turn generated tokens into text, without the white space around it."""
    return str(tokenizer.decode(answer.tokens, skip_special_tokens=True)).strip()
