"""Safety net after the check of an architecture: verifies some answers of the real model.

A way of asking is proven on a small model in float32. For the real one, which may be quantized,
compute in half precision or use special kernels, a few prompts with their answers go through one
simple forward pass each, and the log-probabilities must equal those of the exam. A wrong mask
changes them by more than 1 nat, rounding in bfloat16 by 0.01.
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
"""Number of questions checked: those with the longest prompts, and others chosen by id."""
EXACT, ROUNDED = 1e-3, 0.1
"""Nats attributed to rounding: in float32, and in lower precision or with quantized weights."""


@dataclass(frozen=True)
class Deviation:
    """Deviation of the checked answers from the model's own."""

    mean: float
    """Mean difference of a token's log-probability from the one recorded in the exam, in nats."""
    from_best: float
    """Largest advantage of another token over the given one, in nats."""
    allowed: float
    """Deviation attributed to rounding, in nats."""
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
    """Check some answers one question at a time, all tokens in one pass.

    Args:
        model: the model that answered.
        questions: all questions of the exam.
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
    """Return the positions of the questions with the longest prompts, and of some others."""
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
    """Return the log-probabilities recorded, of the most likely tokens, and of the given ones."""
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
