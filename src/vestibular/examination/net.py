"""The net below the check of an architecture: some answers of the real model, gone over plainly.

A way of asking is proven on a small model in float32. On the real one, which may be quantized,
compute in half precision or run on kernels of its own, a few prompts go through one plain forward
pass each, with the answers that were given, and the log-probabilities have to be those of the
exam. A wrong mask moves them by more than 1 nat, rounding in bfloat16 by 0.01.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vestibular.modeling.answers import Answer
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.tensors import logits_at

LONGEST, ARBITRARY = 3, 3
"""Questions that are gone over: those with the longest prompts, and others by their ids."""
EXACT, ROUNDED = 1e-3, 0.1
"""Nats that rounding explains: in float32, and in lower precision or on quantized weights."""


@dataclass(frozen=True)
class Deviation:
    """How far the answers that were gone over are from the model's own."""

    mean: float
    """Mean difference of a token's log-probability from what the exam recorded, in nats."""
    from_best: float
    """Most by which another token was likelier than the one that was given, in nats."""
    allowed: float
    """What rounding explains, in nats."""
    answers: int

    @property
    def is_rounding(self) -> bool:
        """Whether rounding explains it."""
        return self.mean <= self.allowed and self.from_best <= self.allowed


def deviation(
    model: Any,
    questions: Sequence[EncodedQuestion],
    answers: Sequence[Answer],
    ends: Collection[int],
) -> Deviation:
    """Go over some answers plainly: one question at a time, all its tokens in one pass.

    Args:
        model: the model that answered.
        questions: all that it was asked.
        answers: its answer to each.
        ends: the ids of the tokens that end an answer.
    """
    differences: list[float] = []
    from_best = 0.0
    places = _sample(questions)
    for place in places:
        recorded, likeliest, given = _go_over(model, questions[place], answers[place], ends)
        differences += [abs(one - two) for one, two in zip(recorded, given, strict=True)]
        from_best = max(from_best, *(one - two for one, two in zip(likeliest, given, strict=True)))
    quantized = getattr(model, "is_quantized", False)
    return Deviation(
        mean=sum(differences) / len(differences),
        from_best=from_best,
        allowed=EXACT if model.dtype == torch.float32 and not quantized else ROUNDED,
        answers=len(places),
    )


def _sample(questions: Sequence[EncodedQuestion]) -> list[int]:
    """Return the places of the questions with the longest prompts, and of some others."""
    order = range(len(questions))
    longest = sorted(order, key=lambda place: -len(questions[place].prompt))[:LONGEST]
    drawn = sorted(
        (place for place in order if place not in longest),
        key=lambda place: hashlib.sha256(questions[place].id.encode()).hexdigest(),
    )
    return longest + drawn[:ARBITRARY]


def _go_over(
    model: Any, question: EncodedQuestion, answer: Answer, ends: Collection[int]
) -> tuple[Sequence[float], list[float], list[float]]:
    """Return the log-probabilities recorded, of the likeliest tokens, and of those given."""
    steps = len(answer.log_probabilities)
    ids = torch.tensor([[*question.prompt, *answer.tokens]], device=model.device)
    columns = torch.arange(steps, device=model.device) + len(question.prompt) - 1
    with torch.inference_mode():
        logits, _ = logits_at(model, torch.zeros_like(columns), columns, input_ids=ids)
    found = logits.float().log_softmax(dim=-1).cpu()
    given = [float(found[step, token]) for step, token in enumerate(answer.tokens)]
    if not answer.is_cut:
        given.append(float(found[-1, sorted(ends)].max()))
    return answer.log_probabilities, found.max(dim=-1).values.tolist(), given
