"""The net below the check: answers gone over by a plain pass of the real model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.architectures import save_base, tiny
from tests.support.commands import ROOT
from tests.unit.modeling.test_generation import one_at_a_time
from tests.unit.modeling.test_tensors import draw
from vestibular.core.base_models import PinnedBase
from vestibular.core.questions import Question
from vestibular.core.settings import PromptSettings
from vestibular.examination.settings import ExamParams, UnanswerableSettings
from vestibular.modeling.answers import Answer
from vestibular.params.project import load_params

pytestmark = pytest.mark.slow

END, NEW_TOKENS = 2, 8


def answered(model: Any, way: Any) -> tuple[Any, list[Answer]]:
    """Questions longer than any window, and what the model answers in one of the ways."""
    from vestibular.modeling.generation import answer_questions

    questions = draw(8, seed=5, longest=120)
    return questions, answer_questions(model, questions, (END,), NEW_TOKENS, 2000, way)


@pytest.mark.parametrize("name", ["gpt2", "gemma3_text", "mixtral"])
def test_right_answers_deviate_by_rounding(name: str) -> None:
    """In float32 by less than a thousandth, whatever the way."""
    from vestibular.examination.net import deviation

    model = tiny(name)
    for way in ("shared", "padded"):
        questions, answers = answered(model, way)
        found = deviation(model, questions, answers, (END,))
        assert found.is_rounding
        assert found.mean < 1e-4
        assert found.answers == 6


def test_in_half_precision_rounding_is_wider() -> None:
    """What bfloat16 rounds away is no fault, and a wrong mask is one there too."""
    import torch

    from vestibular.examination.net import deviation

    model = tiny("llama").to(torch.bfloat16)
    found = deviation(model, *answered(model, "shared"), (END,))
    assert found.is_rounding
    assert found.allowed == 0.1
    wrong = tiny("gpt_neo").to(torch.bfloat16)
    assert not deviation(wrong, *answered(wrong, "shared"), (END,)).is_rounding


@pytest.mark.parametrize("name", ["gpt_neo", "mpt"])
def test_wrong_answers_are_told(name: str) -> None:
    """Where contexts must not be shared, the plain pass says something else."""
    from vestibular.examination.net import deviation

    model = tiny(name)
    questions, answers = answered(model, "shared")
    found = deviation(model, questions, answers, (END,))
    assert not found.is_rounding
    assert found.mean > 0.1


def test_one_false_probability_is_told() -> None:
    """An answer that is right, and whose recorded probability is not."""
    from vestibular.examination.net import deviation

    model = tiny("gpt2")
    questions, answers = answered(model, "padded")
    longest = max(range(len(questions)), key=lambda place: len(questions[place].prompt))
    first, *others = answers[longest].log_probabilities
    answers[longest] = replace(answers[longest], log_probabilities=(first - 1, *others))
    assert not deviation(model, questions, answers, (END,)).is_rounding


def test_an_exam_goes_on_in_a_plainer_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the check were wrong, a warning names the figures, and the answers are right all the same.

    GPT-Neo's local attention is right with padded rows alone.
    """
    from vestibular.examination.exam import load_examinee, sit

    monkeypatch.chdir(tmp_path)
    base = tmp_path / "base"
    save_base("gpt_neo", base, ROOT / "demo/bases/gpt2-tiny")
    project = load_params(ROOT / "params.yaml")
    evaluate = project.evaluate.model_copy(update={"max_new_tokens": NEW_TOKENS})
    params = ExamParams(prompt=project.prompt, data=UnanswerableSettings(), evaluate=evaluate)
    pinned = PinnedBase(
        base_model=str(base),
        quantization="none",
        precision="float32",
        arithmetic="auto",
        max_length=512,
    )
    context = "O programa Aurora é dirigido por Ana Prado desde a criação da biblioteca. " * 2
    questions = [
        Question(str(number), "", context, f"Quem dirige o programa {number}?", ("Ana",), (-1,))
        for number in range(6)
    ]
    # no answer of so few tokens can match
    questions[0] = replace(questions[0], answers=("Ana Beatriz Prado Nogueira Albuquerque",))
    examinee = load_examinee(base, pinned)
    assert examinee.way == "padded"
    right = sit(examinee, params, pinned, questions, "exam")
    said = capsys.readouterr().err
    assert said.count("plainly") == 0
    cut = sum(answer.is_cut for answer in right.answers)
    assert cut
    assert (
        f"exam: {cut} of 6 answers were cut off at evaluate.max_new_tokens ({NEW_TOKENS})" in said
    )
    assert "1 questions have no reference that short" in said
    assert right.details().cut_answers == cut
    assert right.details().longer_references == 1
    found = sit(replace(examinee, way="shared"), params, pinned, questions, "exam")
    warning = capsys.readouterr().err
    assert "asking all questions again without way `shared`" in warning
    assert found.details().way == "padded"
    assert [row.answer for row in found.rows] == [row.answer for row in right.rows]


def test_cut_answers_and_longer_references_are_counted(
    tiny_model: Callable[[str], Any],
) -> None:
    """Answers that the limit ended, and questions whose references are all longer than it."""
    from vestibular.examination.evaluation import longer_references
    from vestibular.modeling.generation import answer_questions
    from vestibular.modeling.models import load_tokenizer

    tokenizer = load_tokenizer(ROOT / "demo/bases/gpt2-tiny")
    prompt = PromptSettings(template="{context}{question}", answer_prefix=" ", chat=False)
    long = "a professora Ana Beatriz Prado Nogueira"
    questions = [
        Question("1", "", "c", "q", (long,), (-1,)),
        Question("2", "", "c", "q", (long, "Ana"), (-1, -1)),
    ]
    length = len(tokenizer(" " + long)["input_ids"])
    assert longer_references(tokenizer, prompt, questions, length) == 0
    assert longer_references(tokenizer, prompt, questions, length - 1) == 1
    model = tiny_model("gpt2")
    asked = draw(40)
    answers = answer_questions(model, asked, (END,), NEW_TOKENS, 2000, "shared")
    for question, answer in zip(asked, answers, strict=True):
        said = one_at_a_time(model, question)[:NEW_TOKENS]
        assert answer.is_cut == (len(said) == NEW_TOKENS)
    assert {answer.is_cut for answer in answers} == {True, False}
