"""The model card."""

import re
from typing import Any

import pytest
from huggingface_hub import ModelCard

from tests.support.exam import Exam, exam
from vestibular.core.base_models import Pin
from vestibular.data.settings import Files, HubDataset
from vestibular.params.project import Params
from vestibular.report.card import model_card

HUB = Pin("owner/name", revision="ab" * 20)


def card(made: Exam, params: Params | None = None, pin: Pin | None = None) -> str:
    winner = made.selection.winner
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
    score = made.selection.candidates["a"].scores.exact_match
    assert rows[1].startswith(
        f"| **a** | {score.value:.3f} | {score.low:.3f} to {score.high:.3f} |"
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
    assert "Promoted below a reference point: this model does not exceed the annotators" in text
    assert text.index("Promoted below") < text.index("## Intended use")
    assert "because `select.allow_below_reference` is set" in text
    plain = exam({"a": 0.1}, must_beat=["annotators"], rule="published")
    assert "because `select.rule: published` is set" in card(plain)
    assert "Promoted below" not in card(exam({"a": 0.9}))


def test_a_lead_within_the_noise_stands_on_top() -> None:
    """And the corrected score beside the measured one below the table."""
    made = exam({"near": 0.95}, must_beat=["annotators"], count=54)
    text = card(made)
    assert "**Above the annotators only within the noise" in text
    assert text.index("within the noise") < text.index("## Intended use")
    fixed = made.selection.corrected
    assert f"near's F1 is {fixed.corrected:.3f} ({fixed.measured:.3f} measured" in text
    assert "within the noise" not in card(exam({"a": 0.9}))


def test_mlqas_rules_are_named() -> None:
    """With the language whose articles do not count."""
    made = exam({"a": 0.9})
    exam_of = made.params.evaluate.model_copy(update={"normalization": "mlqa", "articles": "de"})
    text = card(made, made.params.model_copy(update={"evaluate": exam_of}))
    assert "both by MLQA's\nrules with German articles dropped" in text


def test_a_dataset_on_the_hub_is_linked() -> None:
    """With its revision, and with the scores, which have to name a dataset."""
    made = exam({"a": 0.9})
    hub = HubDataset(id="owner/data", revision="cd" * 20, splits=Files(train="train"))
    data = made.params.data.model_copy(update={"hub": hub})
    text = card(made, made.params.model_copy(update={"data": data}))
    header = ModelCard(text).data
    assert header.datasets == ["owner/data"]
    assert header.model_name == "a"
    assert header.eval_results[0].dataset_revision == "cd" * 20
    assert {result.dataset_type for result in header.eval_results} == {"owner/data"}
    scores = made.selection.candidates["a"].scores
    # SQuAD's cards write them from 0 to 100
    assert {result.metric_type: result.metric_value for result in header.eval_results} == {
        "exact_match": pytest.approx(100 * scores.exact_match.value, abs=1e-4),
        "f1": pytest.approx(100 * scores.f1.value, abs=1e-4),
    }
    assert "The header has\nthe same scores" in text


def test_a_folder_of_data_is_no_dataset_of_the_hub() -> None:
    """The hub would link `data/mine` to somebody's dataset of that name."""
    made = exam({"a": 0.9})
    text = card(made)
    header = ModelCard(text).data
    assert header.get("datasets") is None
    assert header.eval_results is None
    assert made.params.data.source not in text.split("---")[1]
    assert "The header has" not in text


def changed(made: Exam, **train: Any) -> Params:
    """Return the settings with other ones for the training of the candidate `a`."""
    candidate = made.params.candidate("a")
    settings = candidate.train.model_copy(update=train)
    return made.params.model_copy(
        update={"candidates": {"a": candidate.model_copy(update={"train": settings})}}
    )


def test_a_whole_model_needs_no_adapter() -> None:
    """Trained in full, it is loaded by transformers alone."""
    made = exam({"a": 0.9})
    text = card(made, changed(made, method="full", precision="bfloat16"))
    assert ModelCard(text).data.library_name == "transformers"
    compile(code(text), "card", "exec")
    assert "peft" not in code(text)
    assert "dtype=torch.bfloat16" in code(text)
    assert "An adapter" not in text


def test_a_chat_is_asked_as_a_chat() -> None:
    """The code uses the tokenizer's chat template where the settings do."""
    made = exam({"a": 0.9})
    prompt = made.params.prompt.model_copy(update={"chat": True})
    source = code(card(made, made.params.model_copy(update={"prompt": prompt})))
    compile(source, "card", "exec")
    assert "apply_chat_template" in source
    assert "apply_chat_template" not in code(card(made))


def test_who_may_say_nothing_is_said_to() -> None:
    """Unanswerable questions change the limits and the rules that are named."""
    made = exam({"a": 0.9})
    data = made.params.data.model_copy(update={"unanswerable": "sem resposta"})
    text = card(made, made.params.model_copy(update={"data": data}))
    assert 'trained to say "sem resposta"' in text
    assert "SQuAD v2.0's" in text
    assert "It always answers" in card(made)


@pytest.mark.parametrize("quantization", ["none", "8bit", "4bit"])
@pytest.mark.parametrize("pin", [None, HUB], ids=["local", "hub"])
def test_the_code_is_python(quantization: str, pin: Pin | None) -> None:
    """For each precision and kind of base; texts from the data stay strings."""
    made = exam({"a": 0.9})
    source = code(card(made, changed(made, quantization=quantization), pin))
    compile(source, "card", "exec")
    assert ("BitsAndBytesConfig" in source) is (quantization != "none")
    assert ("revision=" in source) is (pin is HUB)
