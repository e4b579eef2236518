"""Reading SQuAD v1.1 and what the audit counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from vestibular.core.data_metrics import Converted, Faults
from vestibular.core.errors import DataError
from vestibular.core.questions import read_questions, write_questions
from vestibular.data.audit import audit
from vestibular.data.squad import read_squad
from vestibular.scoring.normalization import Normalization


def question(name: str, text: str, *answers: tuple[str, int]) -> dict[str, Any]:
    return {
        "id": name,
        "question": text,
        "answers": [{"text": answer, "answer_start": start} for answer, start in answers],
    }


def squad(*qas: dict[str, Any], context: str = "Ana dirige o curso. Bia dirige o museu.") -> Any:
    return {"data": [{"title": "U", "paragraphs": [{"context": context, "qas": list(qas)}]}]}


def write(folder: Path, content: Any) -> Path:
    path = folder / "train.json"
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "line 1: not JSON"),
        ('"\\ud800"', "half a character"),
        ("[]", "top level: not SQuAD"),
        ({"data": {}}, "data: not SQuAD: must be a valid list"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, "data[0].paragraphs[0].context"),
        (squad({"id": "1", "question": "?"}), "data[0].paragraphs[0].qas[0].answers"),
        (squad(question("1", "?", ("Ana", "x"))), "qas[0].answers[0].answer_start"),
    ],
)
def test_what_is_not_squad_is_placed(tmp_path: Path, content: Any, message: str) -> None:
    """A malformed file is refused with the place of the fault."""
    path = write(tmp_path, content)
    with pytest.raises(DataError) as error:
        read_squad(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(DataError, match=r"absent\.json: not found"):
        read_squad(tmp_path / "absent.json")


def test_faults_are_counted_and_mended(tmp_path: Path) -> None:
    """Every kind of fault is counted once; offsets move to the nearest occurrence."""
    path = write(
        tmp_path,
        squad(
            question("a", "Quem dirige o museu?", ("Bia", 20), ("dirige", 22)),
            question("a", "Quem dirige o museu?", ("Ana", 0), ("", 0)),
            question("b", "Quem?", ("Zeca", 3)),
            question("c", " ", ("Ana", 0)),
            question("d", "Onde?"),
        ),
    )
    questions, found = audit(read_squad(path).records, path, None, Normalization())
    assert [row.id for row in questions] == ["a", "a#2", "b"]
    assert questions[0].answer_starts == (20, 24)
    assert questions[2].answer_starts == (-1,)
    assert found.as_metrics(questions, "ab").model_dump() == {
        "sha256": "ab",
        "documents": 1,
        "contexts": 1,
        "questions": 3,
        "unanswerable": 0,
        "references_per_question": {"1": 2, "2": 1},
        "rows": {"present": 5, "read": 3, "left_out": 2},
        "contexts_without_spaces": 0,
        "left_out": {
            "empty_question": 1,
            "empty_context": 0,
            "no_answer": 1,
            "gives_answer_away": 0,
        },
        "faults": {
            **dict.fromkeys(Faults.model_fields, 0),
            "wrong_answer_start": 2,
            "answer_not_in_context": 1,
            "empty_answer": 1,
            "duplicate_question": 1,
            "duplicate_id": 1,
        },
        "converted": dict.fromkeys(Converted.model_fields, 0),
    }


def test_an_answer_of_which_scoring_leaves_nothing_is_counted(tmp_path: Path) -> None:
    """An article, or a mark: any answer without words would be right."""
    text = "O museu, a Ana."
    asked = [
        {
            "id": f"q{place}",
            "question": f"{place}?",
            "answers": [{"text": answer, "answer_start": 0}],
        }
        for place, answer in enumerate(("O", ",", "Ana"))
    ]
    content = {"data": [{"title": "t", "paragraphs": [{"context": text, "qas": asked}]}]}
    path = tmp_path / "train.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    for rules, count in ((Normalization("squad", "pt"), 2), (Normalization(), 1)):
        _, found = audit(read_squad(path).records, path, None, rules)
        assert found.findings.counts()["answer_of_articles_alone"] == count


def test_no_valid_question_is_an_error(tmp_path: Path) -> None:
    """A split without a question that can be asked is refused, with the reasons."""
    path = write(tmp_path, squad(question("d", "Onde?")))
    with pytest.raises(DataError, match=r"no valid question left \(1 no_answer\)"):
        audit(read_squad(path).records, path, None, Normalization())
    empty = write(tmp_path, {"data": []})
    with pytest.raises(DataError, match="the file has none"):
        audit(read_squad(empty).records, empty, None, Normalization())


def test_prepared_questions_come_back_as_written(tmp_path: Path) -> None:
    """Writing and reading a split changes nothing."""
    path = write(tmp_path, squad(question("a", "Quem é?", ("Bia", 20))))
    questions, _ = audit(read_squad(path).records, path, None, Normalization())
    write_questions(tmp_path, "train", questions)
    assert read_questions(tmp_path, "train") == questions


IMPOSSIBLE = {**question("x", "Quem fundou o museu?"), "is_impossible": True}


def test_a_question_without_an_answer_takes_the_stated_one(tmp_path: Path) -> None:
    """SQuAD v2.0's impossible questions are kept, with the answer that the settings state."""
    path = write(tmp_path, squad(question("a", "Quem dirige o museu?", ("Bia", 20)), IMPOSSIBLE))
    questions, found = audit(read_squad(path).records, path, "sem resposta", Normalization())
    assert [row.answers for row in questions] == [("Bia",), ("sem resposta",)]
    assert [row.answerable for row in questions] == [True, False]
    assert found.as_metrics(questions, "ab").unanswerable == 1


def test_an_impossible_question_wants_a_stated_answer(tmp_path: Path) -> None:
    """Nothing is left out in silence: the message says which setting is missing."""
    path = write(tmp_path, squad(IMPOSSIBLE))
    with pytest.raises(DataError, match=r"question x is marked as impossible.*data\.unanswerable"):
        audit(read_squad(path).records, path, None, Normalization())


def test_faquad_audit(faquad: Path) -> None:
    """FaQuAD's published files: 837 + 63 questions, 30 + 4 wrong offsets, 3 references."""
    found = {}
    for name in ("train", "dev"):
        path = faquad / f"{name}.json"
        questions, faults = audit(read_squad(path).records, path, None, Normalization())
        found[name] = faults.as_metrics(questions, "ab").model_dump()
    assert (found["train"]["questions"], found["dev"]["questions"]) == (837, 63)
    assert (found["train"]["contexts"], found["dev"]["contexts"]) == (211, 38)
    assert found["train"]["faults"]["wrong_answer_start"] == 30
    assert found["dev"]["faults"]["wrong_answer_start"] == 4
    assert found["train"]["references_per_question"] == {"3": 837}
    assert found["dev"]["references_per_question"] == {"3": 54, "4": 9}
