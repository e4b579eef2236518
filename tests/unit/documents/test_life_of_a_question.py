"""The page that follows one question shows what the code makes of it."""

import json
import re
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from vestibular.core.exam_results import AnsweredQuestion
from vestibular.core.questions import Question
from vestibular.data.squad import read_squad
from vestibular.params.project import load_params
from vestibular.scoring.scoring import best, exact_match, f1
from vestibular.selection.result import Selection

PAGE = (ROOT / "docs/life-of-a-question.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())
ROW, ANSWERED = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
SOURCE = ROOT / "demo/data/dev.json"


def paragraph() -> tuple[str, dict[str, object]]:
    """The document's title and the paragraph that holds the question."""
    document = json.loads(SOURCE.read_text(encoding="utf-8"))["data"][0]
    return document["title"], document["paragraphs"][0]


def questions() -> list[Question]:
    """The paragraph's questions as the audit passes them on: none is changed."""
    title, _ = paragraph()
    records = [each for each in read_squad(SOURCE).records if each.title == title]
    first = [each for each in records if each.context == records[0].context]
    return [
        Question(
            id=each.id,
            title=each.title,
            context=each.context,
            question=each.question,
            answers=tuple(answer.text for answer in each.answers),
            answer_starts=tuple(answer.start or 0 for answer in each.answers),
        )
        for each in first
    ]


def test_the_row_is_the_sources() -> None:
    """And its context stands on the page."""
    _, found = paragraph()
    assert found["qas"][0] == ROW  # type: ignore[index]
    assert f"*{found['context']}*" in WORDS


def test_the_scores_are_those_of_the_answer() -> None:
    """The line is a row of the predictions, and its scores are what scoring gives."""
    row = AnsweredQuestion.parse(ANSWERED, Path("docs"))
    rules = load_params(ROOT / "params.yaml").evaluate.rules
    (first, *_) = questions()
    assert (row.question, row.references) == (first.question, first.answers)
    assert row.exact_match == best(exact_match, row.answer, row.references, rules)
    assert row.f1 == best(f1, row.answer, row.references, rules)


def test_the_figures_of_the_choice_are_those_of_the_run() -> None:
    """Documents, questions, the winner's score, and how far the cheaper one is below."""
    found = Selection.read(ROOT / "metrics/selection.json")
    gap = found.candidates["gpt2-tiny"].against_leader
    assert gap is not None
    assert gap.f1.lower is not None
    assert f"one of {found.questions.documents} documents" in WORDS
    assert f"F1 {found.score('gpt2-mini').value:.3f} on the {found.questions.count}" in WORDS
    assert f"{-gap.f1.value:.3f} lower on the same questions" in WORDS
    assert f"lower bound of that difference, {gap.f1.lower:.3f}" in WORDS


@pytest.mark.slow
def test_the_tokens_are_the_tokenizers() -> None:
    """How many there are alone and in one row, and which of them are labels."""
    from vestibular.modeling.batching import rows
    from vestibular.modeling.encoding import encode_for_training
    from vestibular.modeling.models import load_tokenizer
    from vestibular.modeling.tensors import collate

    params = load_params(ROOT / "params.yaml")
    tokenizer = load_tokenizer(ROOT / "demo/bases/gpt2-mini")
    limit = params.train.max_length
    encoded = [encode_for_training(tokenizer, params.prompt, one, limit) for one in questions()]
    (row,) = rows(encoded, "shared_context", "answer", 4096)
    alone = sum(each.length for each in encoded)
    first, second, third = (len(segment.tokens) for segment in row.segments)
    assert f"{len(encoded[0].prompt)} tokens and the answer {len(encoded[0].answer)}" in WORDS
    assert f"they have {alone} tokens. In one row they have {row.length}" in WORDS
    assert f"*prefix* of {len(row.prefix)} tokens" in WORDS
    assert f"*segment* of {first}, {second} and {third} tokens" in WORDS
    assert f"Only the {len(collate([row])['labels'])} tokens of the three answers" in WORDS
