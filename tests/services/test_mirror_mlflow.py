"""The mirror to MLflow, seen through MLflow's own client; services that do not answer."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ROOT
from tests.support.patience import FOREVER, slowness
from tests.support.settings import change
from tests.support.spooled import START, Spooled, counts, finish, hold, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("warm"),
    # what MLflow's store asks of SQLAlchemy is on its way out there
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]

LOSS = "finetuning/train/loss"


@pytest.fixture
def spooled(tmp_path: Path) -> Spooled:
    """An empty project that mirrors to MLflow."""
    made = Spooled(tmp_path / "project")
    change(made.folder, {"mirror": ["mlflow"]})
    return made


@pytest.fixture
def mlflow(spooled: Spooled, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow's client, looking at the project's file."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient
    return lambda: MlflowClient(*[f"sqlite:///{spooled.folder}/mlflow.db"] * 2)


def runs(client: Any) -> list[Any]:
    experiment = client.get_experiment_by_name("qa-model")
    return list(client.search_runs([experiment.experiment_id]))


def history(client: Any, run_id: str, name: str = LOSS) -> list[tuple[int, float]]:
    found = client.get_metric_history(run_id, name)
    return sorted((point.step, point.value) for point in found)


def test_mlflow_shows_what_the_spool_holds(spooled: Spooled, mlflow: Any) -> None:
    """Numbers, times, files, version, stage and alias; pushing again changes nothing."""
    odd = {"ação/ç": "x", "a": 1, "long": "ã" * 20_000, "..": None}
    spooled.run("aaaa", "gpt2-tiny", losses=[2.0, 1.5, 1.25, "nan", "inf"], **odd)
    spooled.win("aaaa", "gpt2-tiny")
    first = spooled.mirror()
    assert counts(first)["gpt2-tiny"][1:] == (0, "0")
    client = mlflow()
    (found,) = runs(client)
    assert found.info.run_name == "gpt2-tiny"
    assert found.info.status == "FINISHED"
    assert found.info.start_time == START * 1000
    assert history(client, found.info.run_id) == [(1, 2.0), (2, 1.5), (3, 1.25)]
    assert history(client, found.info.run_id, "monitoring/cpu_percent")[0][1] == 50.0
    assert found.data.params["parameters/train/epochs"] == "1"
    assert found.data.metrics["evaluation/after/f1"] == 0.5
    assert found.data.metrics["evaluation/parameters/total"] == 7e9
    assert found.data.tags["base_model/configuration/parameters"] == "7000000000"
    assert found.data.tags["base_model/configuration/long"].startswith("ãããã")
    assert found.data.tags["not_finite/finetuning_train_loss"] == "step 4: nan, step 5: inf"
    files = {
        file.path
        for folder in ("finetuning/adapter", "long_texts")
        for file in client.list_artifacts(found.info.run_id, folder)
    }
    assert "finetuning/adapter/adapter_model.safetensors" in files
    (long,) = [path for path in files if path.startswith("long_texts/")]
    text = Path(client.download_artifacts(found.info.run_id, long)).read_text(encoding="utf-8")
    assert text == "ã" * 20_000

    version = client.get_model_version_by_alias("qa-model", "production")
    assert (version.version, version.current_stage) == (1, "Production")
    assert version.tags["model/f1"] == "0.5"
    assert version.tags["model/model-name"] == "b"
    assert version.run_id == found.info.run_id

    second = spooled.mirror()
    assert counts(second) == {"gpt2-tiny": (0, counts(first)["gpt2-tiny"][0], "0")}
    # everything again: pushed, and still there once
    again = spooled.mirror("--all")
    assert counts(again)["gpt2-tiny"][1] <= 1
    (same,) = runs(client)
    assert same.info.run_id == found.info.run_id
    assert history(client, same.info.run_id) == [(1, 2.0), (2, 1.5), (3, 1.25)]
    assert len(client.search_model_versions("name='qa-model'")) == 1

    # a better candidate: the version before it is archived, the alias moves
    spooled.run("bbbb", "gpt2-mini", f1=0.9)
    spooled.win("bbbb", "gpt2-mini")
    third = spooled.mirror()
    assert counts(third)["gpt2-tiny"][0] <= 1
    stages = {
        item.tags["model/candidate"]: (item.current_stage, item.tags.get("stage"))
        for item in client.search_model_versions("name='qa-model'")
    }
    assert stages == {
        "gpt2-mini": ("Production", "production"),
        "gpt2-tiny": ("Archived", "archived"),
    }
    best = client.get_model_version_by_alias("qa-model", "production")
    assert best.tags["model/candidate"] == "gpt2-mini"
    assert counts(spooled.mirror())["gpt2-mini"][0] == 0

    # `select` promotes none: nothing is in production any more, by no name
    spooled.win("bbbb", "gpt2-mini", promoted=False)
    assert counts(spooled.mirror())["gpt2-mini"][0] == 1
    for item in client.search_model_versions("name='qa-model'"):
        assert (item.current_stage, item.tags["stage"]) == ("Archived", "archived")
    assert client.get_registered_model("qa-model").aliases == {}
    assert counts(spooled.mirror())["gpt2-mini"][0] == 0


def test_a_run_of_many_items_is_pushed_once(spooled: Spooled, mlflow: Any) -> None:
    """A tag of MLflow's is too short for the marks of 300 series."""
    names = [f"a series with quite a long name {number:03d}" for number in range(300)]
    points = {"event": "point", "step": 1, "values": dict.fromkeys(names, 1.0)}
    spooled.run(f1=None, end=points)
    first = counts(spooled.mirror())["gpt2-tiny"]
    assert first[0] > 300
    assert first[1:] == (0, "0")
    assert counts(spooled.mirror())["gpt2-tiny"] == (0, first[0], "0")


def test_a_vanished_file_is_told_and_all_else_is_pushed(spooled: Spooled, mlflow: Any) -> None:
    """The exit status says that something is missing; put back, it is pushed alone."""
    spooled.run()
    spooled.win("aaaa", "gpt2-tiny")
    place = spooled.folder / "models/adapters/gpt2-tiny/adapter_config.json"
    content = place.read_bytes()
    place.unlink()
    said = spooled.mirror(status=1)
    assert "adapter_config.json: missing or changed since the run" in said
    assert counts(said)["gpt2-tiny"][2] == "3"
    (found,) = runs(mlflow())
    assert len(history(mlflow(), found.info.run_id)) == 3
    # no model without its files
    assert "only after the version is complete" in said
    assert all(
        version.current_stage == "None"
        for version in mlflow().search_model_versions("name='qa-model'")
    )
    place.write_bytes(content)
    assert counts(spooled.mirror())["gpt2-tiny"][0] == 3


def test_a_push_killed_midway_goes_on(spooled: Spooled, mlflow: Any) -> None:
    """100,000 points, SIGKILL on the way; the next push brings the rest, each step once."""
    losses = [1 + 1 / step for step in range(1, 100_001)]
    spooled.run(losses=losses, f1=None)
    process = spooled.start()
    deadline = time.monotonic() + FOREVER
    database = spooled.folder / "mlflow.db"
    while not database.exists() or database.stat().st_size < 3_000_000:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.communicate()
    finish(spooled.start("--seconds", str(FOREVER)))
    (found,) = runs(mlflow())
    assert history(mlflow(), found.info.run_id) == list(enumerate(losses, 1))


def test_two_pushes_at_once_give_one_run(spooled: Spooled, mlflow: Any) -> None:
    """The second waits its turn and finds everything there."""
    spooled.run(losses=[1 / step for step in range(1, 3000)])
    both = [spooled.start(), spooled.start()]
    tables = [counts(finish(process))["gpt2-tiny"] for process in both]
    (found,) = runs(mlflow())
    assert len(history(mlflow(), found.info.run_id)) == 2999
    assert len(mlflow().search_model_versions("name='qa-model'")) == 1
    assert sorted(table[0] == 0 for table in tables) == [False, True]


@pytest.mark.parametrize("kind", ["closed", "silent"])
def test_a_server_that_does_not_answer_ends_the_push(spooled: Spooled, kind: str) -> None:
    """A closed port and a server that accepts and is silent: one line, within the deadline."""
    spooled.run()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if kind == "closed":
            server.close()
        began = time.monotonic()
        address = f"http://ana:s3cret@127.0.0.1:{port}"
        said = spooled.mirror(
            *("--call-seconds", "15", "--seconds", "40"),
            status=1,
            environment={**os.environ, "MLFLOW_TRACKING_URI": address},
        )
    assert time.monotonic() - began < 40 + 20 * slowness()
    assert said.startswith("mlflow: ")
    assert "mlflow: " in said
    assert "s3cret" not in said
    # the spool is as it was, for another day
    assert counts(spooled.mirror())["gpt2-tiny"][2] == "0"


@pytest.mark.parametrize("address", ["{0}/runs of mine", "file://{0}/mlruns"])
def test_a_folder_as_the_service_is_pushed_to_or_named(spooled: Spooled, address: str) -> None:
    """What MLflow takes no more is one line that says what to write; the spool stays."""
    spooled.run()
    folder = {**os.environ, "MLFLOW_TRACKING_URI": address.format(spooled.folder)}
    said = spooled.mirror(status=1, environment=folder)
    assert said.startswith("mlflow: ")
    assert said.count("\n") == 1
    assert "'sqlite:///mlflow.db'" in said
    # no word of it is cut in half
    assert said.rstrip().endswith((".", "/", "...")), said
    assert counts(spooled.mirror())["gpt2-tiny"][2] == "0"
    # MLflow's own way back to what it was
    said = spooled.mirror(environment=folder | {"MLFLOW_ALLOW_FILE_STORE": "true"})
    assert counts(said)["gpt2-tiny"][2] == "0"


def test_a_disk_that_is_full_at_the_service_is_told(spooled: Spooled) -> None:
    """A database that cannot grow ends in one line; with room again all is there."""
    spooled.run(losses=[1 / step for step in range(1, 20_001)], f1=None)
    assert "mlflow" in finish(start_limited(spooled, "ulimit -f 1500; "), status=1)
    assert counts(spooled.mirror())["gpt2-tiny"][2] == "0"


def start_limited(spooled: Spooled, limit: str) -> subprocess.Popen[str]:
    """Start a push under a limit that its shell sets."""
    return subprocess.Popen(
        ["bash", "-c", f"{limit}exec {sys.executable} -m vestibular mirror"],
        cwd=spooled.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("fault", ["full disk", "file in the way"])
def test_a_mirror_that_can_write_nothing_says_so(spooled: Spooled, fault: str) -> None:
    """One line and status 1; with room again all is there."""
    spooled.run(f1=None)
    in_the_way = spooled.folder / ".vestibular/mirror"
    if fault == "file in the way":
        in_the_way.touch()
    limit = "ulimit -f 0; " if fault == "full disk" else ""
    said = finish(start_limited(spooled, limit), status=1)
    assert said.count("mlflow: ") == 1
    if fault == "file in the way":
        assert "mirror: file exists" in said
        in_the_way.unlink()
    assert counts(spooled.mirror())["gpt2-tiny"][2] == "0"


def test_a_running_training_is_followed(spooled: Spooled, mlflow: Any) -> None:
    """A loss is shown within 5 seconds of its logging; an end is shown as well."""
    path = spooled.run(f1=None, end={"event": "usage", "values": {}})
    file = hold(path)
    process = spooled.start("--follow")
    assert process.stderr is not None
    try:
        wait_for(process, "series finetuning/train/loss  pushed")
        for step in (4, 5, 6):
            file.write(f'{{"event": "point", "time": {time.time()}, "step": {step}, ')
            file.write('"values": {"loss": 0.5}}\n')
            file.flush()
            began = time.monotonic()
            wait_for(process, "series finetuning/train/loss  pushed")
            assert time.monotonic() - began < 5 * slowness(), "shown too late"
            (found,) = runs(mlflow())
            assert found.info.status == "RUNNING"
            assert history(mlflow(), found.info.run_id)[-1] == (step, 0.5)
        file.write('{"event": "end", "time": 1790000100.0}\n')
        file.close()
        wait_for(process, "state  pushed")
        (found,) = runs(mlflow())
        assert found.info.status == "FINISHED"
    finally:
        process.send_signal(signal.SIGINT)
        said = finish(process)
    assert counts(said)["gpt2-tiny"][2] == "0"


def test_a_failure_that_stays_is_told_once(spooled: Spooled) -> None:
    """Followed for several rounds, a file that is gone is one line, and it is in the table."""
    path = spooled.run(f1=None, end={"event": "usage", "values": {}})
    (spooled.folder / "models/adapters/gpt2-tiny/adapter_config.json").unlink()
    process = spooled.start("--follow")
    said = ""
    with hold(path) as file:
        for step in (4, 5, 6):
            said += wait_for(process, f"series {LOSS}  pushed")
            point = {"event": "point", "time": time.time(), "step": step, "values": {"loss": 1.0}}
            file.write(json.dumps(point) + "\n")
            file.flush()
    process.send_signal(signal.SIGINT)
    table = finish(process, status=1)
    assert said.count("file finetuning/adapter/adapter_config.json  failed") == 1, said
    assert "adapter_config.json: missing or changed since the run" in table


def test_without_a_target_nothing_is_asked_for(spooled: Spooled) -> None:
    """`mirror: []` is the default; Neptune's needs are told in one line, without the token."""
    shipped = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (spooled.folder / "params.yaml").write_text(shipped, encoding="utf-8")
    said = spooled.mirror()
    assert "names no target" in said
    assert "--target neptune or --target mlflow" in said
    bare = {name: value for name, value in os.environ.items() if not name.startswith("NEPTUNE_")}
    said = spooled.mirror("--target", "neptune", status=2, environment=bare)
    assert said.count("\n") == 1
    assert "NEPTUNE_PROJECT and NEPTUNE_API_TOKEN not set" in said
    for token in ("secret!", "c2VjcmV0"):
        wrong = {**bare, "NEPTUNE_PROJECT": "a/b", "NEPTUNE_API_TOKEN": token}
        said = spooled.mirror("--target", "neptune", status=2, environment=wrong)
        assert "is not a Neptune token" in said
        assert token not in said


def test_a_pipeline_is_mirrored_from_its_spool_or_its_outputs(
    reproduced_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real pipeline's runs; without their spools they are the same runs, not new ones."""
    project = reproduced_project
    address = f"sqlite:///{tmp_path}/mlflow.db"
    elsewhere = {**os.environ, "MLFLOW_TRACKING_URI": address}
    here = Spooled(project)
    first = here.mirror("--target", "mlflow", environment=elsewhere)
    assert set(counts(first)) == {"gpt2-mini", "gpt2-tiny", "opt-tiny"}
    assert {row[1:] for row in counts(first).values()} == {(0, "0")}
    second = here.mirror("--target", "mlflow", environment=elsewhere)
    assert {(row[0], row[2]) for row in counts(second).values()} == {(0, "0")}

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    client = MlflowClient(address, address)
    curve = (project / "metrics/curves/gpt2-tiny.tsv").read_text(encoding="utf-8")
    rows = [row.split("\t") for row in curve.splitlines()[1:]]
    expected = [(int(row[0]), row[2]) for row in rows if row[2]]
    (tiny,) = [found for found in runs(client) if found.info.run_name == "gpt2-tiny"]
    shown = history(client, tiny.info.run_id)
    assert [(step, f"{value:.6g}") for step, value in shown] == [
        (step, f"{float(value):.6g}") for step, value in expected
    ]
    shutil.rmtree(project / ".vestibular/spool")
    here.mirror("--target", "mlflow", environment=elsewhere)
    assert len(runs(client)) == 3
    assert history(client, tiny.info.run_id) == shown
    assert len(client.search_model_versions("name='qa-model'")) == 3
    assert client.get_model_version_by_alias("qa-model", "production").current_stage == "Production"


def test_what_is_deleted_there_stays_deleted_and_is_named(spooled: Spooled, mlflow: Any) -> None:
    """A run, then the experiment: one line each says how to bring them back; others go on."""
    spooled.run("aaaa", "gpt2-tiny")
    spooled.run("bbbb", "gpt2-mini")
    spooled.mirror()
    client = mlflow()
    deleted = next(each for each in runs(client) if each.info.run_name == "gpt2-tiny")
    client.delete_run(deleted.info.run_id)
    spooled.run("bbbb", "gpt2-mini", f1=0.9)
    said = spooled.mirror(status=1)
    assert f"mlflow runs restore --run-id {deleted.info.run_id}" in said
    (left,) = runs(client)
    assert left.data.metrics["evaluation/after/f1"] == 0.9
    client.restore_run(deleted.info.run_id)
    assert counts(spooled.mirror())["gpt2-tiny"][0] == 0
    experiment = client.get_experiment_by_name("qa-model").experiment_id
    client.delete_experiment(experiment)
    said = spooled.mirror(status=1)
    assert f"mlflow experiments restore --experiment-id {experiment}" in said
    client.restore_experiment(experiment)
    spooled.mirror()
    assert len(runs(client)) == 2


def test_two_trainings_of_one_name_are_two_runs(spooled: Spooled, mlflow: Any) -> None:
    """A curve that differs, as on another GPU, is never drawn into the first; each stays one."""
    mine, theirs = [2.0, 1.5, 1.25], [2.0, 1.5, 1.125, 1.0]
    spooled.run(losses=mine)
    spooled.win("aaaa", "gpt2-tiny")
    spooled.mirror()
    for losses in (theirs, mine, theirs):
        shutil.rmtree(spooled.folder / ".vestibular/spool")
        spooled.run(losses=losses, f1=0.75)
        spooled.mirror()
        spooled.mirror("--all")
    client = mlflow()
    found = {tuple(value for _, value in history(client, one.info.run_id)) for one in runs(client)}
    assert found == {tuple(mine), tuple(theirs)}
    assert len(runs(client)) == 2
    for one in runs(client):
        steps = [step for step, _ in history(client, one.info.run_id, "monitoring/cpu_percent")]
        assert len(set(steps)) == len(steps)
    # the newest is in production, the other's version is there and is not
    best = client.get_model_version_by_alias("qa-model", "production")
    assert len(history(client, best.run_id)) == len(theirs)
    stages = [one.current_stage for one in client.search_model_versions("name='qa-model'")]
    assert sorted(stages) == ["Archived", "Production"]


def test_a_time_that_is_measured_again_is_not_shown_twice(spooled: Spooled, mlflow: Any) -> None:
    """Trained again to the same curve it is the same run, and an epoch has one time."""
    for seconds in (3.0, 4.0):
        end = {"event": "epoch", "epoch": 1, "seconds": seconds}
        spooled.run(end=end)
        spooled.mirror()
    (found,) = runs(mlflow())
    assert history(mlflow(), found.info.run_id, "finetuning/train/epoch_seconds") == [(1, 3.0)]
