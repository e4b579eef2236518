"""The page of an exam with more questions than a browser holds."""

from pathlib import Path

import pytest

from tests.support.exam import exam
from vestibular.report import sections
from vestibular.report.sections import questions_data, shown_note, shown_questions


def test_a_page_holds_evenly_spaced_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many answers as it may, with their contexts alone, and it says so."""
    made = exam({"a": 0.5, "b": 0.4}, count=60)
    whole = questions_data(made.questions, made.predictions, "pt")
    assert [row["id"] for row in whole["questions"]] == [one.id for one in made.questions]
    page = made.write(tmp_path / "whole.html").read_text(encoding="utf-8")
    assert "evenly spaced" not in page
    monkeypatch.setattr(sections, "MOST_ANSWERS", 20)
    data = questions_data(made.questions, made.predictions, "pt")
    assert [row["id"] for row in data["questions"]] == [f"q{place}" for place in range(0, 60, 6)]
    for row, place in zip(data["questions"], range(0, 60, 6), strict=True):
        assert data["contexts"][row["context"]] == made.questions[place].context
        assert row["after"][1][0] == made.predictions["b"][place].after.answer
    assert len(data["contexts"]) == 10
    page = made.write(tmp_path / "part.html").read_text(encoding="utf-8")
    assert "The table contains 10 of the 60 questions, evenly spaced" in page


def test_a_part_is_shown_of_each_stretch() -> None:
    """Whatever the numbers, the last question's neighbourhood is in it, and none stands twice."""
    places = shown_questions(100_001, 3)
    assert len(places) == len(set(places)) == 13_333
    assert places[0] == 0
    assert places[-1] >= 100_001 - 8
    assert shown_note(13_333, 3) == ""
    assert "13,333 of the 13,334 questions" in shown_note(13_334, 3)
    assert list(shown_questions(5, 100_000)) == [0]
