"""The mirror to Neptune through the unmodified client, against the local server in every state."""

import base64
import fcntl
import json
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.patience import FOREVER, slowness
from tests.support.serving import Serving
from tests.support.spooled import Spooled, counts, finish, hold, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]

SEEN = """
from neptune.exceptions import NeptuneException
project = neptune.init_project(mode="read-only")
found = {"runs": {}, "versions": {}}
for row in project.fetch_runs_table(progress_bar=False).to_pandas().to_dict("records"):
    run = neptune.init_run(with_id=row["sys/id"], mode="read-only")
    series = {
        name: [[step, value] for step, value in run[name].fetch_values(
            include_timestamp=False, progress_bar=False)[["step", "value"]].to_numpy().tolist()]
        for name in sys.argv[1:] if run.exists(name)
    }
    plain = {name: value for name, value in row.items() if isinstance(value, str | float | bool)}
    found["runs"].setdefault(row["sys/custom_run_id"], []).append({"fields": plain, **series})
    run.stop()
for model in project.fetch_models_table(progress_bar=False).to_pandas().to_dict("records"):
    opened = neptune.init_model(with_id=model["sys/id"], mode="read-only")
    table = opened.fetch_model_versions_table(progress_bar=False).to_pandas()
    for row in table.to_dict("records"):
        plain = {name: value for name, value in row.items() if isinstance(value, str | float)}
        version = neptune.init_model_version(with_id=row["sys/id"], mode="read-only")
        files = version["model/artifacts"]
        plain["files"] = sorted(item.name for item in files.list_fileset_files())
        found["versions"].setdefault(row["model/run"], []).append(plain)
        version.stop()
    opened.stop()
project.stop()
answer(found)
"""
"""A client's program: all runs with the series named, and all versions."""
LOSS = "finetuning/train/loss"


@pytest.fixture
def spooled(tmp_path: Path) -> Spooled:
    """An empty project."""
    return Spooled(tmp_path / "project")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    """A server with nothing in it."""
    with Serving(tmp_path / "server", "--port", "0") as serving:
        yield serving


def variables(server: Serving, token: str | None = None) -> dict[str, str]:
    """The two variables alone: what else the client needs is the mirror's affair."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("NEPTUNE_")}
    bare.pop("OAUTHLIB_INSECURE_TRANSPORT", None)
    return {
        **bare,
        "NEPTUNE_PROJECT": "local/vestibular",
        "NEPTUNE_API_TOKEN": token or server.token,
    }


def mirror(spooled: Spooled, server: Serving, *options: str, status: int = 0) -> str:
    said = spooled.mirror(
        "--target", "neptune", *options, status=status, environment=variables(server)
    )
    assert server.token not in said
    return said


def seen(server: Serving, folder: Path, *series: str) -> Any:
    return server.client(folder, SEEN, *series)


def test_neptune_shows_what_the_spool_holds(
    spooled: Spooled, server: Serving, tmp_path: Path
) -> None:
    """Series, fields, versions and stages as the client reads them; twice is once."""
    odd = {"ação/ç": "x", "a": 1, "long": "ã" * 20_000, "..": None, "b": {"c": [1, 2]}}
    spooled.run("aaaa", "gpt2-tiny", losses=[2.0, 1.5, 1.25, "nan", "inf"], **odd)
    spooled.win("aaaa", "gpt2-tiny")
    first = mirror(spooled, server)
    assert counts(first)["gpt2-tiny"][1:] == (0, "0")
    found = seen(server, tmp_path, LOSS)
    (run,) = found["runs"]["aaaa"]
    assert run[LOSS] == [[1, 2.0], [2, 1.5], [3, 1.25]]
    fields = run["fields"]
    assert fields["sys/name"] == "gpt2-tiny"
    assert fields["base_model/configuration/parameters"] == 7e9
    assert fields["base_model/configuration/b/c"] == "1, 2"
    assert fields["not_finite/finetuning_train_loss"] == "step 4: nan, step 5: inf"
    assert fields["evaluation/after/f1"] == 0.5
    assert fields["run/state"] == "finished"
    assert len(fields["base_model/configuration/long"]) == 16_000
    (version,) = found["versions"]["aaaa"]
    assert version["sys/stage"] == "production"
    assert version["sys/name"] == "gpt2-tiny"
    assert version["sys/id"].endswith("QAPTBR-1")
    assert (version["model/exact-match"], version["model/f1"]) == (0.25, 0.5)
    # of all steps, as the training recorded it; the curve holds three of them
    assert version["model/loss"] == 1.6
    assert version["model/last-loss"] == 1.25
    assert "model.json" in version["model/can-answer"]
    assert "adapter_model.safetensors" in version["files"]

    second = mirror(spooled, server)
    assert counts(second) == {"gpt2-tiny": (0, counts(first)["gpt2-tiny"][0], "0")}
    again = mirror(spooled, server, "--all")
    assert counts(again)["gpt2-tiny"][0] >= counts(first)["gpt2-tiny"][0] - 1
    assert seen(server, tmp_path, LOSS)["runs"]["aaaa"][0][LOSS] == run[LOSS]

    # a better candidate takes its place; the one before is archived, under its own name
    spooled.run("bbbb", "gpt2-mini", f1=0.9)
    spooled.win("bbbb", "gpt2-mini")
    mirror(spooled, server)
    versions = seen(server, tmp_path)["versions"]
    assert {run: (row["sys/stage"], row["sys/name"]) for run, (row,) in versions.items()} == {
        "aaaa": ("archived", "gpt2-tiny"),
        "bbbb": ("production", "gpt2-mini"),
    }
    third = mirror(spooled, server)
    assert [row[0] for row in counts(third).values()] == [0, 0]

    # `select` promotes none: nothing is in production any more
    spooled.win("bbbb", "gpt2-mini", promoted=False)
    assert counts(mirror(spooled, server))["gpt2-mini"][0] == 1
    versions = seen(server, tmp_path)["versions"]
    assert [row["sys/stage"] for (row,) in versions.values()] == ["archived", "archived"]
    assert counts(mirror(spooled, server))["gpt2-mini"][0] == 0


def test_a_server_killed_midway_gets_the_rest_when_it_is_back(
    spooled: Spooled, server: Serving, tmp_path: Path
) -> None:
    """100,000 points: the server dies on the way, comes back, dies again; then all is there."""
    losses = [1 + 1 / step for step in range(1, 100_001)]
    spooled.run(losses=losses, f1=None)
    said = ""
    for _ in range(2):
        process = start(spooled, server, "--call-seconds", "20")
        wait_for_growth(server, process)
        server.kill()
        close(server)
        said = finish(process, status=1)
        assert "neptune: " in said
        assert "cut off" in said
        port = server.address.rsplit(":", 1)[1]
        server.__init__(server.root, "--port", port)  # type: ignore[misc]
    began = time.monotonic()
    assert counts(mirror(spooled, server))["gpt2-tiny"][2] == "0"
    assert time.monotonic() - began < 120 * slowness()
    (run,) = seen(server, tmp_path, LOSS)["runs"]["aaaa"]
    assert run[LOSS] == [[step, loss] for step, loss in enumerate(losses, 1)]


def close(server: Serving) -> None:
    """Let go of the pipe of a server that has ended."""
    assert server._process.stdout is not None
    server._process.stdout.close()


def start(spooled: Spooled, server: Serving, *options: str) -> subprocess.Popen[str]:
    return spooled.start("--target", "neptune", *options, environment=variables(server))


def wait_for_growth(server: Serving, process: subprocess.Popen[str]) -> None:
    """Wait until a push is under way."""
    size = on_disk(server.root)
    deadline = time.monotonic() + FOREVER
    while on_disk(server.root) < size + 400_000:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("when", ["at once", "midway"])
def test_a_server_that_hangs_ends_the_push(
    spooled: Spooled, server: Serving, tmp_path: Path, when: str
) -> None:
    """It accepts and says nothing any more: one line within the deadline; later all is there."""
    spooled.run(losses=[1 / step for step in range(1, 30_001)], f1=None)
    if when == "midway":
        process = start(spooled, server, "--call-seconds", "8")
        wait_for_growth(server, process)
        server._process.send_signal(signal.SIGSTOP)
    else:
        server._process.send_signal(signal.SIGSTOP)
        process = start(spooled, server, "--call-seconds", "8")
    try:
        began = time.monotonic()
        said = finish(process, status=1)
        assert time.monotonic() - began < 60 * slowness()
    finally:
        server._process.send_signal(signal.SIGCONT)
    assert "neptune: " in said
    assert counts(mirror(spooled, server))["gpt2-tiny"][2] == "0"
    (run,) = seen(server, tmp_path, LOSS)["runs"]["aaaa"]
    assert len(run[LOSS]) == 30_000


@pytest.mark.parametrize("kind", ["no server", "closed", "silent", "wrong token"])
def test_a_server_that_lets_nobody_in_ends_the_push(
    spooled: Spooled, server: Serving, kind: str
) -> None:
    """A name of nobody, a closed port, a socket that never answers, another's token: one line."""
    spooled.run(f1=None)
    content = json.loads(base64.b64decode(server.token))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if kind == "closed":
            listener.close()
        if kind == "no server":
            # RFC 6761: this name leads nowhere
            address = "https://neptune.invalid"
        changed = (
            {"api_key": "other"}
            if kind == "wrong token"
            else {name: address for name in ("api_address", "api_url") if name in content}
        )
        token = base64.b64encode(json.dumps(content | changed).encode()).decode()
        began = time.monotonic()
        said = spooled.mirror(
            *("--target", "neptune", "--call-seconds", "12", "--seconds", "40"),
            status=1,
            environment=variables(server, token),
        )
    assert time.monotonic() - began < 40 + 20 * slowness()
    assert said.count("neptune: ") == 1
    assert token not in said


def test_a_full_disk_at_the_server_is_told(
    spooled: Spooled, server: Serving, tmp_path: Path
) -> None:
    """What the server has no room for is missing, within the deadline; with room again it comes."""
    spooled.run(losses=[1 / step for step in range(1, 5_001)])
    room = resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (150_000, -1))
    began = time.monotonic()
    said = mirror(spooled, server, "--call-seconds", "8", status=1)
    assert time.monotonic() - began < 90 * slowness()
    assert "neptune" in said
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, room)
    assert counts(mirror(spooled, server))["gpt2-tiny"][2] == "0"
    (run,) = seen(server, tmp_path, LOSS)["runs"]["aaaa"]
    assert len(run[LOSS]) == 5_000


def test_an_access_that_runs_out_is_renewed(
    spooled: Spooled, server: Serving, tmp_path: Path
) -> None:
    """A push that takes longer than the server lets a client in goes through all the same."""
    server.stop()
    close(server)
    server.__init__(server.root, "--access-seconds", "2")  # type: ignore[misc]
    losses = [1 / step for step in range(1, 60_001)]
    spooled.run(losses=losses, f1=None)
    assert counts(mirror(spooled, server))["gpt2-tiny"][2] == "0"
    (run,) = seen(server, tmp_path, LOSS)["runs"]["aaaa"]
    assert len(run[LOSS]) == 60_000


def test_a_push_killed_midway_and_two_at_once_give_one_run(
    spooled: Spooled, server: Serving, tmp_path: Path
) -> None:
    """SIGKILL on the way, then two pushes at the same time: one run, one version."""
    spooled.run(losses=[1 / step for step in range(1, 50_001)])
    spooled.win("aaaa", "gpt2-tiny")
    process = start(spooled, server)
    wait_for_growth(server, process)
    process.kill()
    process.communicate()
    both = [start(spooled, server), start(spooled, server)]
    for each in both:
        assert counts(finish(each))["gpt2-tiny"][2] == "0"
    found = seen(server, tmp_path, LOSS)
    (run,) = found["runs"]["aaaa"]
    assert len(run[LOSS]) == 50_000
    (version,) = found["versions"]["aaaa"]
    assert version["sys/stage"] == "production"


def test_a_mirror_that_is_killed_leaves_nobody_waiting(spooled: Spooled, server: Serving) -> None:
    """SIGKILL while the server hangs: the process that asks it ends too, and lets the next push."""
    spooled.run(losses=[1 / step for step in range(1, 30_001)], f1=None)
    process = start(spooled, server, "--call-seconds", "60")
    wait_for_growth(server, process)
    server._process.send_signal(signal.SIGSTOP)
    try:
        process.kill()
        process.communicate()
        deadline = time.monotonic() + 10 * slowness()
        with (spooled.folder / ".vestibular/mirror/neptune.lock").open() as lock:
            while is_held(lock):
                assert time.monotonic() < deadline, "the push goes on"
                time.sleep(0.1)
    finally:
        server._process.send_signal(signal.SIGCONT)


def is_held(lock: IO[str]) -> bool:
    """Tell whether another process holds a lock file."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def test_a_version_left_half_made_is_finished(
    spooled: Spooled, server: Serving, tmp_path: Path
) -> None:
    """A push that was cut off right after it had made a version leaves no second one."""
    made = """
model = neptune.init_model(key="QAPTBR")
model.wait()
version = neptune.init_model_version(model=model["sys/id"].fetch(), name="gpt2-tiny")
version.stop()
model.stop()
answer({})
"""
    server.client(tmp_path, made)
    spooled.run()
    mirror(spooled, server)
    found = seen(server, tmp_path)
    assert list(found["versions"]) == ["aaaa"]
    assert len(found["versions"]["aaaa"]) == 1


def test_a_vanished_file_is_told(spooled: Spooled, server: Serving, tmp_path: Path) -> None:
    """All else is there; the version waits for its files."""
    spooled.run()
    spooled.win("aaaa", "gpt2-tiny")
    place = spooled.folder / "models/adapters/gpt2-tiny/adapter_config.json"
    content = place.read_bytes()
    place.unlink()
    said = mirror(spooled, server, status=1)
    assert "adapter_config.json: missing or changed since the run" in said
    place.write_bytes(content)
    assert counts(mirror(spooled, server))["gpt2-tiny"][0] == 3
    (version,) = seen(server, tmp_path)["versions"]["aaaa"]
    assert version["sys/stage"] == "production"


def test_a_running_training_is_followed(spooled: Spooled, server: Serving, tmp_path: Path) -> None:
    """A loss is at the server within 5 seconds of its logging, and a killed training is seen."""
    path = spooled.run(f1=None, end={"event": "usage", "values": {}})
    file = hold(path)
    process = start(spooled, server, "--follow")
    try:
        wait_for(process, f"series {LOSS}  pushed")
        for step in (4, 5):
            file.write(f'{{"event": "point", "time": {time.time()}, "step": {step}, ')
            file.write('"values": {"loss": 0.5}}\n')
            file.flush()
            began = time.monotonic()
            wait_for(process, f"series {LOSS}  pushed")
            assert time.monotonic() - began < 5 * slowness(), "shown too late"
        (run,) = seen(server, tmp_path, LOSS)["runs"]["aaaa"]
        assert run[LOSS][-1] == [5, 0.5]
        assert run["fields"]["run/state"] == "running"
        # as SIGKILL leaves it: the lock let go, half a line at the end
        file.write('{"event": "point", "ti')
        file.close()
        wait_for(process, "state  pushed")
        (run,) = seen(server, tmp_path, LOSS)["runs"]["aaaa"]
        assert run["fields"]["run/state"] == "killed"
        assert len(run[LOSS]) == 5
    finally:
        process.send_signal(signal.SIGINT)
        said = finish(process)
    assert counts(said)["gpt2-tiny"][2] == "0"
