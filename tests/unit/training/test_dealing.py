"""Rows that are dealt out: none is lost, each is whole, and all have about as much to do."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibular.modeling.batching import Row, Segment, rows
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.training.dealing import deal, labels


def questions(groups: list[list[tuple[int, int]]]) -> list[EncodedQuestion]:
    """Some about each context, of so many tokens of their own and so many to be learned."""
    return [
        EncodedQuestion(
            f"{context}-{number}",
            (*range(10 + 3 * context), 1000 + number, *range(2000, 2000 + own)),
            tuple(range(3000, 3000 + learned)),
            str(context),
            False,
        )
        for context, group in enumerate(groups)
        for number, (own, learned) in enumerate(group)
    ]


def texts(dealt: list[Row]) -> Counter[tuple[tuple[int, ...], int]]:
    """Each question's whole text, and where in it the labels begin."""
    return Counter(
        (row.prefix + segment.tokens, len(row.prefix) + segment.first_label)
        for row in dealt
        for segment in row.segments
    )


GROUPS = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=6),
    min_size=1,
    max_size=6,
)


@given(GROUPS, st.integers(1, 5), st.sampled_from(["shared_context", "padded"]))
def test_every_question_is_dealt_once(
    groups: list[list[tuple[int, int]]], processes: int, batching: str
) -> None:
    """Its text and its labels are the same, alone or beside others; nobody is idle in vain."""
    step = rows(questions(groups), batching, "answer", 400)  # type: ignore[arg-type]
    shares = deal(step, processes)
    assert len(shares) == processes
    dealt = [row for share in shares for row in share]
    assert texts(dealt) == texts(step)
    assert labels(dealt) == labels(step) == sum(n for group in groups for _, n in group)
    asked = sum(len(group) for group in groups)
    assert sum(not share for share in shares) == max(0, processes - asked)
    if len(step) >= processes:
        # rows that need not be split stay whole: their contexts are encoded once
        assert sorted(map(repr, dealt)) == sorted(map(repr, step))


def test_the_longest_go_first_to_whoever_has_least() -> None:
    """Six rows for two: by hand."""
    step = [Row((), (Segment((7,) * length, 1),)) for length in (5, 9, 2, 8, 4, 3)]
    shares = [[row.length for row in share] for share in deal(step, 2)]
    assert shares == [[9, 4, 3], [8, 5, 2]]


def test_a_single_context_is_split_among_all() -> None:
    """The prefix is then encoded in each process; a question that is alone needs no prefix."""
    (row,) = rows(questions([[(0, 1), (1, 1), (2, 1)]]), "shared_context", "answer", 400)
    first, second = deal([row], 2)
    assert [len(part.segments) for part in (*first, *second)] == [2, 1]
    assert first[0].prefix == row.prefix
    assert second[0].prefix == ()


@pytest.mark.parametrize("processes", [1, 2])
def test_one_process_has_the_rows_in_their_order(processes: int) -> None:
    """As if nobody had dealt: the order of sums is that of a training alone."""
    step = rows(questions([[(0, 1)], [(5, 2)], [(2, 3)]]), "padded", "answer", 400)
    assert (deal(step, processes)[0] == step) is (processes == 1)
