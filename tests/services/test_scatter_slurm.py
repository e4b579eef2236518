"""Cells on a real Slurm of two nodes."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.scattered import STAGES, Scattered, send
from tests.support.slurm_cluster import SlurmCluster, why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    # one cluster at a time: both would take the same ports of their namespaces
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """A running Slurm."""
    started = SlurmCluster(tmp_path_factory.mktemp("slurm"))
    yield started
    started.stop()


@pytest.fixture
def project(cluster: SlurmCluster, tmp_path: Path) -> Scattered:
    """A project whose commands are typed on the cluster."""
    return Scattered(tmp_path, enter=cluster.enter, variables=cluster.variables)


def test_both_nodes_run_cells_and_the_result_is_that_of_one_machine(
    project: Scattered, tmp_path: Path
) -> None:
    """In the order that their stages need, one array for those that start together."""
    said = project.scatter("--on", "slurm")
    assert len(project.ran()) == STAGES
    assert {project.node_of(stage) for stage in project.ran()} == {"n1", "n2"}
    assert "slurm 1_0" in said or "_0" in said
    assert project.result() == project.alone(tmp_path / "alone")


def test_a_node_that_dies_in_mid_training_costs_that_training_alone(
    project: Scattered, cluster: SlurmCluster, tmp_path: Path
) -> None:
    """Slurm gives its cell to a node that lives, in the clone that is there already."""
    held = project.hold("train_repeat@gpt2-tiny-seed-7")
    command = project.start("--on", "slurm")
    project.wait_for("train_repeat@gpt2-tiny-seed-7")
    node = project.node_of("train_repeat@gpt2-tiny-seed-7")
    cluster.kill_node(node)
    held.unlink()
    deadline = time.monotonic() + 240
    while command.poll() is None and time.monotonic() < deadline:
        cluster.begin_now()
        time.sleep(1)
    said, _ = command.communicate(timeout=30)
    cluster.start_node(node)
    if command.returncode:
        # Slurm had taken the cell for ended
        project.scatter("--on", "slurm")
    assert project.result() == project.alone(tmp_path / "alone"), said
    again = [stage for stage in project.ran() if project.ran().count(stage) > 1]
    assert set(again) == {"train_repeat@gpt2-tiny-seed-7"}


def test_a_new_command_follows_the_jobs_of_one_that_was_killed(
    project: Scattered, tmp_path: Path
) -> None:
    """By their numbers in the queue; and a cell that has failed runs again, alone."""
    held = project.hold("train@gpt2-mini")
    failing = project.fail("evaluate_repeat@gpt2-mini-seed-7")
    command = project.start("--on", "slurm")
    project.wait_for("train@gpt2-mini")
    project.wait_for("evaluate_repeat@gpt2-mini-seed-7")
    send(command, signal.SIGKILL)
    failing.unlink()
    project.follow("evaluate@gpt2-mini", held, "--on", "slurm")
    ran = project.ran()
    assert ran.count("train@gpt2-mini") == 1
    assert ran.count("evaluate_repeat@gpt2-mini-seed-7") == 2
    assert len(ran) == STAGES + 1
    assert project.result() == project.alone(tmp_path / "alone")


def test_ctrl_c_empties_the_queue(project: Scattered, cluster: SlurmCluster) -> None:
    """And what was finished is not run again."""
    held = project.hold("train@gpt2-mini")
    command = project.start("--on", "slurm")
    project.wait_for("train@gpt2-mini")
    # the status is that of the way into the namespace, which the signal ends too
    assert "Ending the jobs; what is finished stays finished." in send(command, signal.SIGINT)
    deadline = time.monotonic() + 60
    while cluster.run("squeue", "-h", "-o", "%i"):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    held.unlink()
    finished = set(project.ran()) - {"train@gpt2-mini"}
    project.scatter("--on", "slurm")
    assert all(project.ran().count(stage) == 1 for stage in finished if "base" in stage)
