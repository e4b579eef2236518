"""Which stages run together, and which cells wait for which."""

from pathlib import Path

from vestibular.scatter.cells import cells_of
from vestibular.scatter.pipeline import Unfinished


def stage(name: str, after: tuple[str, ...] = (), inputs: tuple[str, ...] = ()) -> Unfinished:
    return Unfinished(name, f"key of {name}", after, inputs, (Path("stages"),))


ALL = [
    stage("evaluate_base@a", inputs=("prepare",)),
    stage("train@a", inputs=("prepare",)),
    stage("evaluate@a", after=("train@a", "evaluate_base@a"), inputs=("prepare",)),
    stage("train_repeat@a-fold-1", inputs=("prepare",)),
    stage("evaluate_repeat@a-fold-1", after=("train_repeat@a-fold-1",), inputs=("prepare",)),
]


def test_a_training_and_its_exam_are_one_cell() -> None:
    """The base's exam is another one, which the candidate's waits for, and which starts first."""
    base, own, repeat = cells_of(ALL)
    assert base.stages == ("evaluate_base@a",)
    assert base.after == ()
    assert own.stages == ("train@a", "evaluate@a")
    assert own.after == (base.name,)
    assert own.restored == base.stages
    assert repeat.stages == ("train_repeat@a-fold-1", "evaluate_repeat@a-fold-1")
    assert (repeat.after, repeat.restored) == ((), ())
    assert [cell.trains for cell in (base, own, repeat)] == [False, True, True]


def test_a_cell_keeps_its_folder_while_others_and_its_own_first_half_are_finished() -> None:
    """So a command that comes later finds the job that is running."""
    _, own, _ = cells_of(ALL)
    (left,) = cells_of([stage("evaluate@a", inputs=("prepare", "train@a", "evaluate_base@a"))])
    assert left.folder_name == own.folder_name
    assert left.stages == ("evaluate@a",)
    assert not left.trains
    assert set(left.inputs) == {"prepare", "train@a", "evaluate_base@a"}


def test_what_is_restored_brings_its_own_inputs() -> None:
    """DVC looks a result up by what the stage reads, which has to be there."""
    stages = [
        stage("evaluate_base@a", inputs=("pins",)),
        stage("evaluate@a", after=("evaluate_base@a",), inputs=("train@a",)),
    ]
    _, own = cells_of(stages)
    assert set(own.inputs) == {"pins", "train@a"}


def test_a_cell_knows_its_candidate() -> None:
    """The longest name that fits: one candidate's name may begin with another one's."""
    *_, repeat = cells_of(ALL)
    assert repeat.candidate(["a", "b"]) == "a"
    (cell,) = cells_of([stage("train_repeat@a-b-fold-1")])
    assert cell.candidate(["a", "a-b"]) == "a-b"
    assert cell.candidate(["c"]) is None
