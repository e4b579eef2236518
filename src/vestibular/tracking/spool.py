"""The spool: a stage's log of its run, kept until a mirror reads it.

Each process writes its own file, `.vestibular/spool/<run>/<number>-<stage>.jsonl`: one JSON object
per line, the first one `start`, the last one `end` or `failure`. A file without such an end is that
of a killed process. `vestibular mirror` reads these files. Nothing here can make a stage fail: if a
line cannot be written, one message says so and the stage continues without its spool.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from vestibular.core.errors import GitError, NoRepositoryError, VestibularError
from vestibular.core.files import file_md5
from vestibular.core.version_control import run_git
from vestibular.core.work_folder import work_folder
from vestibular.tracking.checkpoints import PACKAGES
from vestibular.tracking.system_metrics import Sampler, capacities

SAMPLE_SECONDS = 5.0
"""Seconds between two measurements of the machine."""
EXPERIMENT = "DVC_EXP_NAME"
"""Variable in which DVC gives a stage the name of its experiment."""


def spool_folder() -> Path:
    """Return the folder that contains one folder per run."""
    return work_folder() / "spool"


def run_id(**inputs: object) -> str:
    """Return a hash of everything that defines a run, the same on any machine."""
    text = json.dumps(inputs, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Spool:
    """A process's own file; inactive before `open`."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._file: IO[str] | None = None
        """None before `open`, after `close`, and if the spool was given up."""
        self._lock = threading.Lock()
        """Guards the file between the stage and the watching thread."""
        self._wake = threading.Event()
        self._closing = False
        self._given_up = False
        self._thread: threading.Thread | None = None
        self._folder = Path()

    def open(
        self, run: str, candidate: str, settings: Mapping[str, object], **facts: object
    ) -> None:
        """Start the run's file with everything known before the work begins.

        Args:
            run: the run's name.
            candidate: the candidate's name.
            settings: the settings that the stage reads.
            facts: further facts.
        """
        self._folder = folder = spool_folder() / run
        with self._not_failing():
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _new_file(folder, self._stage)
            # held until this process ends, for whatever reason: readers see by it that the run is
            # alive
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.record(
                "start",
                run=run,
                candidate=candidate,
                stage=self._stage,
                settings=dict(settings),
                packages={name: version(name) for name in ("vestibular", *PACKAGES)},
                machine=capacities(),
                git=_git(),
                experiment=os.environ.get(EXPERIMENT, ""),
                **facts,
            )
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def record(self, event: str, **content: object) -> None:
        """Append a line; it reaches the disk soon after this returns.

        The watching thread waits for the disk, so that a training step does not.
        """
        line = {"event": event, "time": round(time.time(), 3), **content}
        with self._not_failing():
            text = json.dumps(finite(line), ensure_ascii=False, default=str)
            with self._lock:
                if self._file is not None:
                    self._file.write(text + "\n")
                    self._file.flush()
        self._wake.set()

    def point(self, step: int, values: Mapping[str, float]) -> None:
        """Append the values logged at an optimizer step."""
        self.record("point", step=step, values=dict(values))

    def epoch(self, number: int, seconds: float) -> None:
        """Append the duration of an epoch; the first is number 1."""
        self.record("epoch", epoch=number, seconds=round(seconds, 3))

    def files(self, kind: str, *paths: Path) -> None:
        """Name the files that the run has made, or all files in the given folders.

        The files stay in place; by their MD5, which is DVC's name for them, they are found in DVC's
        cache after another run has replaced them.
        """
        if self._file is None:
            return
        with self._not_failing():
            for path in paths:
                for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                    if file.is_file():
                        name = file.relative_to(path).as_posix() if file != path else path.name
                        md5 = file_md5(file)
                        self.record("file", kind=kind, name=name, path=str(file), md5=md5)

    def close(self, error: BaseException | None) -> None:
        """End the file with `end`, or with `failure` and its message."""
        if self._file is None:
            return
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        if error is None:
            self.record("end")
        else:
            kind = "" if isinstance(error, VestibularError) else f"{type(error).__name__}: "
            self.record("failure", message=f"{kind}{error}".rstrip(": "))
        with self._not_failing(), self._lock:
            if self._file is not None:
                os.fsync(self._file.fileno())
                self._file.close()
                self._file = None

    def _watch(self) -> None:
        with self._not_failing():
            with self._lock:
                if self._file is None:
                    return
                # a duplicate handle: the lock is not held while the disk works
                handle = os.dup(self._file.fileno())
            try:
                # psutil keeps its last measurement per thread, so all are made in this one
                self._watch_with(handle, Sampler(self._folder))
            finally:
                os.close(handle)

    def _watch_with(self, handle: int, sample: Callable[[], Mapping[str, float]]) -> None:
        due = time.monotonic() + SAMPLE_SECONDS
        while not self._closing:
            if self._wake.wait(max(0.0, due - time.monotonic())):
                self._wake.clear()
                if self._file is None:
                    return
                os.fsync(handle)
            if time.monotonic() >= due or self._closing:
                self.record("usage", values=sample())
                due = time.monotonic() + SAMPLE_SECONDS

    @contextlib.contextmanager
    def _not_failing(self) -> Any:
        """Give up the spool, with one message, instead of letting the stage fail with it."""
        try:
            yield
        except Exception as error:  # no fault of the spool may end the stage
            with self._lock:
                if self._given_up:
                    return
                self._given_up = True
                if self._file is not None:
                    # closing may retry the write that the disk has just refused
                    with contextlib.suppress(Exception):
                        self._file.close()
                self._file = None
            where = getattr(error, "filename", None) or spool_folder()
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            print(
                f"{where}: {said.lower()}; the work continues, but `vestibular mirror` will show "
                "this run cut off here",
                file=sys.stderr,
            )


def recorded(stage: str) -> Callable[[Callable[[Spool], None]], Callable[[], None]]:
    """Give a stage's `main` a spool, and close it when `main` ends."""

    def decorate(main: Callable[[Spool], None]) -> Callable[[], None]:
        @functools.wraps(main)
        def run() -> None:
            spool = Spool(stage)
            try:
                main(spool)
            except BaseException as error:
                spool.close(error)
                raise
            spool.close(None)

        return run

    return decorate


def finite(value: Any) -> Any:
    """Return a value in a form that JSON can hold: `nan`, `inf` and `-inf` become texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def _new_file(folder: Path, stage: str) -> IO[str]:
    number = len(list(folder.glob("*.jsonl")))
    while True:
        number += 1
        with contextlib.suppress(FileExistsError):
            return (folder / f"{number:04d}-{stage}.jsonl").open("x", encoding="utf-8")


def _git() -> dict[str, object]:
    """Return the commit, and whether a tracked file other than a result differs from it.

    If git does not open the repository, the reason is returned instead.
    """
    own = ["--", ".", ":!dvc.lock", ":!metrics"]
    try:
        commit = run_git("rev-parse", "HEAD")
        changed = run_git("status", "--porcelain", "--untracked-files=no", *own)
    except NoRepositoryError:
        return {}
    except GitError as error:
        return {"unknown": str(error)}
    if commit.returncode or changed.returncode:
        return {}
    return {"commit": commit.stdout.strip(), "dirty": bool(changed.stdout.strip())}
