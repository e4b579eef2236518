"""MLflow as a target: any tracking address, including a SQLite file."""

import json
import time
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from vestibular.mirror.mlflow_values import (
    MARKS_TAG,
    RUN_TAG,
    address,
    as_text,
    changed_tags,
    differ,
    find_experiment,
    how_to_restore,
    list_runs,
    log_in_parts,
    make_model,
    marks_in,
    names_of,
    shown_name,
    versions_by_run,
)
from vestibular.mirror.pushing import one_line
from vestibular.mirror.records import Point, RunRecord, Stage, Value
from vestibular.mirror.target import Call, Marks, TargetGoneError, read_marks, size_of, staged

STAGE_TAG = "stage"
ADAPTER = "finetuning/adapter"
MEASURED = ("finetuning/", "evaluation/")
"""Numbers with these prefixes are results, which MLflow compares: metrics instead of tags."""
PARAMETERS = "parameters/"
STATES = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}


class MlflowTarget:
    """An experiment's runs, and the versions of a registered model."""

    # the value of a parameter; tags may be longer
    text_limit = 6000

    def __init__(self, call: Call, name: str) -> None:
        """Connect; `name` is that of the experiment and of the registered model."""
        # routine messages of alembic and the client
        warnings.filterwarnings("ignore", category=FutureWarning)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        self.errors: tuple[type[Exception], ...] = (MlflowException,)
        self._call = call
        self._name = name
        try:
            call("connect")
            self._client = MlflowClient(address(), address())
            self._experiment = find_experiment(self._client, name)
        except MlflowException as error:
            raise TargetGoneError(one_line(error)) from None
        self._names: dict[str, str] = {}
        self._runs: dict[str, Any] = {}
        self._deleted: dict[str, Any] = {}
        self._versions: dict[str, Any] = {}
        self._steps: dict[tuple[str, str], dict[int, float]] = {}

    def refresh(self) -> None:
        """Read all existing runs and versions."""
        from mlflow.entities import ViewType

        self._call("list the runs")
        # it may have been deleted since the last round
        self._experiment = find_experiment(self._client, self._name)
        self._runs = list_runs(self._client, self._experiment, ViewType.ACTIVE_ONLY)
        self._deleted = list_runs(self._client, self._experiment, ViewType.DELETED_ONLY)
        self._call("list the versions")
        there = {run.info.run_id for run in (*self._runs.values(), *self._deleted.values())}
        versions = self._client.search_model_versions(f"name='{self._name}'")
        self._versions = versions_by_run(versions, there)

    def deleted(self, run: RunRecord) -> str | None:
        """Return how to restore a run that is in MLflow's trash; None if it is not."""
        name = self._key(run)
        if name in self._runs or name not in self._deleted:
            return None
        return how_to_restore("run", str(self._deleted[name].info.run_id))

    def run_marks(self, run: RunRecord) -> Marks:
        """Return a run's marks; empty if MLflow does not have the run."""
        found = self._runs.get(self._key(run))
        return marks_in(found.data.tags) if found else {}

    def settle(self, run: RunRecord, doubtful: Callable[[Marks], Collection[str]]) -> None:
        """Distinguish trainings of one run by their curves; each is a separate run in MLflow."""
        for name in names_of(run.id):
            self._names[run.id] = name
            if name not in self._runs:
                return
            run_id, series = self._run_id(run), doubtful(self.run_marks(run))
            if not any(differ(self._known_steps(run_id, one), run.series[one]) for one in series):
                return

    def _key(self, run: RunRecord) -> str:
        return self._names.get(run.id, run.id)

    def _run_id(self, run: RunRecord) -> str:
        name = self._key(run)
        if name not in self._runs:
            self._call("create the run")
            start = round(run.started * 1000)
            tags = {RUN_TAG: name, "candidate": run.candidate}
            self._runs[name] = self._client.create_run(
                self._experiment, start, tags, run_name=shown_name(run)
            )
        return str(self._runs[name].info.run_id)

    def set_fields(self, run: RunRecord, fields: Mapping[str, Value]) -> None:
        """Set parameters, results and tags; existing ones are kept."""
        from mlflow.entities import Metric, Param, RunTag

        run_id = self._run_id(run)
        known = self._runs[self._key(run)].data
        now = round(time.time() * 1000)
        parameters, metrics, tags = [], [], []
        for name, value in fields.items():
            text = as_text(value)
            if name.startswith(PARAMETERS):
                if known.params.get(name) != text:
                    parameters.append(Param(name, text))
            elif name.startswith(MEASURED) and isinstance(value, float):
                if known.metrics.get(name) != value:
                    metrics.append(Metric(name, value, now, 0))
            elif known.tags.get(name) != text:
                tags.append(RunTag(name, text))
        log_in_parts(self._client, self._call, run_id, metrics, parameters, tags)

    def add_points(self, run: RunRecord, name: str, points: list[Point]) -> None:
        """Add the points whose steps are missing: MLflow would store a step twice.

        A value measured twice, such as an epoch's time in a repeated training, keeps its first
        value.
        """
        from mlflow.entities import Metric

        run_id = self._run_id(run)
        known = self._known_steps(run_id, name)
        new = [point for point in points if point.step not in known]
        metrics = [Metric(name, one.value, round(one.time * 1000), one.step) for one in new]
        if metrics:
            self._call(f"log {name}")
            self._client.log_batch(run_id, metrics=metrics, synchronous=True)
            known |= {metric.step: metric.value for metric in metrics}

    def _known_steps(self, run_id: str, name: str) -> dict[int, float]:
        """Return the existing values by step; cached in this process."""
        if (run_id, name) not in self._steps:
            self._call(f"read {name}")
            found = self._client.get_metric_history(run_id, name)
            self._steps[run_id, name] = {point.step: point.value for point in found}
        return self._steps[run_id, name]

    def put_file(self, run: RunRecord, name: str, path: Path) -> None:
        """Upload a file as an artifact of the run."""
        run_id = self._run_id(run)
        with staged({Path(name).name: path}) as folder:
            self._call(f"upload {name}", size_of(path))
            self._client.log_artifact(
                run_id, str(folder / Path(name).name), Path(name).parent.as_posix()
            )

    def set_state(self, run: RunRecord) -> None:
        """Set whether the run is in progress, and how it ended."""
        run_id = self._run_id(run)
        self._call("set the state")
        if run.ended is None:
            self._client.update_run(run_id, status=STATES[run.state])
        else:
            self._client.set_terminated(run_id, STATES[run.state], round(run.ended * 1000))

    def save_run_marks(self, run: RunRecord, marks: Marks) -> None:
        """Store the marks in tags of the run, as many as needed."""
        from mlflow.entities import RunTag

        run_id = self._run_id(run)
        known = self._runs[self._key(run)].data.tags
        changed = changed_tags(known, marks)
        tags = [RunTag(tag, text) for tag, text in changed.items()]
        log_in_parts(self._client, self._call, run_id, tags=tags)
        known |= changed

    def close_run(self, run: RunRecord) -> None:
        """Do nothing: no run is held open."""

    def version_marks(self, run: RunRecord) -> Marks:
        """Return the marks of a run's version; empty if there is no version yet."""
        found = self._versions.get(self._key(run))
        return read_marks(found.tags.get(MARKS_TAG)) if found else {}

    def _version(self, run: RunRecord) -> str:
        if self._key(run) not in self._versions:
            run_id = self._run_id(run)
            self._call("create the version")
            make_model(self._client, self._name)
            self._versions[self._key(run)] = self._client.create_model_version(
                self._name, f"runs:/{run_id}/{ADAPTER}", run_id, tags={RUN_TAG: self._key(run)}
            )
        return str(self._versions[self._key(run)].version)

    def set_version_fields(self, run: RunRecord, fields: Mapping[str, Value]) -> None:
        """Set the version's tags."""
        version = self._version(run)
        for name, value in fields.items():
            self._tag(version, name, as_text(value))

    def put_artifacts(self, run: RunRecord, artifacts: Mapping[str, Path]) -> None:
        """Upload the version's files next to the run's own artifacts."""
        self._version(run)
        run_id = self._run_id(run)
        own = {
            name: path for name, path in artifacts.items() if f"{ADAPTER}/{name}" not in run.files
        }
        with staged(own) as folder:
            self._call(f"upload {ADAPTER}", size_of(*own.values()))
            self._client.log_artifacts(run_id, str(folder), ADAPTER)

    def save_version_marks(self, run: RunRecord, marks: Marks) -> None:
        """Store the marks in a tag of the version."""
        self._tag(self._version(run), MARKS_TAG, json.dumps(marks))

    def _tag(self, version: str, name: str, value: str) -> None:
        self._call(f"set {name} of version {version}")
        self._client.set_model_version_tag(self._name, version, name, value)

    def in_production(self, run: RunRecord) -> bool:
        """Return whether a run's version was in production at the last refresh."""
        found = self._versions.get(self._key(run))
        return found is not None and found.tags.get(STAGE_TAG) == "production"

    def stage(self, run: RunRecord) -> Stage:
        """Return the stage of a run's version, if the alias agrees."""
        version = self._version(run)
        self._call("read the stage")
        found: Any = self._client.get_model_version(self._name, version)
        stage: Stage = found.current_stage.lower()
        tagged = found.tags.get(STAGE_TAG) == stage
        return stage if tagged and (stage != "production" or stage in found.aliases) else "none"

    def set_stage(self, run: RunRecord, stage: Stage) -> None:
        """Set stage, alias and tag: MLflow is phasing out stages."""
        self._version(run)
        self._set_stage(self._key(run), stage)

    def others(self, runs: Iterable[RunRecord]) -> dict[str, tuple[str, Stage]]:
        """Return candidate and stage of the versions of other runs, by the runs' local names."""
        own = {self._key(run) for run in runs}
        return {
            name: (version.tags.get("model/candidate", name), version.tags.get(STAGE_TAG, "none"))
            for name, version in self._versions.items()
            if name not in own
        }

    def set_stage_of_other(self, name: str, stage: Stage) -> None:
        """Set the stage of another run's version."""
        self._set_stage(name, stage)

    def _set_stage(self, name: str, stage: Stage) -> None:
        version = str(self._versions[name].version)
        self._call(f"read the stage of version {version}")
        aliases = self._client.get_model_version(self._name, version).aliases
        if stage != "production" and "production" in aliases:
            # before the tag: if interrupted here, the push is known to be unfinished
            self._call("delete the alias")
            self._client.delete_registered_model_alias(self._name, "production")
        self._call(f"put version {version} into {stage}")
        self._client.transition_model_version_stage(
            self._name,
            version,
            stage.capitalize(),
            archive_existing_versions=stage == "production",
        )
        self._tag(version, STAGE_TAG, stage)
        if stage == "production":
            self._call("set the alias")
            self._client.set_registered_model_alias(self._name, stage, version)
            for other in self._client.search_model_versions(f"name='{self._name}'"):
                if str(other.version) != version and other.tags.get(STAGE_TAG) == stage:
                    self._tag(str(other.version), STAGE_TAG, "archived")
            for known in self._versions.values():
                if str(known.version) != version and known.tags.get(STAGE_TAG) == stage:
                    known.tags[STAGE_TAG] = "archived"
