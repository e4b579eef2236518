"""One round of a push: everything that a target lacks, item by item."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from vestibular.core.errors import DataError
from vestibular.mirror.files import find_file
from vestibular.mirror.records import File, ModelVersion, Point, RunRecord, Stage, Value
from vestibular.mirror.spools import SERIES
from vestibular.mirror.target import Marks, Target, staged

CHUNK = 1000
"""Number of points of a series that are pushed, and marked, at a time."""

Outcome = Literal["pushed", "there", "failed"]
Report = Callable[[RunRecord, str, Outcome, str], None]


@dataclass(frozen=True)
class Item:
    """A part of a run that is pushed and recognized as a unit."""

    name: str
    mark: str
    push: Callable[[], None]


class Pusher:
    """Pushes runs to a target, and reports each item's outcome."""

    def __init__(self, target: Target, report: Report, everything: bool) -> None:
        self._target = target
        self._report = report
        self._everything = everything
        self._incomplete: set[str] = set()
        self._errors: tuple[type[Exception], ...] = (*target.errors, DataError, OSError)

    def push(self, run: RunRecord) -> None:
        """Push what the target lacks of a run, and of its version.

        What was deleted in the service stays deleted.
        """
        try:
            self._target.settle(run, partial(_doubtful, run))
        except self._errors as error:
            self._incomplete.add(run.id)
            self._report(run, "run", "failed", one_line(error))
            return
        if advice := self._target.deleted(run):
            self._incomplete.add(run.id)
            self._report(run, "run", "failed", f"has been deleted there; {advice}")
            return
        marks = {} if self._everything else self._target.run_marks(run)

        def save() -> None:
            self._target.save_run_marks(run, marks)

        for item in self._items(run, marks, save):
            self._one(run, item, marks, save)
        version = run.version
        if version is not None:
            self._push_version(run, version)
        self._target.close_run(run)

    def push_stage(self, run: RunRecord) -> None:
        """Set the stage of a run's version, once the version itself is there.

        A version without a stage is left as it is, except if the service has it in production:
        there our stage applies.
        """
        if run.version is None:
            return
        wanted = run.version.stage
        leaves = wanted == "none"
        if leaves:
            if not self._target.in_production(run):
                return
            wanted = "archived"
        name = f"stage {wanted}"
        if run.id in self._incomplete and not leaves:
            self._report(run, name, "failed", "only after the version is complete")
            return
        try:
            there = self._target.stage(run) == wanted
            if not there:
                self._target.set_stage(run, wanted)
            self._report(run, name, "there" if there else "pushed", "")
        except self._errors as error:
            self._report(run, name, "failed", one_line(error))

    def push_other_stages(self, runs: Sequence[RunRecord], production: str | None) -> None:
        """Set the registry's stages for versions of runs that are not here.

        A candidate that was trained again, here or on another machine, leaves earlier versions
        behind; they stay in production only if the registry says so.

        Args:
            runs: the runs that are here; their versions have their stages already.
            production: the run in production; empty if there is none, None if unknown.
        """
        # the current version stays in production until its successor is complete
        if production is None or production in self._incomplete:
            return
        here = any(run.id == production for run in runs)
        for name, (candidate, stage) in self._target.others(runs).items():
            wanted: Stage = stage
            if name == production and not here:
                wanted = "production"
            elif stage == "production":
                wanted = "archived"
            if wanted == stage:
                continue
            run, item = RunRecord(name, candidate), f"stage {wanted}"
            try:
                self._target.set_stage_of_other(name, wanted)
                self._report(run, item, "pushed", "")
            except self._errors as error:
                self._report(run, item, "failed", one_line(error))

    def _one(self, run: RunRecord, item: Item, marks: Marks, save: Callable[[], None]) -> None:
        if marks.get(item.name) == item.mark:
            self._report(run, item.name, "there", "")
            return
        try:
            item.push()
            marks[item.name] = item.mark
            save()
        except self._errors as error:
            self._report(run, item.name, "failed", one_line(error))
            if item.name.startswith("version "):
                self._incomplete.add(run.id)
        else:
            self._report(run, item.name, "pushed", "")

    def _items(self, run: RunRecord, marks: Marks, save: Callable[[], None]) -> Iterator[Item]:
        groups: dict[str, dict[str, Value]] = {}
        for name, value in run.fields.items():
            groups.setdefault(name.split("/")[0], {})[name] = value
        for group, fields in groups.items():
            key = f"fields {group}"
            mark = _once(run, key, partial(digest, fields))
            yield Item(key, mark, partial(self._fields, run, fields))
        for name, points in run.series.items():
            key = f"series {name}"
            mark = _once(run, key, partial(_series_mark, points, len(points)))
            yield Item(key, mark, partial(self._series, run, name, points, marks, save))
        for name, file in run.files.items():
            yield Item(
                f"file {name}",
                file.md5[:8],
                partial(self._file, run, name, file),
            )
        yield Item("state", digest([run.state, run.ended]), partial(self._target.set_state, run))

    def _file(self, run: RunRecord, name: str, file: File) -> None:
        self._target.put_file(run, name, _found(file))

    def _fields(self, run: RunRecord, fields: Mapping[str, Value]) -> None:
        """Set fields; a text that is too long is truncated, with the full text in a file."""
        limit = self._target.text_limit
        cut = {}
        for name, value in fields.items():
            if isinstance(value, str) and len(value) > limit:
                cut[name] = f"{value[: limit - 1]}…"
                with staged({}) as folder:
                    path = folder / "text.txt"
                    path.write_text(value, encoding="utf-8")
                    self._target.put_file(run, f"long_texts/{name.replace('/', '_')}.txt", path)
        self._target.set_fields(run, {**fields, **cut})

    def _series(
        self,
        run: RunRecord,
        name: str,
        points: list[Point],
        marks: Marks,
        save: Callable[[], None],
    ) -> None:
        """Push a series from the position given by its mark."""
        key = f"series {name}"
        done = _points_done(points, marks.get(key))
        so_far = _hash(points[:done])
        for start in range(done, len(points), CHUNK):
            chunk = points[start : start + CHUNK]
            self._target.add_points(run, name, chunk)
            so_far = _hash(chunk, so_far)
            if start + len(chunk) < len(points):
                marks[key] = _mark(start + len(chunk), so_far)
                save()

    def _push_version(self, run: RunRecord, version: ModelVersion) -> None:
        target = self._target
        marks = {} if self._everything else target.version_marks(run)

        def save() -> None:
            target.save_version_marks(run, marks)

        def put() -> None:
            found = {name: _found(file) for name, file in version.artifacts.items()}
            target.put_artifacts(run, found)

        content = {name: file.md5 for name, file in version.artifacts.items()}
        for item in (
            Item(
                "version fields",
                digest(version.fields),
                lambda: target.set_version_fields(run, version.fields),
            ),
            Item("version artifacts", digest(content), put),
        ):
            self._one(run, item, marks, save)


def _once(run: RunRecord, item: str, make: Callable[[], str]) -> str:
    """Return the hash of a run's item, cached in the run."""
    if item not in run.hashes:
        run.hashes[item] = make()
    return run.hashes[item]


def digest(value: object) -> str:
    """Return a short hash of a value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _series_mark(points: list[Point], count: int) -> str:
    return _mark(count, _hash(points[:count]))


def _mark(count: int, so_far: "hashlib._Hash") -> str:
    return f"{count}:{so_far.hexdigest()[:12]}"


def _hash(points: list[Point], so_far: "hashlib._Hash | None" = None) -> "hashlib._Hash":
    """Return a hash of points that continues a hash of earlier ones."""
    result = so_far.copy() if so_far else hashlib.sha256()
    for point in points:
        result.update(f"{point.step} {point.value!r}\n".encode())
    return result


def _points_done(points: list[Point], mark: str | None) -> int:
    """Return how many points are there according to a mark; 0 if it is about other points."""
    count = int((mark or "0").split(":")[0])
    return count if mark == _series_mark(points, count) else 0


def _doubtful(run: RunRecord, marks: Marks) -> list[str]:
    """Return the series of a curve whose beginning the marks do not prove."""
    curve = {name: run.series[name] for name in SERIES.values() if name in run.series}
    return [
        name
        for name, all_of in curve.items()
        if not _points_done(all_of, marks.get(f"series {name}"))
    ]


def _found(file: File) -> Path:
    path = find_file(file)
    if path is None:
        raise DataError(
            f"{file.path}: missing or changed since the run, and not in DVC's cache; `dvc "
            "checkout` or `dvc pull` may restore it"
        )
    return path


def one_line(error: BaseException) -> str:
    """Return the relevant line of an error, without terminal colours."""
    lines = [line.strip() for line in _plain(str(error)).splitlines()]
    said = [line for line in lines if line and not set(line) <= set("-=*# ")]
    # Neptune's messages begin with a line that contains only the exception's name
    if len(said) > 1 and said[0].replace("-", "").isidentifier():
        said = said[1:]
    return said[0] if said else type(error).__name__


def _plain(text: str) -> str:
    for colour in range(108):
        text = text.replace(f"\033[{colour}m", "")
    return text
