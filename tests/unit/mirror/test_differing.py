"""In which settings a candidate's runs differ."""

from typing import Any

from vestibular.mirror.differing import LONGEST, differing_settings
from vestibular.mirror.records import RunRecord


def trained(name: str, candidate: str = "tiny", data: str = "d" * 64, **settings: Any) -> RunRecord:
    """A run with settings of its training, and of its exam under `evaluation`."""
    exam = settings.pop("evaluation", {})
    parts = {"finetuning": settings, "evaluation": exam}
    return RunRecord(name, candidate, settings=parts, fields={"data/sha256": data})


def test_what_is_equal_in_all_is_left_out() -> None:
    """The keys are those of `params.yaml`, with dots."""
    runs = [
        trained("a", seed=42, train={"epochs": 1, "lora": {"r": 8, "target_modules": ["q", "v"]}}),
        trained("b", seed=42, train={"epochs": 2, "lora": {"r": 8, "target_modules": ["q"]}}),
        trained("c", seed=42, train={"epochs": 2, "lora": {"r": 16, "target_modules": ["q"]}}),
    ]
    assert differing_settings(runs) == {
        "a": "train.epochs: 1, train.lora.r: 8, train.lora.target_modules: [q, v]",
        "b": "train.epochs: 2, train.lora.r: 8, train.lora.target_modules: [q]",
        "c": "train.epochs: 2, train.lora.r: 16, train.lora.target_modules: [q]",
    }


def test_another_candidate_is_no_variant() -> None:
    """Each is compared with its own runs; one alone differs from nothing."""
    runs = [trained("a", seed=1), trained("b", "mini", seed=2), trained("c", "mini", seed=3)]
    assert differing_settings(runs) == {"b": "seed: 2", "c": "seed: 3"}


def test_data_and_exam_are_settings_too() -> None:
    """Data by its hash's first digits; of what both parts have, the training's counts."""
    runs = [
        trained("a", data="1" * 64, prompt="p", evaluation={"evaluate": {"articles": "tr"}}),
        trained(
            "b", data="2" * 64, prompt="p", evaluation={"prompt": "q", "evaluate": {"articles": ""}}
        ),
    ]
    assert differing_settings(runs) == {
        "a": "data: 11111111, evaluate.articles: tr",
        "b": "data: 22222222, evaluate.articles: ",
    }


def test_what_an_earlier_library_did_not_know_is_no_difference() -> None:
    """A run that is not examined yet has none of the exam's settings either."""
    runs = [trained("a", seed=1, train={"new": 1}), trained("b", seed=1, train={})]
    assert differing_settings(runs) == {}


def test_a_long_text_is_one_short_line() -> None:
    """Texts that differ behind what is shown differ all the same."""
    runs = [trained(name, prompt={"template": f"### Soru:\n{'x' * 200}{name}"}) for name in "ab"]
    found = differing_settings(runs)
    assert set(found) == {"a", "b"}
    text = found["a"].removeprefix("prompt.template: ")
    assert text.startswith("### Soru: xx")
    assert text.endswith("…")
    assert len(text) == LONGEST
