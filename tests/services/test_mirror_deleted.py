"""A run that somebody deletes at a Neptune server while it goes on and is followed."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import Serving
from tests.support.spooled import DEADLINE, Spooled, hold, wait_for

pytestmark = pytest.mark.slow

LOSS = "finetuning/train/loss"
RUNS = """
project = neptune.init_project(mode="read-only")
table = project.fetch_runs_table(progress_bar=False, sort_by="sys/id", ascending=True)
answer([[row.get_attribute_value(name) for name in ("sys/id", "sys/name", "sys/custom_run_id")]
        for row in table.to_rows()])
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    """A server with nothing in it."""
    with Serving(tmp_path / "server", "--port", "0") as serving:
        yield serving


def variables(server: Serving) -> dict[str, str]:
    """What a mirror to the server is told."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("NEPTUNE_")}
    return {**bare, "NEPTUNE_PROJECT": "local/vestibular", "NEPTUNE_API_TOKEN": server.token}


@pytest.mark.parametrize("forever", [False, True])
def test_a_run_that_is_deleted_while_it_goes_on(
    server: Serving, tmp_path: Path, forever: bool
) -> None:
    """A mirror that follows names one in the trash; what is gone for good is there anew."""
    spooled = Spooled(tmp_path / "project")
    path = spooled.run("aaaa", "gpt2-tiny", f1=None, end={"event": "usage", "values": {}})
    with hold(path) as file:
        process = spooled.start("--target", "neptune", "--follow", environment=variables(server))
        wait_for(process, f"series {LOSS}  pushed")
        server.trash("local/vestibular/VEST-1", forever=forever)
        point = {"event": "point", "time": time.time(), "step": 4, "values": {"loss": 1.0}}
        file.write(json.dumps(point) + "\n")
        file.flush()
        if forever:
            wait_for(process, f"series {LOSS}  pushed")
            assert server.client(tmp_path, RUNS) == [["VEST-2", "gpt2-tiny", "aaaa"]]
        else:
            wait_for(process, "VEST-1 is in the trash")
            assert server.client(tmp_path, RUNS) == []
        process.send_signal(signal.SIGINT)
        said = "".join(process.communicate(timeout=DEADLINE))
    assert "Traceback" not in said
    assert process.returncode == (0 if forever else 1), said
