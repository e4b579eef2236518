"""The model card."""

import re

import pytest
from exam import Exam, exam
from huggingface_hub import ModelCard

from vestibular.base_models import Pin
from vestibular.card import model_card
from vestibular.params import Params

HUB = Pin("owner/name", revision="ab" * 20)


def card(made: Exam, params: Params | None = None, pin: Pin | None = None) -> str:
    winner = made.selection["winner"]
    return model_card(
        params or made.params,
        made.selection,
        pin or made.pins[winner],
        made.audit,
        made.questions,
        made.predictions[winner],
    )


def code(text: str) -> str:
    found = re.search(r"```python\n(.*?)```\n", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_header_is_what_the_hub_reads() -> None:
    """The hub's own library finds language, licence, library, tags and scores."""
    made = exam({"a": 0.9, "b": 0.5})
    data = ModelCard(card(made, pin=HUB)).data
    assert (data.language, data.license, data.library_name) == ("pt", "cc-by-4.0", "peft")
    assert data.base_model == "owner/name"
    assert "question-answering" in data.tags
    assert data.model_name == "a"
    scores = made.selection["candidates"]["a"]["scores"]
    assert {result.metric_type: result.metric_value for result in data.eval_results} == {
        metric: pytest.approx(score["value"], abs=1e-6) for metric, score in scores.items()
    }


def test_only_a_base_on_the_hub_is_linked() -> None:
    """A folder's name would be taken for a model of that name."""
    made = exam({"a": 0.9})
    assert ModelCard(card(made)).data.base_model is None
    assert "the local base model `bases/a`" in card(made)
    assert "revision " + "ab" * 20 in card(made, pin=HUB)


def test_what_is_not_known_is_not_claimed() -> None:
    """Without language and licence in the settings there are none in the card."""
    made = exam({"a": 0.9})
    data = made.params.data.model_copy(update={"language": None, "license": None})
    text = card(made, params=made.params.model_copy(update={"data": data}))
    assert ModelCard(text).data.license is None
    assert "The data's licence was not stated." in text
    assert "None" not in text


def test_the_scores_stand_beside_the_reference_points() -> None:
    """A row each, with both intervals."""
    made = exam({"a": 0.9, "b": 0.5})
    rows = [line for line in card(made).splitlines() if line.startswith("| ")]
    score = made.selection["candidates"]["a"]["scores"]["exact_match"]
    assert rows[1].startswith(
        f"| **a** | {score['value']:.3f} | {score['low']:.3f} to {score['high']:.3f} |"
    )
    assert [row.split(" | ")[0] for row in rows[2:]] == [
        "| its untouched base",
        "| empty answer",
        "| whole context",
        "| overlap sentence",
        "| annotators",
    ]


def test_a_promotion_below_a_reference_point_stands_on_top() -> None:
    """Whoever opens the card learns it before anything else."""
    made = exam({"a": 0.1}, must_beat=["annotators"], allow_below_reference=True)
    text = card(made)
    assert "Promoted below a reference point: this model is not above the annotators" in text
    assert text.index("Promoted below") < text.index("## Intended use")
    assert "Promoted below" not in card(exam({"a": 0.9}))


@pytest.mark.parametrize("quantization", ["none", "8bit", "4bit"])
@pytest.mark.parametrize("pin", [None, HUB], ids=["local", "hub"])
def test_the_code_is_python(quantization: str, pin: Pin | None) -> None:
    """For each precision and kind of base; texts from the data stay strings."""
    made = exam({"a": 0.9})
    train = made.params.train.model_copy(update={"quantization": quantization})
    candidate = made.params.candidate("a").model_copy(update={"train": train})
    params = made.params.model_copy(update={"candidates": {"a": candidate}})
    source = code(card(made, params, pin))
    compile(source, "card", "exec")
    assert ("BitsAndBytesConfig" in source) is (quantization != "none")
    assert ("revision=" in source) is (pin is HUB)
