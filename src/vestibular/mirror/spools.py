"""Runs read from their spools, possibly while these are being written."""

import contextlib
import fcntl
import itertools
import json
import os
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vestibular.mirror.naming import flatten
from vestibular.mirror.records import File, Point, RunRecord

SERIES = {
    "loss": "finetuning/train/loss",
    "validation_loss": "finetuning/eval/loss",
    "learning_rate": "finetuning/train/learning_rate",
    "gradient_norm": "finetuning/train/gradient_norm",
}
"""Fields of the loss curve, under the names used in the article that this project follows."""
EPOCHS = "finetuning/train/epoch_seconds"
"""Series of the epochs' durations in seconds, by epoch number."""
NOT_FINITE = ("nan", "inf", "-inf")
RUN_SETTINGS = ("seed", "prompt", "train", "base_model", "revision")
"""Settings that define a run; others are about its use."""


class SpoolFile:
    """One process's file: its events so far, and whether the process is alive."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.events: list[dict[str, Any]] = []
        self.broken_lines = 0
        self.alive = True

    def update(self) -> bool:
        """Read the complete lines written since the last call.

        Returns:
            whether there is anything new: a line, or the end of the process.
        """
        before = (self._read, self.alive)
        if not self.alive and self._path.stat().st_size == self._read:
            # the writer has ended
            return False
        with self._path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                # just created: testing its lock could keep the writer from taking it
                return False
            # before reading: whatever the process writes before it ends is then read below
            self.alive = not _lock_is_free(file.fileno())
            file.seek(self._read)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._read += whole
        for line in data[:whole].splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict) and "event" in event and "time" in event:
                self.events.append(event)
            else:
                self.broken_lines += 1
        return (self._read, self.alive) != before


class Spools:
    """All spools below a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, SpoolFile] = {}
        self._runs: dict[str, tuple[list[SpoolFile], RunRecord]] = {}

    def read(self) -> dict[str, RunRecord]:
        """Return the current runs by id.

        A run without news is the same object as before: do not modify it.
        """
        # forget deleted files: a new file may reuse a name
        known, self._files = self._files, {}
        before, self._runs = self._runs, {}
        for folder in sorted(path for path in self._folder.glob("*") if path.is_dir()):
            files, news = [], False
            for path in sorted(folder.glob("*.jsonl")):
                file = known.get(path) or SpoolFile(path)
                # the spool may have been deleted since it was listed
                with contextlib.suppress(FileNotFoundError):
                    news = file.update() or news
                    files.append(file)
                    self._files[path] = file
            files = [file for file in files if file.events]
            if not files:
                continue
            same_files, run = before.get(folder.name, ([], None))
            if run is None or news or same_files != files:
                run = _run(folder.name, files)
            self._runs[folder.name] = (files, run)
        return {name: run for name, (_, run) in self._runs.items()}


def _lock_is_free(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(handle, fcntl.LOCK_UN)
    return True


def _run(name: str, files: list[SpoolFile]) -> RunRecord:
    run = RunRecord(name, candidate=name)
    run.started = files[0].events[0]["time"]
    for file in files:
        stage = "finetuning"
        for event in file.events:
            if event["event"] == "start":
                stage = "finetuning" if event["stage"] == "train" else "evaluation"
                run.candidate = event["candidate"]
            _apply_event(run, stage, event)
        _tell_end(run, stage, file)
    run.fields["run/seconds"] = round(sum(_seconds_at_work(file.events) for file in files), 3)
    broken = sum(file.broken_lines for file in files)
    if broken:
        run.fields["run/broken_lines"] = float(broken)
    return run


def _seconds_at_work(events: Sequence[Mapping[str, Any]]) -> float:
    """Return how long processes ran, without the gaps between them."""
    pairs = itertools.pairwise(events)
    return float(sum(two["time"] - one["time"] for one, two in pairs if two["event"] != "start"))


def _apply_event(run: RunRecord, stage: str, event: Mapping[str, Any]) -> None:
    """Apply an event to the run."""
    kind, time = event["event"], event["time"]
    if kind == "start":
        settings = event["settings"]
        run.settings[stage] = settings
        run.base |= event.get("base", {})
        own = {key: settings[key] for key in RUN_SETTINGS if key in settings}
        rest = {key: value for key, value in settings.items() if key not in own}
        run.fields |= flatten("parameters", own)
        run.fields |= flatten(f"{stage}/settings", rest)
        run.fields |= flatten("environment/packages", event.get("packages", {}))
        run.fields |= flatten("environment/machine", event.get("machine", {}))
        run.fields |= flatten(f"environment/variables/{stage}", event.get("variables", {}))
        run.fields |= flatten("source_code", event.get("git", {}))
        run.fields |= flatten("base_model", event.get("base", {}))
        if "data" in event:
            run.fields["data/sha256"] = event["data"]
        if name := event.get("experiment"):
            _tell_experiment(run, name)
    elif kind == "model":
        run.fields |= flatten("base_model/configuration", event["configuration"])
    elif kind == "computing":
        run.fields |= flatten(f"environment/computing/{stage}", event["values"])
    elif kind == "point":
        for name, value in event["values"].items():
            known = SERIES.get(name, f"finetuning/train/{name}")
            add_point(run, known, event["step"], value, time)
    elif kind == "usage":
        for name, value in event["values"].items():
            add_point(run, f"monitoring/{name}", round(time - run.started), value, time)
    elif kind == "epoch":
        add_point(run, EPOCHS, event["epoch"], event["seconds"], time)
    elif kind == "trained":
        run.fields |= flatten("finetuning", event["values"])
    elif kind == "cost":
        run.fields |= flatten(f"{stage}/cost", measured(event["values"]))
    elif kind == "scores":
        run.fields |= flatten("evaluation", event["values"])
    elif kind == "file":
        folder = "finetuning/adapter" if event["kind"] == "adapter" else "evaluation/predictions"
        run.files[f"{folder}/{event['name']}"] = File(Path(event["path"]), event["md5"])


def _tell_experiment(run: RunRecord, name: str) -> None:
    """Name DVC's experiment; a training may belong to one, and its exam to a later one."""
    known = str(run.fields.get("run/experiment", ""))
    names = [*filter(None, known.split(", ")), name]
    run.fields["run/experiment"] = ", ".join(dict.fromkeys(names))


def measured(cost: Mapping[str, Any]) -> dict[str, Any]:
    """Return a cost without the values shown elsewhere: the epochs, and the run's times."""
    apart = ("epoch_seconds", "started", "ended")
    return {name: value for name, value in cost.items() if name not in apart}


def add_point(run: RunRecord, name: str, step: int, value: float | str, time: float) -> None:
    """Add a value to a series, or, if it is not finite, a field with the series' name.

    A step that is reported again, by a training resumed from a checkpoint, keeps its first time.
    """
    if value in NOT_FINITE:
        field = f"not_finite/{name.replace('/', '_')}"
        known = run.fields.get(field)
        said = f"step {step}: {value}"
        if known is None or said not in str(known):
            run.fields[field] = said if known is None else f"{known}, {said}"
        return
    point = Point(step, float(value), time)
    points = run.series.setdefault(name, [])
    if not points or points[-1].step < step:
        points.append(point)
        return
    place = bisect_left(points, step, key=lambda known: known.step)
    if points[place].step != step:
        points.insert(place, point)
    elif points[place].value != point.value:
        points[place] = point


def _tell_end(run: RunRecord, stage: str, file: SpoolFile) -> None:
    """Record how a process ended, or that it has not."""
    last = file.events[-1]
    run.ended = last["time"]
    if last["event"] == "end":
        run.state = "finished"
        run.fields.pop("run/failure", None)
    elif last["event"] == "failure":
        run.state = "failed"
        run.fields["run/failure"] = f"{stage}: {last['message']}"
    elif file.alive:
        run.state, run.ended = "running", None
    else:
        run.state = "killed"
        run.fields["run/failure"] = (
            f"{stage}: the process was killed before it could record its end"
        )
    run.fields["run/state"] = run.state
    run.fields["run/started"] = timestamp(run.started)
    if run.ended is not None:
        run.fields["run/ended"] = timestamp(run.ended)


def timestamp(seconds: float) -> str:
    """Return a time as text that sorts chronologically."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
