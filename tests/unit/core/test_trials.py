"""Folds and seeds: what each training learns, and how documents are dealt out."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.commands import ROOT
from vestibular.core.base_models import PinnedBase
from vestibular.core.candidates import load_for_candidate
from vestibular.core.documents import document_numbers
from vestibular.core.errors import EXIT_CODE, DataError, ParamsError
from vestibular.core.questions import Question, write_questions
from vestibular.core.repeats import HeldOut, Repeat, fold_of_each, read_repeat, repeat_path
from vestibular.core.trials import (
    Trial,
    asked_questions,
    data_sha256,
    learned_questions,
    parse_trial,
    training_inputs,
)
from vestibular.data.folds import deal_folds, plan_repeats
from vestibular.params.project import load_params
from vestibular.training.settings import TrainingParams


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
        with pytest.raises(ParamsError, match=r"params\.yaml: repeats: \d folds"):
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


def test_what_each_trial_learns_and_is_asked(in_folder: Path) -> None:
    """A fold learns all but itself, training and validation; a seed what the candidate does."""
    train, validation = [asked(0, 0, 1), asked(1, 1, 2)], [asked(2, 2, 3)]
    write_questions(Path("data/prepared"), "train", train)
    write_questions(Path("data/prepared"), "validation", validation)
    assert learned_and_asked(Trial("a")) == (train, validation)
    for name in ("fold-1", "seed-7"):
        with pytest.raises(DataError, match=rf"data/repeats/{name}\.json: .*dvc repro prepare"):
            Trial("a", name).plan()
    held_out = {
        "fold-1": HeldOut(train=(0,), validation=(0,)),
        "fold-2": HeldOut(train=(1,), validation=()),
        "seed-7": None,
    }
    for name, places in held_out.items():
        Repeat(seed=7, held_out=places).write(repeat_path(name))
    assert learned_and_asked(Trial("a", "seed-7")) == (train, validation)
    assert learned_and_asked(Trial("a", "fold-1")) == ([train[1]], [train[0], validation[0]])
    assert learned_and_asked(Trial("a", "fold-2")) == ([train[0], validation[0]], [train[1]])
    # what the other folds give away is the fold's own
    Repeat(seed=7, held_out=HeldOut(train=(0,), validation=(0,), leaked=(1,))).write(
        repeat_path("fold-1")
    )
    assert [one.leaked for one in asked_questions(Trial("a", "fold-1").plan())] == [False, True]
    # the exam does not depend on the training questions
    Path("data/prepared/train.jsonl").unlink()
    assert asked_questions(Trial("a").plan()) == validation


def learned_and_asked(trial: Trial) -> tuple[list[Question], list[Question]]:
    repeat = trial.plan()
    return learned_questions(repeat), asked_questions(repeat)


def test_every_question_is_in_one_fold(in_folder: Path) -> None:
    """The plan holds each place once, whichever split it is in, and a fold has the own seed."""
    train = [asked(number, number) for number in range(5)]
    validation = [asked(number, number) for number in (7, 8, 8)]
    questions = {"train": train, "validation": validation}
    planned = plan_repeats(questions, ("fold-1", "fold-2", "fold-3"), ("seed-7",), 42)
    assert list(planned) == ["fold-1", "fold-2", "fold-3", "seed-7"]
    assert planned.pop("seed-7") == Repeat(seed=7, held_out=None)
    assert {repeat.seed for repeat in planned.values()} == {42}
    for split, count in (("train", 5), ("validation", 3)):
        held_out = [dict(repeat.held_out.by_split())[split] for repeat in planned.values()]
        assert sorted(place for places in held_out for place in places) == list(range(count))
    # as they were dealt, the training questions first
    assert [fold + 1 for fold in fold_of_each(list(planned.values()), 5, 3)] == deal_folds(
        [*train, *validation], 3
    )
    planned["fold-2"].write(repeat_path("fold-2"))
    assert read_repeat("fold-2") == planned["fold-2"]


def test_what_makes_a_training_is_its_own(in_folder: Path) -> None:
    """A fold's data are others than the candidate's and than another fold's; a seed's are not."""
    write_questions(Path("data/prepared"), "train", [asked(0, 0)])
    folds = [Repeat(seed=7, held_out=HeldOut(train=places, validation=())) for places in ((), (0,))]
    own, seed = data_sha256(None), data_sha256(Repeat(seed=7, held_out=None))
    assert own == seed
    assert len({own, *map(data_sha256, folds)}) == 3
    params = load_params(ROOT / "params.yaml")
    train = params.candidate("gpt2-tiny").train
    base = PinnedBase(
        base_model="b",
        sha256="ab",
        quantization="none",
        precision="auto",
        arithmetic="auto",
        max_length=512,
    )
    inputs = [training_inputs(number, params.prompt, train, base, own) for number in (42, 7)]
    assert inputs[0] != inputs[1]
    assert {**inputs[0], "seed": 7} == inputs[1]
    # a chat template that writes something else makes another training
    other = base.model_copy(update={"chat_prompt_sha256": "cd"})
    assert training_inputs(7, params.prompt, train, other, own) != inputs[1]


def test_runs_keep_apart() -> None:
    """Each has files and a stage of its own."""
    trials = [Trial("a"), Trial("a", "fold-1"), Trial("a", "seed-1")]
    assert [str(trial.adapter) for trial in trials] == [
        "models/adapters/a",
        "models/repeats/a-fold-1",
        "models/repeats/a-seed-1",
    ]
    assert [str(trial.predictions) for trial in trials] == [
        "metrics/predictions/a.jsonl",
        "metrics/repeats/a-fold-1.jsonl",
        "metrics/repeats/a-seed-1.jsonl",
    ]
    assert [trial.stage("train") for trial in trials] == [
        "train@a",
        "train_repeat@a-fold-1",
        "train_repeat@a-seed-1",
    ]
    assert [trial.is_own for trial in trials] == [True, False, False]


@pytest.mark.parametrize(
    ("arguments", "trial"),
    [
        (["opt-tiny"], Trial("opt-tiny")),
        (["opt-tiny", "fold-3"], Trial("opt-tiny", "fold-3")),
        (["opt-tiny", "seed-7"], Trial("opt-tiny", "seed-7")),
        (["opt-tiny", "seed-0"], Trial("opt-tiny", "seed-0")),
    ],
)
def test_a_command_line_names_a_trial(arguments: list[str], trial: Trial) -> None:
    """A candidate, and perhaps a fold or a seed."""
    assert parse_trial(arguments, "stages.train") == trial


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: candidate"),
        (["--fold", "1"], "unrecognized arguments: --fold"),
        (["opt-tiny", "--fold"], "unrecognized arguments: --fold"),
        (["opt-tiny", "fold-1", "seed-7"], "unrecognized arguments: seed-7"),
        (["opt-tiny", "fold"], "fold: must be fold-N or seed-N"),
        (["opt-tiny", "fold-0"], "fold-0: must be fold-N or seed-N"),
        (["opt-tiny", "seed-07"], "seed-07: must be fold-N or seed-N"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the exit status of every other mistake, and how the stage is called."""
    with pytest.raises(SystemExit) as error:
        parse_trial(arguments, "stages.train")
    assert error.value.code == EXIT_CODE
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("usage: python -m stages.train [-h] candidate [fold-N | seed-N]\n")


def test_a_base_has_no_repeats(capsys: pytest.CaptureFixture[str]) -> None:
    """Its stage takes a candidate alone."""
    assert parse_trial(["a"], "stages.evaluate_base", has_repeats=False) == Trial("a")
    with pytest.raises(SystemExit):
        parse_trial(["a", "fold-1"], "stages.evaluate_base", has_repeats=False)
    assert "unrecognized arguments: fold-1" in capsys.readouterr().err


def test_a_run_that_the_settings_do_not_name_is_refused(in_folder: Path) -> None:
    """A repeat that `prepare` has not planned, or a candidate that is none, in one line."""
    Repeat(seed=42, held_out=HeldOut(train=(), validation=(0,))).write(repeat_path("fold-1"))
    for name in ("fold-4", "seed-8"):
        with pytest.raises(DataError, match=rf"data/repeats/{name}\.json: not found") as error:
            Trial("opt-tiny", name).plan()
        assert "\n" not in str(error.value)
    with pytest.raises(ParamsError, match="no such candidate") as fault:
        load_for_candidate(TrainingParams, "absent", ROOT / "params.yaml")
    assert "\n" not in str(fault.value)
