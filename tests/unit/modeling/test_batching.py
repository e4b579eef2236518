"""Which questions make a step, and how they lie in rows."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from vestibular.modeling.batching import by_length, epoch_batches, rows, steps_per_epoch
from vestibular.modeling.encoding import EncodedQuestion, shared_prefix


def asked(name: str, context: str, prompt: tuple[int, ...]) -> EncodedQuestion:
    return EncodedQuestion(name, prompt, (7, 2), context, False)


QUESTIONS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.lists(st.integers(3, 6), min_size=1, max_size=5).map(tuple)
    ),
    min_size=1,
    max_size=20,
).map(
    lambda drawn: [
        asked(str(place), context, (ord(context), *prompt))
        for place, (context, prompt) in enumerate(drawn)
    ]
)


@given(QUESTIONS, st.integers(1, 7), st.integers(0, 9))
def test_an_epoch_shows_every_question_once(
    questions: list[EncodedQuestion], size: int, epoch: int
) -> None:
    """Every batch but the last is full, and the order depends on seed and epoch alone."""
    batches = epoch_batches(questions, size, 42, epoch)
    assert sorted(q.id for batch in batches for q in batch) == sorted(q.id for q in questions)
    assert {len(batch) for batch in batches[:-1]} <= {size}
    assert len(batches) == steps_per_epoch(len(questions), size)
    assert batches == epoch_batches(questions, size, 42, epoch)


@given(QUESTIONS, st.integers(1, 40))
def test_a_segment_with_its_prefix_is_the_question_alone(
    questions: list[EncodedQuestion], budget: int
) -> None:
    """Whatever is shared, prefix and segment together are the question's own tokens."""
    questions.sort(key=lambda question: question.context)
    laid_out = rows(questions, "shared_context", "answer", budget)
    flat = [(row.prefix, segment) for row in laid_out for segment in row.segments]
    for question, (prefix, segment) in zip(questions, flat, strict=True):
        assert prefix + segment.tokens == question.prompt + question.answer
        assert segment.tokens[segment.first_label :] == question.answer
        assert segment.first_label >= 1
    assert all(row.length <= budget for row in laid_out if len(row.segments) > 1)


def test_contexts_are_encoded_once() -> None:
    """Three questions of a context of 100 tokens take 100 tokens and their own."""
    context = tuple(range(1000, 1100))
    questions = [asked(str(n), "c", (*context, 10 + n, 5)) for n in range(3)]
    (row,) = rows(questions, "shared_context", "answer", 4096)
    assert row.length == 100 + 3 * 4
    assert sum(row.length for row in rows(questions, "padded", "answer", 4096)) == 3 * 104


def test_with_full_loss_nothing_is_shared() -> None:
    """A shared prompt would be learned once for several questions."""
    questions = [asked(str(n), "c", (1, 2, 3, 10 + n)) for n in range(2)]
    laid_out = rows(questions, "shared_context", "full", 4096)
    assert [segment.first_label for row in laid_out for segment in row.segments] == [1, 1]
    assert len(laid_out) == 2


@given(st.lists(st.integers(1, 30), min_size=1, max_size=30), st.integers(1, 100))
def test_groups_keep_the_token_budget(lengths: list[int], budget: int) -> None:
    """Padding counted, a group is over the budget only if it is a single row."""
    laid_out = rows(
        [asked(str(n), str(n), (1,) * length) for n, length in enumerate(lengths)],
        "padded",
        "answer",
        budget,
    )
    groups = list(by_length(laid_out, budget))
    assert sorted(map(id, itertools.chain(*groups))) == sorted(map(id, laid_out))
    for group in groups:
        assert len(group) == 1 or len(group) * max(row.length for row in group) <= budget


def test_the_last_token_is_never_shared() -> None:
    """Equal prompts keep their last token apart: its output is each question's own."""
    assert shared_prefix([(1, 2, 3), (1, 2, 3)]) == 2
    assert shared_prefix([(1, 2, 3), (1, 2)]) == 1
    assert shared_prefix([(1, 2), (3, 2)]) == 0
