"""Folds and seeds: what each training learns, and how documents are dealt out."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibular.core.documents import document_numbers
from vestibular.core.errors import DataError, ParamsError
from vestibular.core.files import write_json
from vestibular.core.questions import Question, write_questions
from vestibular.core.runs import Run, deal_folds, parse_run, read_folds
from vestibular.params.project import load_params

PARAMS = load_params(Path(__file__).parents[1] / "params.yaml")
REPEATED = PARAMS.model_copy(
    update={
        "evaluate": PARAMS.evaluate.model_copy(update={"folds": (1, 2, 3)}),
        "train": PARAMS.train.model_copy(update={"seeds": (7,)}),
    }
)


def asked(title: int, context: int, number: int = 0) -> Question:
    return Question(f"{number}", f"t{title}", f"c{context}", "?", ("x",), (0,))


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), min_size=1, max_size=60),
    st.integers(2, 5),
)
def test_no_context_and_no_title_is_in_two_folds(places: list[tuple[int, int]], count: int) -> None:
    """Whatever the documents; too few of them are refused; every fold has a question."""
    questions = [asked(*place) for place in places]
    if len(set(document_numbers(questions))) < count:
        with pytest.raises(ParamsError, match=r"evaluate\.folds"):
            deal_folds(questions, count)
        return
    folds = deal_folds(questions, count)
    for part in ("title", "context"):
        seen: dict[str, set[int]] = {}
        for question, fold in zip(questions, folds, strict=True):
            seen.setdefault(getattr(question, part), set()).add(fold)
        assert all(len(where) == 1 for where in seen.values())
    assert set(folds) == set(range(1, count + 1))


def test_folds_are_about_equal() -> None:
    """The largest documents are dealt first, each to the emptiest fold."""
    sizes = [9, 7, 5, 4, 3, 2]
    questions = [asked(title, title) for title, size in enumerate(sizes) for _ in range(size)]
    assert Counter(deal_folds(questions, 3)) == {1: 11, 2: 10, 3: 9}
    assert set(deal_folds(questions, 0)) == {0}


def test_what_each_run_learns_and_is_asked(in_folder: Path) -> None:
    """A fold learns all but itself, training and validation; a seed what the candidate does."""
    train, validation = [asked(0, 0, 1), asked(1, 1, 2)], [asked(2, 2, 3)]
    write_questions(Path("data/prepared"), "train", train)
    write_questions(Path("data/prepared"), "validation", validation)
    assert Run("a").questions() == (train, validation)
    assert Run("a", seed=7).questions() == (train, validation)
    with pytest.raises(DataError, match="dvc repro prepare"):
        read_folds()
    write_json(Path("data/folds.json"), [1, 2, 1])
    assert Run("a", fold=1).questions() == ([train[1]], [train[0], validation[0]])
    assert Run("a", fold=2).questions() == ([train[0], validation[0]], [train[1]])
    assert Run("a", fold=2).asked() == [train[1]]
    # the exam does not depend on the training questions
    Path("data/prepared/train.jsonl").unlink()
    assert Run("a").asked() == validation


def test_runs_keep_apart() -> None:
    """Each has files and a stage of its own."""
    runs = [Run("a"), Run("a", fold=1), Run("a", seed=1)]
    assert [str(run.adapter) for run in runs] == [
        "models/adapters/a",
        "models/folds/a-1",
        "models/seeds/a-1",
    ]
    assert [str(run.predictions) for run in runs] == [
        "metrics/predictions/a.jsonl",
        "metrics/folds/a-1.jsonl",
        "metrics/seeds/a-1.jsonl",
    ]
    assert [run.stage("train") for run in runs] == ["train@a", "train_fold@a-1", "train_seed@a-1"]


@pytest.mark.parametrize(
    ("arguments", "run"),
    [
        (["opt-tiny"], Run("opt-tiny")),
        (["opt-tiny", "--fold", "3"], Run("opt-tiny", fold=3)),
        (["opt-tiny", "--seed", "7"], Run("opt-tiny", seed=7)),
    ],
)
def test_a_command_line_names_a_run(arguments: list[str], run: Run) -> None:
    """A candidate, and perhaps a fold or a seed."""
    assert parse_run(arguments, "stages.train", REPEATED) == run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "usage: python -m stages.train <candidate>"),
        (["--fold", "1"], "usage"),
        (["opt-tiny", "--fold"], "usage"),
        (["opt-tiny", "--fold", "1", "--seed", "7"], "usage"),
        (["opt-tiny", "--fold", "4"], "evaluate.folds: does not name 4"),
        (["opt-tiny", "--seed", "8"], "train.seeds: does not name 8"),
        (["absent", "--seed", "7"], "no such candidate"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_refused(arguments: list[str], message: str) -> None:
    """In one line."""
    with pytest.raises(ParamsError, match=message) as error:
        parse_run(arguments, "stages.train", REPEATED)
    assert "\n" not in str(error.value)
