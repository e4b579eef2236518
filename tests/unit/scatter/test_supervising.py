"""Cells as processes: in which order, how many at a time, and what becomes of those that fail."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.support.patience import FOREVER
from vestibular.scatter.cells import Cell
from vestibular.scatter.engine import Engine, Resources, Task
from vestibular.scatter.folders import CellFolder
from vestibular.scatter.local import Local
from vestibular.scatter.supervising import Supervisor
from vestibular.scatter.table import LiveTable

PLENTY = 10**12
END = 'echo $? > "$(dirname "$0")/exit"\n'
BEGIN = 'date +%s > "$(dirname "$0")/started"\n'


def task(folder: Path, name: str, work: str, after: tuple[str, ...] = (), memory: int = 1) -> Task:
    """Return a cell whose script does some work."""
    path = folder / name
    path.mkdir()
    (path / "run.sh").write_text(f"{BEGIN}({work})\n{END}")
    cell = Cell(name, "key", (name,), (), after, ())
    return Task(cell, CellFolder(path), Resources(memory, 1, 1, 0))


def supervisor(tasks: Sequence[Task], engine: Engine) -> Supervisor:
    return Supervisor(tasks, engine, lambda _: engine)


def run(tasks: Sequence[Task], engine: Engine) -> dict[str, str]:
    """Run cells to their end, and return their states."""
    followed = supervisor(tasks, engine)
    followed.run(LiveTable(), 0.02)
    return {name: line.state for name, line in followed.lines.items()}


@pytest.mark.parametrize("jobs", [1, 2, 4])
def test_never_more_than_asked_for_run_at_a_time(tmp_path: Path, jobs: int) -> None:
    """And so many do, where there are enough."""
    marks = tmp_path / "marks"
    marks.mkdir()
    work = f"touch {marks}/$$; sleep 0.3; ls {marks} | wc -l >> {tmp_path}/seen; rm {marks}/$$"
    tasks = [task(tmp_path, f"cell{number}", work) for number in range(8)]
    assert set(run(tasks, Local(jobs, PLENTY, 0)).values()) == {"done"}
    seen = [int(line) for line in (tmp_path / "seen").read_text().split()]
    assert max(seen) == jobs


def test_cells_run_side_by_side_as_memory_allows(tmp_path: Path) -> None:
    """One that is larger than all of it runs alone, as `dvc repro` would have tried."""
    marks = tmp_path / "marks"
    marks.mkdir()
    work = f"touch {marks}/$$; sleep 0.2; ls {marks} | wc -l >> {tmp_path}/seen; rm {marks}/$$"
    tasks = [task(tmp_path, f"cell{number}", work, memory=40) for number in range(4)]
    tasks.append(task(tmp_path, "large", f"ls {marks} | wc -l > {tmp_path}/beside", memory=1000))
    assert set(run(tasks, Local(8, 100, 0)).values()) == {"done"}
    assert max(map(int, (tmp_path / "seen").read_text().split())) == 2
    assert int((tmp_path / "beside").read_text()) == 0


def test_a_cell_starts_when_those_that_it_waits_for_are_done(tmp_path: Path) -> None:
    """Not when they have failed: it would lack what it reads."""
    tasks = [
        task(tmp_path, "good", f"sleep 0.2; touch {tmp_path}/made"),
        task(tmp_path, "bad", "exit 7"),
        task(tmp_path, "behind-good", f"test -e {tmp_path}/made", after=("good",)),
        task(tmp_path, "behind-bad", f"touch {tmp_path}/wrong", after=("bad",)),
        task(tmp_path, "behind-finished", "true", after=("another",)),
    ]
    states = run(tasks, Local(4, PLENTY, 0))
    assert states == {
        "good": "done",
        "bad": "failed",
        "behind-good": "done",
        "behind-bad": "waiting",
        "behind-finished": "done",
    }
    assert not (tmp_path / "wrong").exists()
    assert tasks[1].folder.status == 7


def test_a_killed_process_is_lost_and_others_go_on(tmp_path: Path) -> None:
    """It has left no end; the same cell runs again, in another process."""
    tasks = [
        task(tmp_path, "killed", f"test -e {tmp_path}/again || kill -9 $$"),
        task(tmp_path, "other", "sleep 0.5"),
    ]
    engine = Local(2, PLENTY, 0)
    assert run(tasks, engine) == {"killed": "lost", "other": "done"}
    first = tasks[0].folder.job
    (tmp_path / "again").touch()
    assert run(tasks[:1], engine) == {"killed": "done"}
    assert tasks[0].folder.job != first


def test_jobs_of_an_earlier_command_are_followed_and_not_started_again(tmp_path: Path) -> None:
    """They are told by number and time of birth; a number alone may be another process's."""
    work = f"echo begun >> {tmp_path}/begun; sleep 1"
    tasks = [task(tmp_path, name, work) for name in ("a", "b")]
    earlier = Local(1, PLENTY, 0)
    tasks[0].folder.note_job("local", earlier.submit(tasks[:1])["a"])
    tasks[1].folder.note_job("local", f"{os.getpid()}/1.00")
    later = supervisor(tasks, Local(1, PLENTY, 0))
    assert later.adopt() == ["a"]
    later.run(LiveTable(), 0.02)
    assert {line.state for line in later.lines.values()} == {"done"}
    assert (tmp_path / "begun").read_text().split() == ["begun", "begun"]
    assert earlier.alive([tasks[0].folder.job[1]]) == {}


def test_cancelled_jobs_end_with_all_that_they_have_started(tmp_path: Path) -> None:
    """Even those that do not listen."""
    pids = tmp_path / "pids"
    mild = f"sleep {FOREVER} & echo $! >> {pids}; wait"
    tasks = [task(tmp_path, "deaf", f"trap '' TERM; {mild}"), task(tmp_path, "mild", mild)]
    engine = Local(2, PLENTY, 0)
    jobs = engine.submit(tasks)
    deadline = time.monotonic() + FOREVER
    while not pids.exists() or len(pids.read_text().split()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    engine.cancel(list(jobs.values()))
    assert engine.alive(list(jobs.values())) == {}
    # those that nobody has waited for yet are dead all the same
    for number in map(int, pids.read_text().split()):
        if psutil.pid_exists(number):
            assert psutil.Process(number).status() == psutil.STATUS_ZOMBIE
