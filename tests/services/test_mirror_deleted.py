"""What somebody has deleted at a Neptune server is said, and nothing of it is pushed again."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import Serving
from tests.support.spooled import Spooled, counts, finish, hold, wait_for

pytestmark = pytest.mark.slow

LOSS = "finetuning/train/loss"
DELETE = """
from neptune import management
names, forever = sys.argv[1].split(), sys.argv[2] == "forever"
management.trash_objects("local/vestibular", names)
if forever:
    management.delete_objects_from_trash("local/vestibular", names)
answer(None)
"""
RUNS = """
project = neptune.init_project(mode="read-only")
table = project.fetch_runs_table(progress_bar=False, sort_by="sys/id", ascending=True)
answer([[row.get_attribute_value(name) for name in ("sys/id", "sys/name", "sys/custom_run_id")]
        for row in table.to_rows()])
"""


@pytest.fixture
def spooled(tmp_path: Path) -> Spooled:
    """A project with two runs."""
    spooled = Spooled(tmp_path / "project")
    spooled.run("aaaa", "gpt2-tiny")
    spooled.run("bbbb", "gpt2-mini")
    return spooled


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    """A server with nothing in it."""
    with Serving(tmp_path / "server", "--port", "0") as serving:
        yield serving


def variables(server: Serving) -> dict[str, str]:
    """What a mirror to the server is told."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("NEPTUNE_")}
    return {**bare, "NEPTUNE_PROJECT": "local/vestibular", "NEPTUNE_API_TOKEN": server.token}


def push(spooled: Spooled, server: Serving, status: int = 0) -> str:
    return spooled.mirror("--target", "neptune", status=status, environment=variables(server))


def delete(server: Serving, folder: Path, name: str, how: str) -> None:
    server.client(folder, DELETE, name, how)


def test_a_run_in_the_trash_stays_there_and_is_named(
    spooled: Spooled, server: Serving, tmp_path: Path
) -> None:
    """Others go on; deleted for good it is pushed anew, under a new number."""
    push(spooled, server)
    assert [row[0] for row in server.client(tmp_path, RUNS)] == ["VEST-1", "VEST-2"]
    delete(server, tmp_path, "VEST-1", "trash")
    spooled.run("bbbb", "gpt2-mini", f1=0.9)
    said = push(spooled, server, status=1)
    assert "has been deleted there; bring VEST-1 back from the trash, or delete it for" in said
    assert counts(said)["gpt2-mini"][0] > 0
    assert server.client(tmp_path, RUNS) == [["VEST-2", "gpt2-mini", "bbbb"]]
    server.client(
        tmp_path,
        'from neptune import management\nmanagement.clear_trash("local/vestibular")\nanswer(None)',
    )
    push(spooled, server)
    assert server.client(tmp_path, RUNS) == [
        ["VEST-2", "gpt2-mini", "bbbb"],
        ["VEST-3", "gpt2-tiny", "aaaa"],
    ]


def test_a_model_that_is_gone_is_named(spooled: Spooled, server: Serving, tmp_path: Path) -> None:
    """Its key is not given again; the runs go on."""
    spooled.win("aaaa", "gpt2-tiny")
    push(spooled, server)
    delete(server, tmp_path, "VEST-QAPTBR", "forever")
    spooled.run("cccc", "opt-tiny")
    said = push(spooled, server, status=1)
    assert "the model QAPTBR has been deleted there" in said
    assert ["VEST-3", "opt-tiny", "cccc"] in server.client(tmp_path, RUNS)


@pytest.mark.parametrize("how", ["trash", "forever"])
def test_a_run_that_is_deleted_while_it_goes_on(server: Serving, tmp_path: Path, how: str) -> None:
    """A mirror that follows names one in the trash; what is gone for good is there anew."""
    spooled = Spooled(tmp_path / "project")
    path = spooled.run("aaaa", "gpt2-tiny", f1=None, end={"event": "usage", "values": {}})
    with hold(path) as file:
        process = spooled.start("--target", "neptune", "--follow", environment=variables(server))
        wait_for(process, f"series {LOSS}  pushed")
        delete(server, tmp_path, "VEST-1", how)
        point = {"event": "point", "time": time.time(), "step": 4, "values": {"loss": 1.0}}
        file.write(json.dumps(point) + "\n")
        file.flush()
        if how == "trash":
            wait_for(process, "has been deleted there; bring VEST-1 back")
            assert server.client(tmp_path, RUNS) == []
        else:
            wait_for(process, f"series {LOSS}  pushed")
            assert server.client(tmp_path, RUNS) == [["VEST-2", "gpt2-tiny", "aaaa"]]
        process.send_signal(signal.SIGINT)
        finish(process, status=1 if how == "trash" else 0)
