"""Which of a training's processes this one is, and what it is given of the machine."""

import os
from typing import Any

import pytest

from tests.support.commands import ROOT
from vestibular.core.errors import LaunchError, ParamsError
from vestibular.core.settings import validate
from vestibular.params.project import load_params
from vestibular.training import places
from vestibular.training.places import Place, own_gpu, own_threads, take_place
from vestibular.training.settings import TrainSettings

TRAIN = load_params(ROOT / "params.yaml").train
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
    "MASTER_ADDR": "node-1",
    "MASTER_PORT": "29500",
    "WORLD_SIZE": "4",
    "RANK": "3",
    "LOCAL_WORLD_SIZE": "2",
    "LOCAL_RANK": "1",
    "GROUP_RANK": "1",
    "ROLE_NAME": "default",
}
OURS = {
    "VESTIBULAR_MEETING": "file:///tmp/meeting",
    "VESTIBULAR_LAUNCHER": str(os.getppid()),
    "WORLD_SIZE": "2",
    "RANK": "0",
    "LOCAL_WORLD_SIZE": "2",
    "LOCAL_RANK": "0",
}


def with_processes(count: int, **changes: Any) -> TrainSettings:
    """The demo's settings for so many processes."""
    return TRAIN.model_copy(update={"processes": count, **changes})


@pytest.fixture(autouse=True)
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of GPUs that the driver has; none unless a test says so."""
    found = [0]
    monkeypatch.setattr(places, "gpu_count", lambda: found[0])
    return found


@pytest.mark.parametrize(
    "left_over", [{}, {"WORLD_SIZE": "2", "RANK": "1"}, {"TORCHELASTIC_RUN_ID": "none"}], ids=str
)
def test_a_training_is_one_process_unless_the_settings_say_so(left_over: dict[str, str]) -> None:
    """Whatever else a shell still holds; with more in the settings, they are to be started."""
    before = dict(left_over)
    assert take_place(left_over, with_processes(1)) == Place()
    assert left_over == before
    assert take_place({"RANK": "1", "WORLD_SIZE": "2"}, with_processes(2)) is None


def test_a_process_that_torchrun_has_started_knows_its_place() -> None:
    """Its variables are gone, so that no library acts on them, but kept for torch's meeting."""
    variables = {**TORCHRUN, "HOME": "/home/ana"}
    place = take_place(variables, with_processes(4))
    assert place is not None
    assert (place.rank, place.count) == (3, 4)
    assert (place.meeting, place.variables) == ("env://", TORCHRUN)
    assert not place.is_first
    assert not place.needs_lock
    assert variables == {"HOME": "/home/ana"}


def test_a_process_of_the_stages_own_meets_the_others_in_a_file() -> None:
    """Its launcher has the locks and has chosen threads and GPU; no address is told to torch."""
    variables = dict(OURS)
    place = take_place(variables, with_processes(2))
    assert place == Place(0, 2, "file:///tmp/meeting", {})
    assert not place.needs_lock
    assert variables == {}
    by_hand = take_place({**TORCHRUN, "RANK": "0"}, with_processes(4))
    assert by_hand is not None
    assert by_hand.needs_lock
    assert Place().needs_lock


@pytest.mark.parametrize("count", [1, 3])
def test_another_number_than_the_settings_say_is_refused(count: int) -> None:
    """With both numbers, and what to write: results are recorded with the settings'."""
    with pytest.raises(LaunchError) as refused:
        take_place(dict(TORCHRUN), with_processes(count))
    said = str(refused.value)
    assert said.startswith("WORLD_SIZE=4: ")
    assert f"train.processes: {count}" in said
    assert "write processes: 4" in said


@pytest.mark.parametrize("quantization", ["8bit", "4bit", "none"])
@pytest.mark.parametrize("count", [1, 4])
def test_fsdp_is_refused_by_name(quantization: str, count: int) -> None:
    """With a quantized base it works nowhere; that comes before any question of numbers."""
    variables = {**TORCHRUN, "ACCELERATE_USE_FSDP": "true"}
    with pytest.raises(LaunchError, match="FSDP splits a model") as refused:
        take_place(variables, with_processes(count, quantization=quantization))
    quantized = quantization != "none"
    assert (f"train.quantization: {quantization}" in str(refused.value)) is quantized
    assert ("1709" in str(refused.value)) is quantized


def test_other_ways_of_sharing_are_refused_too() -> None:
    """What `accelerate launch` would do is said by its variables; false ones say nothing."""
    with pytest.raises(LaunchError, match="DeepSpeed splits a model"):
        take_place({**TORCHRUN, "ACCELERATE_USE_DEEPSPEED": "true"}, with_processes(4))
    assert take_place({**TORCHRUN, "ACCELERATE_USE_FSDP": "false"}, with_processes(4))


@pytest.mark.parametrize(
    ("driver", "stated", "expected"),
    [
        (0, None, None),
        (4, None, "1"),
        (4, "2,3", "3"),
        (4, "GPU-a, GPU-b", "GPU-b"),
        (4, "", None),
        (4, "-1", None),
        (0, "5,6", "6"),
    ],
)
def test_each_process_has_a_gpu_of_its_own(
    gpus: list[int], driver: int, stated: str | None, expected: str | None
) -> None:
    """The second of two: among those that the user lets be seen, or all; none if none is wanted."""
    gpus[0] = driver
    variables = {} if stated is None else {"CUDA_VISIBLE_DEVICES": stated}
    assert own_gpu(variables, 1, 2).get("CUDA_VISIBLE_DEVICES") == expected


@pytest.mark.parametrize("stated", [None, "0"])
def test_two_processes_do_not_share_a_gpu(gpus: list[int], stated: str | None) -> None:
    """Nor is the model split over what there is: refused, with the number that there are."""
    gpus[0] = 1
    variables = {} if stated is None else {"CUDA_VISIBLE_DEVICES": stated}
    with pytest.raises(LaunchError, match="it has only 1 GPU available") as refused:
        own_gpu(variables, 0, 2)
    assert "CUDA_VISIBLE_DEVICES= (empty)" in str(refused.value)


def test_threads_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the cores, or of the threads that one process would have been allowed."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)))
    monkeypatch.setattr(places.sys, "platform", "linux")
    assert own_threads({}, 2) == {"OMP_NUM_THREADS": "4"}
    assert own_threads({}, 16) == {"OMP_NUM_THREADS": "1"}
    assert own_threads({"OMP_NUM_THREADS": "6"}, 2) == {"OMP_NUM_THREADS": "3"}


def test_more_processes_than_questions_are_refused() -> None:
    """A step of `batch_size` questions has something to learn for each."""
    values = {**TRAIN.model_dump(), "processes": 17}
    with pytest.raises(ParamsError, match=r"processes: must be at most batch_size \(16\)"):
        validate(TrainSettings, values, ROOT / "params.yaml")
