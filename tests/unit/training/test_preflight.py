"""The last look before a training notices what would spoil it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.modeling.test_encoding import SHORT, Letters, asked
from vestibular.core.errors import DataError
from vestibular.modeling.batching import rows
from vestibular.modeling.encoding import encode_for_training
from vestibular.training.preflight import check_examples, check_labels, example

QUESTIONS = [asked("Ana dirige o museu.", f"Quem, {n}?", "Ana") for n in range(3)]
ENCODED = [encode_for_training(Letters(), SHORT, question, 200) for question in QUESTIONS]


def test_sound_examples_pass() -> None:
    """Nothing is raised for what `encode_for_training` makes."""
    check_examples(Letters(), SHORT, QUESTIONS, ENCODED, 200)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": ()}, "are not an answer followed by the end-of-sequence token"),
        ({"answer": (0,)}, "are not an answer followed by the end-of-sequence token"),
        ({"answer": (65, 66)}, "are not an answer followed by the end-of-sequence token"),
        ({"prompt": (65, 66)}, "has different tokens in training and in the exam"),
    ],
)
def test_a_spoiled_example_is_noticed(change: dict[str, Any], message: str) -> None:
    """No label, no end, or another prompt than the exam's."""
    spoiled = [*ENCODED[:2], replace(ENCODED[2], **change)]
    with pytest.raises(DataError, match=message):
        check_examples(Letters(), SHORT, QUESTIONS, spoiled, 200)


@pytest.mark.slow
@pytest.mark.parametrize("batching", ["shared_context", "padded"])
@pytest.mark.parametrize("loss", ["answer", "full"])
def test_labels_are_the_tokens_to_be_learned(batching: Any, loss: Any) -> None:
    """The tensors' labels are the answers; a shifted label and one on padding are noticed."""
    from vestibular.modeling.tensors import collate

    batch = collate(rows(ENCODED, "padded" if loss == "full" else batching, loss, 1000))
    check_labels([batch], ENCODED, loss == "full")
    with pytest.raises(DataError, match="not the token that follows"):
        check_labels([{**batch, "label_columns": batch["label_columns"] - 1}], ENCODED, False)
    fewer = {
        name: tensor[1:] if name.startswith("label") else tensor for name, tensor in batch.items()
    }
    with pytest.raises(DataError, match="that its questions should teach"):
        check_labels([fewer], ENCODED, loss == "full")


def test_the_example_marks_what_is_learned() -> None:
    """What the model will be asked stands outside the marks."""

    class Reading(Letters):
        def decode(self, tokens: Any) -> str:
            return "".join(chr(token) if token else "<end>" for token in tokens)

    text = example(Reading(), ENCODED[0], learns_prompt=False)
    assert text.endswith("Q Quem, 0? A>>> Ana<end><<<")
    assert "of which 5 are learned" in text
