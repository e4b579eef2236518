"""Answers about contexts of any length: every window is asked, the best answer wins."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from vestibular.modeling.answers import Answer, Way, end_tokens
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.generation import answer_questions

Windows = Sequence[EncodedQuestion]
"""One question with each window of its context; usually one window, the whole context."""


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
    """Return the best answer over each question's windows.

    That is the one with the highest mean log-probability. If the dataset has unanswerable
    questions, a window with an answer comes before all windows without one: most windows of a long
    context do not contain the answer, and say so.

    Args:
        tokenizer: the model's tokenizer.
        asked: each question's windows.
        answers: the answers to all windows, in order.
        unanswerable: the answer that stands for no answer, if that occurs.
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
    """Decode generated tokens, without surrounding white space."""
    return str(tokenizer.decode(answer.tokens, skip_special_tokens=True)).strip()
