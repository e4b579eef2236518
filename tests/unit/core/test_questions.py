"""Prepared questions come back through the `datasets` library as they were written."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.commands import run
from vestibular.core.errors import DataError
from vestibular.core.questions import (
    Question,
    load_question_dataset,
    read_question_file,
    write_question_file,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
QUESTIONS = st.lists(
    st.builds(
        Question,
        id=TEXT,
        title=st.just("") | TEXT,
        context=TEXT,
        question=TEXT,
        answers=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
        answer_starts=st.lists(st.integers(-1, 2**40), min_size=1, max_size=3).map(tuple),
        answerable=st.booleans(),
        leaked=st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@given(QUESTIONS)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_questions_come_back_as_written(tmp_path: Path, questions: list[Question]) -> None:
    """Line breaks, lone marks, numbers beyond 32 bits: nothing is read as something else."""
    path = tmp_path / "train.jsonl"
    write_question_file(path, questions)
    assert read_question_file(path) == questions


def test_the_features_are_declared(tmp_path: Path) -> None:
    """A column's type does not depend on what happens to stand in it."""
    path = tmp_path / "train.jsonl"
    write_question_file(path, [Question("1", "", "c", "q", ("2024-01-01",), (0,))])
    loaded = load_question_dataset(path)
    assert loaded.column_names == [
        *("id", "title", "context", "question"),
        *("answers", "answer_starts", "answerable", "leaked"),
    ]
    assert loaded.features["answers"].feature.dtype == "string"
    assert loaded.features["answer_starts"].feature.dtype == "int64"


@pytest.mark.parametrize(
    "line", ['{"id": "1"', '{"id": "1", "answers": 3}', "[1, 2]"], ids=["cut", "type", "list"]
)
def test_a_damaged_file_is_named(tmp_path: Path, line: str) -> None:
    """One message, with the file and what to do."""
    path = tmp_path / "train.jsonl"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.jsonl: not as `prepare` wrote it.*dvc repro"):
        read_question_file(path)
    with pytest.raises(DataError, match="not found; run `dvc repro prepare` first"):
        read_question_file(tmp_path / "absent.jsonl")


def test_a_full_disk_is_not_the_files_fault(tmp_path: Path) -> None:
    """The library's cache needs room; that there is none is said as of any other file."""
    path = tmp_path / "train.jsonl"
    write_question_file(
        path, [Question(str(n), "t", "c " * 500, "q", ("x",), (0,)) for n in range(50)]
    )
    code = (
        "from pathlib import Path\n"
        "from vestibular.core.errors import exit_on_error\n"
        "from vestibular.core.questions import read_question_file\n"
        "exit_on_error(read_question_file)(Path('train.jsonl'))"
    )
    limited = f'trap "" XFSZ; ulimit -f 10; exec {sys.executable} -c "{code}"'
    said = run(tmp_path, "bash", "-c", limited, status=2).stderr
    assert "no space left on the disk" in said
    assert "train.jsonl" not in said
    assert said.count("\n") == 1
