"""A model tried out: whether a way of asking or teaching it equals one question at a time.

All of it runs on a miniature (see `miniature.py`), in float32, where what is equal agrees to about
1e-6 of the largest logit, and what is not is off by 1e-3 or much more; in float64 where that is
not clear.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vestibular.modeling.answers import Answer, Way
from vestibular.modeling.batching import Row, by_length, rows
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.generation import answer_questions
from vestibular.modeling.tensors import collate, label_loss

TOLERANCE = 1e-4
"""Largest error that rounding explains, relative to the largest logit, to the loss, or to the
norm of the gradients. Rounding in float32 reached 2e-5 in most architectures and 5e-4 in some,
with twice the digits 3e-7; the smallest fault was 3e-3."""
TRUNKS = ((41, (3, 20)), (27, (2, 9)))
"""Tokens of each context, and of what follows it in each question: most are longer than the
miniature's windows and chunks."""
ANSWER = 6
"""Tokens of an answer."""
ROOM = 100_000
"""Token budget that all the trial's questions fit in at once."""


def trial_questions(vocabulary: int) -> list[EncodedQuestion]:
    """Return questions of arbitrary tokens about two contexts, with answers of one length."""
    draw = torch.Generator().manual_seed(0)

    def tokens(count: int) -> tuple[int, ...]:
        # the first ids are often special ones
        drawn = torch.randint(min(8, vocabulary // 2), vocabulary, (count,), generator=draw)
        return tuple(drawn.tolist())

    return [
        EncodedQuestion(f"{length}-{end}", trunk + tokens(end), tokens(ANSWER), str(length), False)
        for length, ends in TRUNKS
        for trunk in [tokens(length)]
        for end in ends
    ]


def looks_ahead(model: Any, questions: Sequence[EncodedQuestion]) -> float:
    """Return how far a token moves the outputs before it, relative to the largest output."""
    before = torch.tensor([questions[0].prompt])
    after = before.clone()
    after[0, -1] = questions[1].prompt[-1]
    with torch.inference_mode():
        one, two = (model(input_ids=ids, use_cache=False).logits[0, :-1] for ids in (before, after))
    return relative_error(two, one)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference, relative to the largest number expected."""
    return float((found - expected).abs().max() / expected.abs().max())


@dataclass(frozen=True)
class Exam:
    """Questions with the right answers: what `generate` says to one at a time."""

    questions: Sequence[EncodedQuestion]
    ends: Collection[int]
    """Tokens that end an answer; some answers end early, others never."""
    answers: Sequence[Answer]
    logits: Sequence[Tensor]
    """Of every step, (steps, vocabulary), for each question."""


def sit(
    model: Any, questions: Sequence[EncodedQuestion], ends: Collection[int], way: Way
) -> tuple[list[Answer], list[Tensor]]:
    """Let a model answer; return its answers and the logits of their steps."""
    seen: list[list[Tensor]] = [[] for _ in questions]

    def watch(places: Sequence[int], logits: Tensor) -> None:
        for place, row in zip(places, logits, strict=True):
            seen[place].append(row.float().clone())

    answers = answer_questions(model, questions, ends, ANSWER, ROOM, way, watch=watch)
    steps = [len(answer.log_probabilities) for answer in answers]
    return answers, [torch.stack(each[:count]) for each, count in zip(seen, steps, strict=True)]


def right_answers(model: Any, questions: Sequence[EncodedQuestion]) -> Exam:
    """Ask one question at a time; some answers are then taken to end early."""
    unending, logits = sit(model, questions, (), "single")

    def ended(end: int) -> list[tuple[int, ...]]:
        return [
            each.tokens[: each.tokens.index(end)] if end in each.tokens else each.tokens
            for each in unending
        ]

    def worth(end: int) -> tuple[bool, int]:
        # rows that end at different steps are taken out of a batch at different steps
        return len({len(said) for said in ended(end)}) > 1, len(set(ended(end)))

    end = max((token for each in unending for token in each.tokens), key=worth)
    steps = [len(said) + 1 for said in ended(end)]
    return Exam(
        questions,
        (end,),
        [
            Answer(said, answer.log_probabilities[:count])
            for said, answer, count in zip(ended(end), unending, steps, strict=True)
        ],
        [seen[:count] for seen, count in zip(logits, steps, strict=True)],
    )


def exam_error(model: Any, exam: Exam, way: Way) -> float:
    """Return how far the logits of a way are from the right ones; infinite if an answer is."""
    answers, logits = sit(model, exam.questions, exam.ends, way)
    if [each.tokens for each in answers] != [each.tokens for each in exam.answers]:
        return float("inf")
    return relative_error(torch.cat(logits), torch.cat(list(exam.logits)))


@dataclass(frozen=True)
class Lesson:
    """What a step of a training computes."""

    loss: float
    """Summed over all labels, in nats."""
    gradients: dict[str, Tensor]
    """Of each trained parameter; without those that have none."""


def learn(model: Any, batches: Sequence[Sequence[Row]]) -> Lesson:
    """Compute a step's loss and gradients, some rows at a time."""
    model.zero_grad()
    total = 0.0
    for batch in batches:
        loss = label_loss(model, collate(batch))
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return Lesson(
        total,
        {
            name: parameter.grad.clone()
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        },
    )


def lesson_rows(questions: Sequence[EncodedQuestion], way: Way) -> list[list[Row]]:
    """Lay questions out for a step in one of the ways of training."""
    if way == "single":
        return [[row] for row in rows(questions, "padded", "answer", ROOM)]
    if way == "padded":
        return list(by_length(rows(questions, "padded", "answer", ROOM), ROOM))
    together = list(by_length(rows(questions, "shared_context", "answer", ROOM), ROOM))
    # a step has rows of one question too, and those lie beside each other without a mask
    return [*together, *lesson_rows(questions, "padded")]


def lesson_error(
    model: Any, questions: Sequence[EncodedQuestion], right: Lesson, way: Way
) -> float:
    """Return how far the loss and gradients of a way are from those of single questions."""
    batches = lesson_rows(questions, way)
    times = 2 if way == "shared" else 1
    found = learn(model, batches)
    if found.gradients.keys() != right.gradients.keys():
        return float("inf")
    errors = [
        (each - times * right.gradients[name]).norm() for name, each in found.gradients.items()
    ]
    size = times * torch.stack([each.norm() for each in right.gradients.values()]).norm()
    loss = abs(found.loss - times * right.loss) / abs(times * right.loss)
    return max(loss, float(torch.stack(errors).norm() / size))
