"""Cells on a real Ray cluster of two nodes."""

import json
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import namespaces
from tests.support.ray_cluster import DASHBOARD, RayCluster, why_not
from tests.support.scattered import STAGES, Scattered, send

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stages of all of this module's projects note that they ran."""
    return tmp_path_factory.mktemp("ledgers")


@pytest.fixture(scope="module")
def cluster(ledgers: Path) -> Iterator[RayCluster]:
    """A running Ray, whose jobs know one ledger."""
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        started = RayCluster(Path(folder), {"LEDGER": str(ledgers)})
        yield started
        started.stop()


@pytest.fixture
def project(cluster: RayCluster, ledgers: Path, tmp_path: Path) -> Scattered:
    """A project whose commands are typed on the cluster."""
    for path in ledgers.iterdir():
        path.unlink()
    made = Scattered(tmp_path, enter=cluster.enter, variables=cluster.variables)
    made.ledger = ledgers
    return made


def jobs(cluster: RayCluster) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(
        cluster.run("curl", "--silent", f"{DASHBOARD}/api/jobs/")
    )
    return found


def test_both_nodes_run_cells_and_the_result_is_that_of_one_machine(
    project: Scattered, cluster: RayCluster, tmp_path: Path
) -> None:
    """A cell that fails once is run again by the same command, alone."""
    failing = project.fail("evaluate_repeat@gpt2-mini-seed-7")
    said = project.scatter("--on", "ray", status=2)
    assert "    no luck with gpt2-mini-seed-7" in said
    failing.unlink()
    project.scatter("--on", "ray")
    assert len(project.ran()) == STAGES + 1
    assert len({job["driver_node_id"] for job in jobs(cluster)}) == 2
    assert project.result() == project.alone(tmp_path / "alone")


def test_ctrl_c_ends_the_jobs(project: Scattered, cluster: RayCluster) -> None:
    """On whatever node they are; the same command goes on."""
    held = project.hold("train@gpt2-mini")
    command = project.start("--on", "ray")
    project.wait_for("train@gpt2-mini")
    # the status is that of the way into the namespace, which the signal ends too
    assert "Ending the jobs; what is finished stays finished." in send(command, signal.SIGINT)
    namespaces.wait_for(
        lambda: {job["status"] for job in jobs(cluster)}.isdisjoint({"PENDING", "RUNNING"}),
        "the end of all jobs",
    )
    held.unlink()
    project.scatter("--on", "ray")
    assert project.ran().count("evaluate_base@gpt2-mini") == 1
    assert project.result()


def test_a_new_command_follows_the_jobs_of_one_that_was_killed(project: Scattered) -> None:
    """By the names that it gave them."""
    held = project.hold("train@gpt2-mini")
    command = project.start("--on", "ray")
    project.wait_for("train@gpt2-mini")
    send(command, signal.SIGKILL)
    project.follow("evaluate@gpt2-mini", held, "--on", "ray")
    assert project.ran().count("train@gpt2-mini") == 1
    assert len(project.ran()) == STAGES
