"""Neptune as a target: any server with the interface of Neptune 2.x, through its client.

The client is used in synchronous mode: when a call returns, the server has the data.
"""

import contextlib
import json
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vestibular.mirror.neptune_values import (
    QUIET,
    STOP_SECONDS,
    Known,
    cell,
    how_to_delete,
    make_model,
    run_rows,
)
from vestibular.mirror.pushing import one_line
from vestibular.mirror.records import Point, RunRecord, Stage, Value
from vestibular.mirror.target import Call, Marks, TargetGoneError, read_marks, size_of, staged

MARKS = "mirror/marks"
NAME = "mirror/run"
"""Field with our own name of a run: a run in the trash loses its original custom id."""
RUN = "model/run"
MODEL_NAME = "model/model-name"


class NeptuneTarget:
    """A project's runs, and the versions of one model."""

    # the client truncates texts at 16,384
    text_limit = 16_000

    def __init__(self, call: Call, model_key: str) -> None:
        """Connect; the client takes project and token from the environment."""
        import neptune
        from bravado.exception import HTTPError
        from neptune.exceptions import (
            NeptuneConnectionLostException,
            NeptuneException,
            NeptuneInvalidApiTokenException,
            Unauthorized,
        )
        from requests.exceptions import RequestException

        logging.getLogger("neptune").setLevel(logging.CRITICAL)
        self._neptune = neptune
        self._gone = (
            NeptuneConnectionLostException,
            NeptuneInvalidApiTokenException,
            Unauthorized,
            RequestException,
        )
        self.errors: tuple[type[Exception], ...] = (NeptuneException, HTTPError)
        self._call = call
        self._model_key = model_key
        self._model = ""
        self._marks: dict[str, str] = {}
        self._named: set[str] = set()
        self._deleted: dict[str, str] = {}
        """Neptune's names of runs in its trash, by our names."""
        self._versions: dict[str, Known] = {}
        self._unfinished: list[Known] = []
        self._open: dict[str, Any] = {}
        with self._asking("connect"):
            try:
                self._project = neptune.init_project(mode="read-only")
            except self.errors as error:
                raise TargetGoneError(one_line(error)) from None

    @contextlib.contextmanager
    def _asking(self, what: str, size: int = 0) -> Iterator[None]:
        self._call(what, size)
        try:
            yield
        except self._gone as error:
            raise TargetGoneError(f"{one_line(error)} ({what})") from None

    def refresh(self) -> None:
        """Read all existing runs and versions."""
        with self._asking("list the runs"):
            rows = run_rows(self._project, [NAME, "sys/custom_run_id", MARKS], trashed=False)
            self._marks = {cell(row, "sys/custom_run_id"): cell(row, MARKS) for row in rows}
            self._named = {cell(row, NAME) for row in rows}
        with self._asking("list the trash"):
            rows = run_rows(self._project, ["sys/id", NAME], trashed=True)
            self._deleted = {cell(row, NAME): cell(row, "sys/id") for row in rows}
        for name in [name for name in self._open if name not in self._marks]:
            # its open handle still refers to the deleted run
            with contextlib.suppress(*self.errors):
                self._open.pop(name).stop(seconds=STOP_SECONDS)
        with self._asking("list the models"):
            models = self._project.fetch_models_table(columns=["sys/id"], progress_bar=False)
            names = [cell(row, "sys/id") for row in models.to_rows()]
        self._model = next((name for name in names if name.endswith(f"-{self._model_key}")), "")
        self._versions, self._unfinished = {}, []
        if self._model:
            self._list_versions()

    def _list_versions(self) -> None:
        with self._asking("list the versions"):
            model = self._neptune.init_model(with_id=self._model, mode="read-only")
            columns = ["sys/id", "sys/name", "sys/stage", RUN, MODEL_NAME, MARKS]
            table = model.fetch_model_versions_table(columns=columns, progress_bar=False)
            rows = table.to_rows()
            model.stop(seconds=STOP_SECONDS)
        for row in rows:
            cells = (cell(row, name) for name in ("sys/id", "sys/name", "sys/stage", MARKS))
            known = Known(*cells)
            if cell(row, RUN):
                self._versions.setdefault(cell(row, RUN), known)
            elif not cell(row, MODEL_NAME):
                # created by a push that was interrupted before it could name the run
                self._unfinished.append(known)

    def deleted(self, run: RunRecord) -> str | None:
        """Return what to do about a run that is in Neptune's trash; None if it is not."""
        if run.id in self._marks or run.id not in self._deleted:
            return None
        return how_to_delete(os.environ["NEPTUNE_PROJECT"], self._deleted[run.id])

    def run_marks(self, run: RunRecord) -> Marks:
        """Return a run's marks; empty if Neptune does not have the run."""
        return read_marks(self._marks.get(run.id))

    def settle(self, run: RunRecord, doubtful: Callable[[Marks], Collection[str]]) -> None:
        """Do nothing: in Neptune a step has a single value, that of the newest training."""

    def _run(self, run: RunRecord) -> Any:
        """Open a run, or create it: the server has one run per custom id."""
        if run.id not in self._open:
            with self._asking("open the run"):
                self._open[run.id] = self._neptune.init_run(
                    custom_run_id=run.id,
                    name=run.candidate,
                    tags=[run.candidate],
                    **QUIET,
                )
            if run.id not in self._named:
                self._set(self._open[run.id], {NAME: run.id})
                self._named.add(run.id)
        return self._open[run.id]

    def set_fields(self, run: RunRecord, fields: Mapping[str, Value]) -> None:
        """Set single values."""
        self._set(self._run(run), fields)

    def _set(self, container: Any, fields: Mapping[str, Value]) -> None:
        for name, value in fields.items():
            with self._asking(f"set {name}"):
                container[name].assign(value)

    def add_points(self, run: RunRecord, name: str, points: list[Point]) -> None:
        """Write points; existing steps are overwritten."""
        container = self._run(run)
        with self._asking(f"log {name}"):
            container[name].extend(
                [point.value for point in points],
                steps=[point.step for point in points],
                timestamps=[point.time for point in points],
            )

    def put_file(self, run: RunRecord, name: str, path: Path) -> None:
        """Upload a file."""
        container = self._run(run)
        asking = self._asking(f"upload {name}", size_of(path))
        with staged({Path(name).name: path}) as folder, asking:
            container[name].upload(str(folder / Path(name).name))

    def set_state(self, run: RunRecord) -> None:
        """Set whether the run failed; everything else about its end is in its fields."""
        container = self._run(run)
        with self._asking("set the state"):
            container["sys/failed"] = run.state in ("failed", "killed")

    def save_run_marks(self, run: RunRecord, marks: Marks) -> None:
        """Store the marks in a field of the run."""
        self._set(self._run(run), {MARKS: json.dumps(marks)})

    def close_run(self, run: RunRecord) -> None:
        """Close what is open of a run, except for a run in progress, which is needed again soon."""
        keys = [f"version {run.id}", *([] if run.state == "running" else [run.id])]
        for key in keys:
            if key in self._open:
                with self._asking("close"):
                    self._open.pop(key).stop(seconds=STOP_SECONDS)

    def version_marks(self, run: RunRecord) -> Marks:
        """Return the marks of a run's version; empty if there is no version yet."""
        known = self._versions.get(run.id)
        return read_marks(known.marks) if known else {}

    def _version(self, run: RunRecord) -> Any:
        """Open a run's version, or create it; the first one also creates the model."""
        key = f"version {run.id}"
        if key in self._open:
            return self._open[key]
        known = self._versions.get(run.id)
        if known is None and self._unfinished:
            known = self._unfinished.pop()
        if known is not None:
            container = self._open_version(known.sys_id, run.candidate)
        else:
            model = self._existing_model()
            with self._asking("create the version"):
                container = self._neptune.init_model_version(
                    model=model, name=run.candidate, mode="sync"
                )
                sys_id = str(container["sys/id"].fetch())
            known = Known(sys_id, run.candidate, "none", "")
        self._open[key] = container
        if run.id not in self._versions:
            # first of all: after an interruption the next push finds its version by this field
            self._set(container, {RUN: run.id})
            self._versions[run.id] = known
        return container

    def _existing_model(self) -> str:
        if not self._model:
            with self._asking("create the model"):
                self._model = make_model(self._neptune, self._model_key)
        return self._model

    def _open_version(self, sys_id: str, name: str) -> Any:
        with self._asking("open the version"):
            # without a name the client calls the version "Untitled"
            return self._neptune.init_model_version(with_id=sys_id, name=name, mode="sync")

    def set_version_fields(self, run: RunRecord, fields: Mapping[str, Value]) -> None:
        """Set the version's fields."""
        self._set(self._version(run), fields)

    def put_artifacts(self, run: RunRecord, artifacts: Mapping[str, Path]) -> None:
        """Upload the version's files as one set, replacing the existing one."""
        container = self._version(run)
        asking = self._asking("upload model/artifacts", size_of(*artifacts.values()))
        with staged(artifacts) as folder, asking:
            if container.exists("model/artifacts"):
                container["model/artifacts"].delete_files(sorted(artifacts))
            # file by file: for a folder elsewhere the client prefixes names with "./"
            container["model/artifacts"].upload_files([str(folder / name) for name in artifacts])

    def save_version_marks(self, run: RunRecord, marks: Marks) -> None:
        """Store the marks in a field of the version."""
        self._set(self._version(run), {MARKS: json.dumps(marks)})

    def in_production(self, run: RunRecord) -> bool:
        """Return whether a run's version was in production at the last refresh."""
        return run.id in self._versions and self._versions[run.id].stage == "production"

    def stage(self, run: RunRecord) -> Stage:
        """Return the stage of a run's version."""
        return self._versions[run.id].as_stage if run.id in self._versions else "none"

    def set_stage(self, run: RunRecord, stage: Stage) -> None:
        """Set a version's stage; another version in production is archived."""
        container = self._version(run)
        with self._asking(f"put the version into {stage}"):
            container.change_stage(stage)
        if stage == "production":
            self._archive_others(run.id)
        self._versions[run.id].stage = stage
        self.close_run(run)

    def others(self, runs: Iterable[RunRecord]) -> dict[str, tuple[str, Stage]]:
        """Return candidate and stage of the versions of other runs, by the runs' names."""
        own = {run.id for run in runs}
        return {
            name: (known.name, known.as_stage)
            for name, known in self._versions.items()
            if name not in own
        }

    def set_stage_of_other(self, name: str, stage: Stage) -> None:
        """Set the stage of another run's version."""
        known = self._versions[name]
        opened = self._open_version(known.sys_id, known.name)
        with self._asking(f"put version {known.sys_id} into {stage}"):
            opened.change_stage(stage)
            opened.stop(seconds=STOP_SECONDS)
        known.stage = stage
        if stage == "production":
            self._archive_others(name)

    def _archive_others(self, name: str) -> None:
        """Archive versions of other runs that are in production."""
        for other, known in self._versions.items():
            if other != name and known.stage == "production":
                self.set_stage_of_other(other, "archived")
