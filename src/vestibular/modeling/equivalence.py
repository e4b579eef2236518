"""Trials of a model: does a way of asking or training equal one question at a time?

All trials run on a miniature (see `miniature.py`) in float32, where equal results agree to about
1e-6 of the largest logit, and others differ by 1e-3 or much more; in float64 if that is unclear.
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
"""Largest error attributed to rounding, relative to the largest logit, to the loss, or to the norm
of the gradients. Rounding in float32 reached 2e-5 in most architectures and 5e-4 in some, in double
precision 3e-7; the smallest fault was 3e-3."""
PREFIXES = ((41, (3, 20)), (27, (2, 9)))
"""Tokens of each context, and of each of its questions: most are longer than the miniature's
windows and chunks."""
ANSWER = 6
"""Number of tokens in an answer."""
ROOM = 100_000
"""Token budget that holds all the trial's questions at once."""


def trial_questions(vocabulary: int) -> list[EncodedQuestion]:
    """Return questions of random tokens about two contexts, with answers of equal length."""
    draw = torch.Generator().manual_seed(0)

    def tokens(count: int) -> tuple[int, ...]:
        # the first ids are often special tokens
        drawn = torch.randint(min(8, vocabulary // 2), vocabulary, (count,), generator=draw)
        return tuple(drawn.tolist())

    return [
        EncodedQuestion(f"{length}-{end}", prefix + tokens(end), tokens(ANSWER), str(length), False)
        for length, ends in PREFIXES
        for prefix in [tokens(length)]
        for end in ends
    ]


def looks_ahead(model: Any, questions: Sequence[EncodedQuestion]) -> float:
    """Return how far a token changes earlier outputs, relative to the largest output."""
    before = torch.tensor([questions[0].prompt])
    after = before.clone()
    after[0, -1] = questions[1].prompt[-1]
    with torch.inference_mode():
        one, two = (model(input_ids=ids, use_cache=False).logits[0, :-1] for ids in (before, after))
    return relative_error(two, one)


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference, relative to the largest expected value."""
    return float((found - expected).abs().max() / expected.abs().max())


@dataclass(frozen=True)
class Exam:
    """Questions with the right answers, by `generate` for one question at a time."""

    questions: Sequence[EncodedQuestion]
    ends: Collection[int]
    """Tokens that end an answer; chosen so that some answers end early, others never."""
    answers: Sequence[Answer]
    logits: Sequence[Tensor]
    """Logits of every step, (steps, vocabulary), for each question."""


def answers_and_logits(
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
    """Ask one question at a time; choose end tokens so that some answers end early."""
    unending, logits = answers_and_logits(model, questions, (), "single")

    def ended(end: int) -> list[tuple[int, ...]]:
        return [
            each.tokens[: each.tokens.index(end)] if end in each.tokens else each.tokens
            for each in unending
        ]

    def worth(end: int) -> tuple[bool, int]:
        # rows that end at different steps leave the batch at different steps
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
    """Return how far a way's logits are from the right ones; infinite if an answer differs."""
    answers, logits = answers_and_logits(model, exam.questions, exam.ends, way)
    if [each.tokens for each in answers] != [each.tokens for each in exam.answers]:
        return float("inf")
    return relative_error(torch.cat(logits), torch.cat(list(exam.logits)))


@dataclass(frozen=True)
class Lesson:
    """Results of one training step."""

    loss: float
    """Sum over all labels, in nats."""
    gradients: dict[str, Tensor]
    """Gradient of each trained parameter that has one."""


def learn(model: Any, batches: Sequence[Sequence[Row]]) -> Lesson:
    """Compute a step's loss and gradients, a few rows at a time."""
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
    """Arrange questions for a training step in one of the ways."""
    if way == "single":
        return [[row] for row in rows(questions, "padded", "answer", ROOM)]
    if way == "padded":
        return list(by_length(rows(questions, "padded", "answer", ROOM), ROOM))
    together = list(by_length(rows(questions, "shared_context", "answer", ROOM), ROOM))
    # a step also has rows of one question, which are batched without a mask
    return [*together, *lesson_rows(questions, "padded")]


def lesson_error(
    model: Any, questions: Sequence[EncodedQuestion], right: Lesson, way: Way
) -> float:
    """Return how far a way's loss and gradients are from those of single questions."""
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
