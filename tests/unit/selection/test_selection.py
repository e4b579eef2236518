"""What is read for the choice, how it is shown, and what goes into production."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.exam import exam
from tests.support.results import ZERO, answered, exam_details, training_record
from vestibular.core.errors import DataError
from vestibular.core.exam_results import AnsweredQuestion, Parameters, Scores, ScoresFile
from vestibular.core.questions import Question, write_questions
from vestibular.core.repeats import HeldOut, Repeat, repeat_path
from vestibular.core.trials import Trial
from vestibular.selection.leaderboard import Leaderboard, as_text, leaderboard
from vestibular.selection.production import write_refusal
from vestibular.selection.result import Selection
from vestibular.selection.stage_results import CandidateResult, read_out_of_fold, read_result

FOUND: Selection = exam({"long-name": 0.5, "a": 0.9}).selection
"""A choice between two candidates, whose figures are those of real statistics."""


def answer(name: str, right: float = 1.0, windows: int = 1) -> AnsweredQuestion:
    return answered(
        id=name,
        question=f"{name}?",
        windows=windows,
        answer="x" if right else "y",
        exact_match=right,
        f1=right,
    )


UNTRAINED = Parameters(trainable=0, total=300000)
RESULT = CandidateResult(
    training=training_record(shortened=3),
    base_scores=ZERO,
    base_details=exam_details(parameters=UNTRAINED),
    details=exam_details(windowed_questions=2),
    predictions=[],
    curve=[],
    seeds={},
    further_answers=[],
)


def test_the_table_shows_scores_intervals_and_reference_points() -> None:
    """A line a candidate and a reference point, in columns; a dash where nothing is uncertain."""
    board = leaderboard(FOUND, {"a": RESULT, "long-name": RESULT})
    header, first, second, empty, *_ = as_text(board).splitlines()
    assert "F1 after  95 % interval" in header
    f1 = FOUND.candidates["a"].scores.f1
    assert first.split()[:3] == ["1", "a", "0.000"]
    assert first.split()[-6:] == [
        *(f"{f1.low:.3f}", "-", f"{f1.high:.3f}", "300,000", "2.73%", "winner")
    ]
    assert second.startswith("2  long-name")
    assert second.endswith("beyond margin")
    assert empty.split() == ["empty", "answer", *["0.000", "-"] * 2, "reference"]
    assert first.index(f"{f1.value:.3f}  {f1.low:.3f}") == header.index("F1 after") + 3


def test_the_board_says_what_has_to_be_known_beside_the_reason() -> None:
    """The corrected score, and that cost has no say; the file is read as it was written."""
    board = leaderboard(FOUND, {"a": RESULT, "long-name": RESULT})
    assert (board.winner, board.reason) == ("a", FOUND.reason)
    assert board.candidates["a"].after.f1 == FOUND.candidates["a"].scores.f1
    assert any("Corrected" in note for note in board.notes)
    assert any("Cost cannot decide" in note for note in board.notes)
    again = Leaderboard.parse(json.loads(board.to_text()), Path("leaderboard.json"))
    assert again.to_text() == board.to_text()


def test_a_refusal_leaves_no_model(in_folder: Path) -> None:
    """The production folder then holds the reason alone, whatever was there."""
    Path("models/production").mkdir(parents=True)
    Path("models/production/model.json").touch()
    write_refusal("nothing is promoted: why")
    assert [path.name for path in Path("models/production").iterdir()] == ["refusal.json"]
    assert json.loads(Path("models/production/refusal.json").read_text("utf-8")) == {
        "reason": "nothing is promoted: why"
    }


def test_the_board_says_what_was_cut_and_found() -> None:
    """Contexts shortened in training and asked in windows, and both exams' other views."""
    row = leaderboard(FOUND, {"a": RESULT, "long-name": RESULT}).candidates["a"]
    assert (row.shortened.train, row.shortened.validation) == (3, 2)
    assert (row.parameters.trainable, row.parameters.total) == (8192, 300000)
    assert row.details.before.parameters.trainable == 0
    assert row.details.after.windowed_questions == 2


CURVE = "step\tepoch\tloss\tvalidation_loss\tlearning_rate\tgradient_norm\n1\t0.1\t0.5\t\t\t\n"


def write_results(name: str, repeats: dict[str, list[AnsweredQuestion]]) -> list[Path]:
    """Write what the stages make of a candidate, and return the paths in the stages' order."""
    rows = [answer("q0", windows=2), answer("q1", 0.0)]
    files: dict[str, Any] = {
        f"models/adapters/{name}/training.json": training_record(shortened=3),
        f"metrics/curves/{name}.tsv": CURVE,
        f"metrics/predictions/{name}.jsonl": rows,
        f"metrics/bases/{name}.jsonl": [answer(each, 0.0) for each in ("q1", "q0", "q2")],
        f"metrics/bases/{name}.json": exam_details(parameters=UNTRAINED),
        f"metrics/details/{name}.json": exam_details(windowed_questions=1),
        f"metrics/exam/{name}.json": ScoresFile.of(ZERO, Scores(exact_match=0.5, f1=0.5)),
    }
    for repeat, answers in repeats.items():
        files[f"models/repeats/{name}-{repeat}/training.json"] = training_record()
        files[f"metrics/repeats/{name}-{repeat}.jsonl"] = answers
    for place, content in files.items():
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif isinstance(content, list):
            AnsweredQuestion.write_lines(path, content)
        else:
            content.write(path)
    return [Path(place) for place in files]


def test_a_candidate_without_scores_is_named(in_folder: Path) -> None:
    """The message says which file is missing, and which command makes it."""
    made = ["train@a"] * 2 + ["evaluate@a"] + ["evaluate_base@a"] * 2 + ["evaluate@a"]
    files = write_results("a", {})
    for path, stage in zip(files, made, strict=False):
        content = path.read_bytes()
        path.unlink()
        with pytest.raises(
            DataError, match=re.escape(f"{path}: not found; run `dvc repro {stage}")
        ):
            read_result("a", 42, [])
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"repeats/a-seed-7\.jsonl: .*evaluate_repeat@a-seed-7"):
        read_result("a", 42, ["seed-7"])
    for path in files:
        path.unlink()
    # the first of the stages is the one to run
    with pytest.raises(DataError, match="dvc repro train@a"):
        read_result("a", 42, [])


def test_what_is_read_is_the_candidate_s_own(in_folder: Path) -> None:
    """Its answers with the base's to the same questions, its record, curve, and seeds."""
    write_results("a", {"seed-7": [answer("q0"), answer("q1")]})
    write_results("gone", {})
    found = read_result("a", 42, ["seed-7"])
    assert [row.after.windows for row in found.predictions] == [2, 1]
    assert [row.after.exact_match for row in found.predictions] == [1.0, 0.0]
    assert [row.before.id for row in found.predictions] == ["q0", "q1"]
    assert found.base_scores == ZERO
    assert found.training.shortened == 3
    assert found.details.windowed_questions == 1
    assert found.curve[0]["loss"] == "0.5"
    assert found.seeds == {
        "42": Scores(exact_match=0.5, f1=0.5),
        "7": Scores(exact_match=1.0, f1=1.0),
    }
    assert read_result("a", 42, []).seeds == {}


def test_a_base_examined_on_other_questions_is_named(in_folder: Path) -> None:
    """The message says which command examines it again."""
    write_results("a", {})
    AnsweredQuestion.write_lines(Path("metrics/bases/a.jsonl"), [answer("other")])
    with pytest.raises(DataError, match=r"a: its base was .*dvc repro evaluate_base@a"):
        read_result("a", 42, [])


def test_answers_out_of_fold_stand_in_the_questions_order(in_folder: Path) -> None:
    """Those to the training questions first, each from the fold that held it out."""
    questions = [
        Question(f"q{number}", "t", "c", f"q{number}?", ("x",), (0,)) for number in (0, 1, 2)
    ]
    write_questions(Path("data/prepared"), "train", questions[:2])
    write_questions(Path("data/prepared"), "validation", questions[2:])
    for name, held_out in {
        "fold-1": HeldOut(train=(1,), validation=(0,)),
        "fold-2": HeldOut(train=(0,), validation=()),
    }.items():
        Repeat(seed=42, held_out=held_out).write(repeat_path(name))
    write_results("a", {"fold-1": [answer("q1"), answer("q2", 0.0)], "fold-2": [answer("q0")]})
    rows = read_out_of_fold("a", ["fold-1", "fold-2"])
    assert [row.after.id for row in rows] == ["q0", "q1", "q2"]
    assert [row.before.id for row in rows] == ["q0", "q1", "q2"]
    assert [row.after.f1 for row in rows] == [1.0, 1.0, 0.0]
    AnsweredQuestion.write_lines(Trial("a", "fold-1").predictions, [answer("q1")])
    with pytest.raises(DataError, match=r"a: fold-1: .*dvc repro evaluate_repeat@a-fold-1"):
        read_out_of_fold("a", ["fold-1", "fold-2"])
