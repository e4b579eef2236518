"""A clone that holds one commit, and runs that commit's library with this project's cache.

It is a repository of its own: nothing that happens in it changes the project, which may go on being
edited. DVC's cache is the project's, by its absolute path, so that what is there need not be
fetched and what is committed there is found by the project.
"""

import contextlib
import os
import platform
import re
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from vestibular.core.errors import DataError, GitError
from vestibular.core.version_control import folder_in_repository, last_line, run_git
from vestibular.core.work_folder import work_folder

ANY_COMMIT = "git -c uploadpack.allowAnySHA1InWant=true upload-pack"
"""Serves commits that no branch leads to, as those of DVC's experiments."""
SITE_CACHE = "dvc-site"
"""Within a clone's folder: what DVC keeps beside a repository, which goes with the clone."""
REPOSITORY = "repository"
LINKS = ["reflink", "hardlink", "symlink", "copy"]
"""How a clone has files of the cache, the first way that the disk knows."""
NOT_CARRIED = ("DVC_ROOT", "GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE")
"""Variables with which DVC and git's hooks say where a repository is: another one."""
ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals with which the system asks a process to end."""
SECONDS_TO_END = 10.0
"""How long processes may take to end by themselves before they are killed."""


@dataclass(frozen=True)
class Clone:
    """One commit, checked out."""

    commit: str
    """The commit's full hash."""
    folder: Path
    """All that belongs to the clone, absolute."""
    project: Path
    """The project's top folder in it: the repository's, or a folder of that, absolute."""

    def environment(self) -> dict[str, str]:
        """Return the environment in which the clone's commands run.

        `python` is the one that runs now, and `vestibular` the clone's own sources if it has any:
        DVC hashes these, whatever is installed.
        """
        variables = {key: value for key, value in os.environ.items() if key not in NOT_CARRIED}
        variables["DVC_SITE_CACHE_DIR"] = str(self.folder / SITE_CACHE)
        variables["PATH"] = _joined(str(Path(sys.executable).parent), os.environ.get("PATH"))
        if (self.project / "src/vestibular").is_dir():
            own = str(self.project / "src")
            variables["PYTHONPATH"] = _joined(own, os.environ.get("PYTHONPATH"))
        return variables

    @contextlib.contextmanager
    def running(
        self, *command: str, output: IO[bytes] | int, errors: IO[bytes] | int
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a command in the clone; its processes end with the block, all of them."""
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=self.project,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            # a group of its own, which is ended as a whole
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _end_group(process)

    def run_dvc(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a DVC command in the clone; its failure is the caller's to judge."""
        command = [sys.executable, "-m", "dvc", *arguments]
        pipe = subprocess.PIPE
        with self.running(*command, output=pipe, errors=pipe) as process:
            said, complaints = process.communicate()
        return subprocess.CompletedProcess(
            command,
            process.returncode,
            said.decode("utf-8", "replace"),
            complaints.decode("utf-8", "replace"),
        )


def make_clone(commit: str, folder: Path) -> Clone:
    """Make a clone of one commit of the current project.

    Args:
        commit: the full hash; no branch need lead to it.
        folder: a new folder, which holds the clone and what its commands leave.

    Raises:
        DataError: the current folder is not the project's top folder.
        GitError: git does not do its part.
    """
    own = Path.cwd() / ".dvc"
    if not own.is_dir():
        raise DataError(f"{own}: not found; run the command in the project's top folder")
    place = folder_in_repository()
    repository = folder.resolve() / REPOSITORY
    repository.mkdir(parents=True)
    _git(repository, "init", "--quiet", "--template=")
    source = str(_top())
    _git(repository, "fetch", "--quiet", "--depth=1", f"--upload-pack={ANY_COMMIT}", source, commit)
    _git(repository, "-c", "advice.detachedHead=false", "checkout", "--quiet", "FETCH_HEAD")
    clone = Clone(commit, folder.resolve(), repository / place)
    if not (clone.project / ".dvc").is_dir():
        raise DataError(f"{commit[:7]}: holds no DVC project{f' in {place}' if place else ''}")
    _share_configuration(own, clone)
    return clone


@contextlib.contextmanager
def temporary_clone(commit: str) -> Iterator[Clone]:
    """Make a clone in `.vestibular/clones` that goes with the block, whatever ends it.

    A signal that asks this process to end is heard; what a killed process has left goes with the
    next clone.

    Raises:
        DataError: the current folder is not the project's top folder.
        GitError: git does not do its part.
    """
    folder = work_folder() / "clones"
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    own = folder / f"{platform.node()}-{os.getpid()}-{secrets.token_hex(4)}"
    with _ended_by_signals():
        try:
            yield make_clone(commit, own)
        finally:
            shutil.rmtree(own, ignore_errors=True)


def _remove_leftovers(folder: Path) -> None:
    # imported here: light commands make no clones
    import psutil

    for path in folder.iterdir():
        left = re.fullmatch(rf"{re.escape(platform.node())}-(\d+)-[0-9a-f]{{8}}", path.name)
        if left and not psutil.pid_exists(int(left[1])):
            shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """End the block with an exception where the system asks this process to end."""

    def end(number: int, _: FrameType | None) -> None:
        # as shells report it
        raise SystemExit(128 + number)

    # `nohup` has one of them ignored, and means it
    asked = [one for one in ENDING if signal.getsignal(one) is not signal.SIG_IGN]
    before = {number: signal.signal(number, end) for number in asked}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _share_configuration(own: Path, clone: Clone) -> None:
    """Give a clone what the project's DVC knows and git does not hold.

    A path is relative to the file that names it. Within the repository it leads to the clone's own
    copy of what it names; beyond it, to what the project means.
    """
    # imported here: it comes with DVC, which takes a second
    from dvc.config import Config

    configuration = Config(str(own))
    top = _top().resolve()
    shared = configuration.read("local")
    for name, remote in configuration.read("repo")["remote"].items():
        address = str(remote.get("url", ""))
        if Path(address).is_absolute() and not Path(address).resolve().is_relative_to(top):
            shared["remote"].setdefault(name, {}).setdefault("url", address)
    cache = configuration["cache"].get("dir") or own / "cache"
    shared["cache"]["dir"] = Path(cache).resolve()
    # what a clone takes from the cache costs neither time nor room
    shared["cache"]["type"] = LINKS
    # where this process looks at the clone through DVC's Python
    shared["core"]["site_cache_dir"] = clone.folder / SITE_CACHE
    with Config(str(clone.project / ".dvc")).edit("local") as edited:
        for section, values in shared.items():
            edited.setdefault(section, {}).update(_plain(values))


def _plain(value: object) -> object:
    """Return a configuration's values as texts: DVC writes a path of its own kind as relative."""
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [str(each) for each in value]
    return str(value) if isinstance(value, os.PathLike | str) else value


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End a process and all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)


def _joined(first: str, rest: str | None) -> str:
    return f"{first}{os.pathsep}{rest}" if rest else first


def _top() -> Path:
    """Return the top folder of the repository that holds the current folder."""
    asked = run_git("rev-parse", "--show-toplevel")
    if asked.returncode:
        raise GitError(f"git: {last_line(asked.stderr)}")
    return Path(asked.stdout.rstrip("\n"))


def _git(folder: Path, *arguments: str) -> None:
    done = run_git(*arguments, folder=folder)
    if done.returncode:
        raise GitError(f"git: {last_line(done.stderr)}")
