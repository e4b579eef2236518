"""What a service keeps of trainings that are here no more, and what somebody deleted there."""

import abc
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gto.api
import pytest

from tests.support.commands import environment
from tests.support.repositories import commit_all, git
from tests.support.serving import Serving
from tests.support.settings import change
from tests.support.spooled import DEADLINE, Spooled, counts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated"),
]

PLACES = ("sqlite:///{}/mlflow.db", "{}/runs")
"""MLflow's own kinds of store on a disk."""
VERSIONS = """
found = {}
project = neptune.init_project(mode="read-only")
for row in project.fetch_models_table(progress_bar=False).to_pandas().to_dict("records"):
    model = neptune.init_model(with_id=row["sys/id"], mode="read-only")
    table = model.fetch_model_versions_table(progress_bar=False).to_pandas()
    found |= {one["model/run"]: one["sys/stage"] for one in table.to_dict("records")}
    model.stop()
runs = project.fetch_runs_table(progress_bar=False).to_pandas()
answer({"stages": found, "runs": sorted(runs["sys/id"]) if len(runs) else []})
"""
"""A client's program: each version's stage by its run, and Neptune's names of the runs."""


class Service(abc.ABC):
    """A service with the runs of a project, and what its own client says of them."""

    def __init__(self, project: Spooled, variables: dict[str, str]) -> None:
        self.project = project
        self.variables = {**environment(), **variables}

    def mirror(self, *options: str, status: int = 0) -> str:
        """Push, and return all that is said."""
        return self.project.mirror(*options, status=status, environment=self.variables)

    def type_in(self, command: str) -> str:
        """Run a command as it was said, in the project's folder."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.project.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @abc.abstractmethod
    def stages(self) -> dict[str, str]:
        """Return the stage of each version, by its run."""


class Mlflow(Service):
    """MLflow's store in a file or a folder."""

    @property
    def client(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient
        return MlflowClient(*[self.variables["MLFLOW_TRACKING_URI"]] * 2)

    def stages(self) -> dict[str, str]:
        found = self.client.search_model_versions("name='qa-model'")
        aliases = self.client.get_registered_model("qa-model").aliases
        stages = {each.tags["vestibular.run"]: each.tags.get("stage", "none") for each in found}
        now = {each.tags["vestibular.run"]: each.current_stage.lower() for each in found}
        assert now == stages
        named = {
            each.tags["vestibular.run"]
            for each in found
            if str(each.version) in {str(version) for version in aliases.values()}
        }
        assert named == {run for run, stage in stages.items() if stage == "production"}
        return stages

    def runs(self) -> list[Any]:
        experiment = self.client.get_experiment_by_name("qa-model")
        return list(self.client.search_runs([experiment.experiment_id]))


class Neptune(Service):
    """The local server."""

    def __init__(self, project: Spooled, server: Serving) -> None:
        # as the server prints them
        named = {"NEPTUNE_PROJECT": "local/vestibular", "NEPTUNE_API_TOKEN": server.token}
        super().__init__(project, {**named, "OAUTHLIB_INSECURE_TRANSPORT": "1"})
        self.server = server

    def seen(self) -> Any:
        return self.server.client(self.project.folder.parent, VERSIONS)

    def stages(self) -> dict[str, str]:
        found: dict[str, str] = self.seen()["stages"]
        return found


@pytest.fixture
def spooled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spooled:
    """An empty project in a git repository."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    # the store in a folder is on its way out of MLflow, and asks for a word
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return Spooled(tmp_path / "project")


def mlflow_of(spooled: Spooled, place: str = PLACES[0]) -> Mlflow:
    address = place.format(spooled.folder.parent)
    made = Mlflow(spooled, {"MLFLOW_TRACKING_URI": address})
    name_target(spooled, "mlflow")
    return made


def name_target(spooled: Spooled, target: str) -> None:
    change(spooled.folder, {"mirror": [target]})


@pytest.fixture(params=["sqlite", "folder", "neptune"])
def service(request: pytest.FixtureRequest, spooled: Spooled, tmp_path: Path) -> Iterator[Service]:
    """Each service, with nothing in it."""
    if request.param != "neptune":
        yield mlflow_of(spooled, PLACES[request.param == "folder"])
        return
    name_target(spooled, "neptune")
    with Serving(tmp_path / "server", "--port", "0") as serving:
        yield Neptune(spooled, serving)


@pytest.fixture
def neptune(spooled: Spooled, tmp_path: Path) -> Iterator[Neptune]:
    """The local server, with nothing in it."""
    name_target(spooled, "neptune")
    with Serving(tmp_path / "server", "--port", "0") as serving:
        yield Neptune(spooled, serving)


def refuse(spooled: Spooled, run: str, candidate: str) -> None:
    """Let `select` choose none: the reason alone lies where the model was."""
    spooled.win(run, candidate, promoted=False)
    (spooled.folder / "models/production/refusal.json").write_text("{}")


def forget(spooled: Spooled) -> None:
    """Clear the spool away, as a clone on another machine has none."""
    shutil.rmtree(spooled.folder / ".vestibular/spool")


def test_a_training_that_is_gone_leaves_production_with_the_choice(service: Service) -> None:
    """Trained again with other settings, no spool of the first, and `select` refuses."""
    project = service.project
    project.run("aaaa", "gpt2-tiny")
    project.win("aaaa", "gpt2-tiny")
    service.mirror()
    assert service.stages() == {"aaaa": "production"}
    forget(project)
    project.run("bbbb", "gpt2-tiny", f1=0.1)
    # nothing has been chosen here since: nobody knows better than the service
    shutil.rmtree(project.folder / "models/production")
    service.mirror()
    assert service.stages() == {"aaaa": "production", "bbbb": "none"}
    refuse(project, "bbbb", "gpt2-tiny")
    said = service.mirror()
    assert service.stages() == {"aaaa": "archived", "bbbb": "none"}
    assert "gpt2-tiny aaaa" in said
    # once: later pushes have nothing to do
    assert all(row[0] == 0 for row in counts(service.mirror()).values())


def test_the_same_training_with_another_curve_leaves_none_in_production(
    spooled: Spooled,
) -> None:
    """As another GPU gives it: MLflow keeps both, and `select` refuses the second."""
    service = mlflow_of(spooled)
    spooled.run("aaaa", "gpt2-tiny", losses=[2.0, 1.5, 1.25])
    spooled.win("aaaa", "gpt2-tiny")
    service.mirror()
    forget(spooled)
    spooled.run("aaaa", "gpt2-tiny", losses=[2.0, 1.75, 1.7], f1=0.1)
    refuse(spooled, "aaaa", "gpt2-tiny")
    service.mirror()
    assert service.stages() == {"aaaa": "archived", "aaaa-2": "none"}


def test_the_registry_has_the_last_word(service: Service) -> None:
    """What git's tags promote stays, whatever `select` says and wherever it was trained."""
    project = service.project
    folder = project.folder
    (folder / ".gitignore").write_text("*\n")
    for version, run, candidate in (
        ("v0.1.0", "aaaa", "gpt2-tiny"),
        ("v0.2.0", "bbbb", "gpt2-mini"),
    ):
        project.run(run, candidate)
        commit_all(folder, run)
        message = f"Register\n\nCandidate: {candidate}\nRun: {run}"
        gto.api.register(str(folder), "qa-model", "HEAD", version=version, message=message)

    def promote(version: str, message: str = "Promote") -> None:
        options = {"version": version, "message": message, "skip_registration": True}
        gto.api.assign(str(folder), "qa-model", "production", force=True, **options)

    promote("v0.1.0")
    service.mirror()
    assert service.stages() == {"aaaa": "production", "bbbb": "none"}
    # retrained here, with another result, and refused: v0.1.0 is in production all the same
    forget(project)
    project.run("cccc", "gpt2-tiny", f1=0.1)
    refuse(project, "cccc", "gpt2-tiny")
    service.mirror()
    assert service.stages() == {"aaaa": "production", "bbbb": "none", "cccc": "none"}
    # neither run is here, and the registry moves production from one to the other and back
    promote("v0.2.0")
    service.mirror()
    assert service.stages() == {"aaaa": "archived", "bbbb": "production", "cccc": "none"}
    promote("v0.1.0", "Put back\n\nAction: rollback")
    said = service.mirror()
    assert service.stages() == {"aaaa": "production", "bbbb": "archived", "cccc": "none"}
    assert counts(said)["gpt2-tiny"][2] == "0"
    assert git(folder, "tag").count("production") == 3


@pytest.mark.parametrize("place", PLACES, ids=["sqlite", "folder"])
@pytest.mark.parametrize("kind", ["run", "experiment"])
def test_what_mlflow_has_in_its_trash_is_brought_back_as_it_is_said(
    spooled: Spooled, place: str, kind: str
) -> None:
    """One line, whose two commands do what they say: back, or away for good and pushed anew."""
    service = mlflow_of(spooled, place)
    spooled.run("aaaa", "gpt2-tiny")
    service.mirror()
    (before,) = service.runs()
    for number, expected in ((0, 0), (1, 1)):
        if kind == "run":
            service.client.delete_run(service.runs()[0].info.run_id)
        else:
            experiment = service.client.get_experiment_by_name("qa-model").experiment_id
            service.client.delete_experiment(experiment)
        said = service.mirror(status=1)
        assert said.count("deleted") == 1, said
        commands = re.findall("`([^`]+)`", said)
        assert len(commands) == 2
        service.type_in(commands[number])
        pushed = counts(service.mirror())["gpt2-tiny"]
        assert pushed[1:] == (pushed[1], "0")
        assert (pushed[0] > 0) == bool(expected)
        (found,) = service.runs()
        assert (found.info.run_id != before.info.run_id) == bool(expected)


def test_the_default_store_is_named_in_what_to_type(
    spooled: Spooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no variable says so, MLflow's own commands would look for it elsewhere."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    # no address: it is the default that is meant
    service = Mlflow(spooled, {})
    name_target(spooled, "mlflow")
    # what an older MLflow has left makes its folder the default of its commands
    (spooled.folder / "mlruns/0").mkdir(parents=True)
    (spooled.folder / "mlruns/0/meta.yaml").write_text("artifact_location: x\n")
    spooled.run("aaaa", "gpt2-tiny")
    service.mirror()
    client = Mlflow(spooled, {"MLFLOW_TRACKING_URI": f"sqlite:///{spooled.folder}/mlflow.db"})
    experiment = client.client.get_experiment_by_name("qa-model").experiment_id
    client.client.delete_experiment(experiment)
    restore, _ = re.findall("`([^`]+)`", service.mirror(status=1))
    service.type_in(restore)
    assert counts(service.mirror())["gpt2-tiny"][0] == 0


def test_what_neptune_has_in_its_trash_stays_there_and_is_named(neptune: Neptune) -> None:
    """One line; away for good by the command that it has, the run is pushed anew."""
    project = neptune.project
    project.run("aaaa", "gpt2-tiny")
    project.run("bbbb", "gpt2-mini")
    neptune.mirror()
    first, second = neptune.seen()["runs"]
    neptune.server.trash(f"local/vestibular/{first}")
    project.run("bbbb", "gpt2-mini", f1=0.9)
    said = neptune.mirror(status=1)
    assert said.count("deleted") == 1, said
    assert f"{first} is in the trash" in said
    # the other one goes on
    assert counts(said)["gpt2-mini"][0] > 0
    assert neptune.seen()["runs"] == [second]
    (command,) = re.findall('python -c "[^"]+"', said)
    neptune.type_in(command)
    assert counts(neptune.mirror())["gpt2-tiny"][2] == "0"
    (third,) = set(neptune.seen()["runs"]) - {second}
    assert third != first


def test_a_model_that_was_deleted_in_neptune_is_one_advice(neptune: Neptune) -> None:
    """Its key is never given again, in the trash and out of it; runs are pushed all the same."""
    project = neptune.project
    project.run("aaaa", "gpt2-tiny")
    project.run("bbbb", "gpt2-mini")
    neptune.mirror()
    neptune.server.trash("local/vestibular/VEST-QAPTBR")
    for forever in (False, True):
        if forever:
            neptune.server.trash("local/vestibular/VEST-QAPTBR", forever=True)
        said = neptune.mirror(status=1)
        assert said.count("write another `registry.model_key` in params.yaml") == 1, said
    path = project.folder / "params.yaml"
    text = path.read_text(encoding="utf-8").replace("model_key: QAPTBR", "model_key: QANEW")
    path.write_text(text, encoding="utf-8")
    neptune.mirror()
    assert neptune.stages() == {"aaaa": "none", "bbbb": "none"}
