"""Reading SQuAD v1.1 and what the audit counts."""

import json
from pathlib import Path
from typing import Any

import pytest

from vestibular.errors import DataError
from vestibular.questions import audit_documents, read_questions, write_questions
from vestibular.squad import read_squad


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
        ("[]", "top level: not SQuAD v1.1"),
        ({"data": {}}, "data: not SQuAD v1.1: must be a valid list"),
        ({"data": [{"paragraphs": [{"qas": []}]}]}, "data[0].paragraphs[0].context"),
        (squad({"id": "1", "question": "?"}), "data[0].paragraphs[0].qas[0].answers"),
        (squad(question("1", "?", ("Ana", "0"))), "qas[0].answers[0].answer_start"),
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
    questions, audit = audit_documents(read_squad(path), path)
    assert [row.id for row in questions] == ["a", "a#2", "b"]
    assert questions[0].answer_starts == (20, 24)
    assert questions[2].answer_starts == (-1,)
    assert audit.as_metrics() == {
        "documents": 1,
        "contexts": 1,
        "questions": 3,
        "references_per_question": {"1": 2, "2": 1},
        "left_out": {"empty_question": 1, "empty_context": 0, "no_answer": 1},
        "faults": {
            "wrong_answer_start": 2,
            "answer_not_in_context": 1,
            "empty_answer": 1,
            "duplicate_question": 1,
            "duplicate_id": 1,
        },
    }


def test_no_valid_question_is_an_error(tmp_path: Path) -> None:
    """A split without a question that can be asked is refused, with the reasons."""
    path = write(tmp_path, squad(question("d", "Onde?")))
    with pytest.raises(DataError, match=r"no valid question left \(1 no_answer\)"):
        audit_documents(read_squad(path), path)
    empty = write(tmp_path, {"data": []})
    with pytest.raises(DataError, match="the file has none"):
        audit_documents(read_squad(empty), empty)


def test_prepared_questions_come_back_as_written(tmp_path: Path) -> None:
    """Writing and reading a split changes nothing."""
    path = write(tmp_path, squad(question("a", "Quem é?", ("Bia", 20))))
    questions, _ = audit_documents(read_squad(path), path)
    write_questions(tmp_path, "train", questions)
    assert read_questions(tmp_path, "train") == questions


def test_faquad_audit(faquad: Path) -> None:
    """FaQuAD's published files: 837 + 63 questions, 30 + 4 wrong offsets, 3 references."""
    found = {}
    for name in ("train", "dev"):
        path = faquad / f"{name}.json"
        found[name] = audit_documents(read_squad(path), path)[1]
    assert (found["train"].questions, found["dev"].questions) == (837, 63)
    assert (found["train"].contexts, found["dev"].contexts) == (211, 38)
    assert found["train"].faults["wrong_answer_start"] == 30
    assert found["dev"].faults["wrong_answer_start"] == 4
    assert dict(found["train"].references) == {3: 837}
    assert dict(found["dev"].references) == {3: 54, 4: 9}
