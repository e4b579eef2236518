"""Questions grouped into optimizer steps, and into the rows of a forward pass.

A row is a tree of tokens: a prefix shared by all its questions, and a segment per question, which
sees the prefix and itself. Encoding a context once for all its questions is thus exact: a
question's tokens, positions and attention are those it would have alone. With `padded`, every
question is a row of its own. Nothing here imports torch.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from vestibular.modeling.encoding import EncodedQuestion, shared_prefix

Batching = Literal["shared_context", "padded", "padded_to_max_length"]


@dataclass(frozen=True)
class Segment:
    """One question's own tokens after its row's prefix."""

    tokens: tuple[int, ...]
    first_label: int
    """Index in `tokens` of the first token that is learned."""


@dataclass(frozen=True)
class Row:
    """One sequence of a forward pass."""

    prefix: tuple[int, ...]
    segments: tuple[Segment, ...]

    @property
    def length(self) -> int:
        """Total number of tokens."""
        return len(self.prefix) + sum(len(segment.tokens) for segment in self.segments)


def steps_per_epoch(questions: int, batch_size: int) -> int:
    """Return the number of optimizer steps in an epoch; the last step may be smaller."""
    return -(-questions // batch_size)


def epoch_batches(
    questions: Sequence[EncodedQuestion], batch_size: int, seed: int, epoch: int
) -> list[list[EncodedQuestion]]:
    """Assign the questions to optimizer steps of `batch_size` questions.

    Contexts are shuffled, and the questions within each; a context's questions stay together except
    across the end of a batch. The order is the same for every way of batching, so that the ways can
    be compared step by step.
    """
    draw = random.Random(f"{seed}-{epoch}")
    contexts: dict[str, list[EncodedQuestion]] = {}
    for question in questions:
        contexts.setdefault(question.context, []).append(question)
    groups = list(contexts.values())
    draw.shuffle(groups)
    order = []
    for group in groups:
        draw.shuffle(group)
        order.extend(group)
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def rows(
    questions: Iterable[EncodedQuestion],
    batching: Batching,
    loss: Literal["answer", "full"],
    max_tokens: int,
) -> list[Row]:
    """Arrange the questions of one optimizer step in rows.

    With `shared_context`, neighbours with the same context share a row of at most `max_tokens`,
    unless the prompt is learned too: the shared part would then be learned once instead of once per
    question.
    """
    if batching != "shared_context" or loss == "full":
        return [_row([question], loss) for question in questions]
    result = []
    for _, neighbours in groupby(questions, key=lambda question: question.context):
        gathered: list[EncodedQuestion] = []
        for question in neighbours:
            if gathered and _row([*gathered, question], loss).length > max_tokens:
                result.append(_row(gathered, loss))
                gathered = []
            gathered.append(question)
        result.append(_row(gathered, loss))
    return result


def _row(questions: Sequence[EncodedQuestion], loss: str) -> Row:
    if len(questions) == 1:
        # a single question needs no segment and no mask except the causal one
        question = questions[0]
        first = 1 if loss == "full" else len(question.prompt)
        return Row((), (Segment(question.prompt + question.answer, first),))
    prefix = shared_prefix([question.prompt for question in questions])
    return Row(
        questions[0].prompt[:prefix],
        tuple(
            Segment(question.prompt[prefix:] + question.answer, len(question.prompt) - prefix)
            for question in questions
        ),
    )


def by_length(rows: Iterable[Row], max_tokens: int, width: int = 0) -> Iterator[list[Row]]:
    """Group rows of similar length, at most `max_tokens` per group with padding.

    A longer row is a group of its own. Every row is padded to at least `width`.
    """
    group: list[Row] = []
    for row in sorted(rows, key=lambda row: row.length, reverse=True):
        # the longest row comes first and sets the width
        if group and max(width, group[0].length) * (len(group) + 1) > max_tokens:
            yield group
            group = []
        group.append(row)
    if group:
        yield group
