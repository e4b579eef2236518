"""`vestibular new`: turns a folder into a project, in a new or an existing git repository.

Nothing is written before all names are known to be free: existing files stay as they are.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vestibular.core.errors import DataError, GitError, NoRepositoryError
from vestibular.core.installed import library_version
from vestibular.core.version_control import (
    git_output,
    last_line,
    missing_identity,
    run_dvc,
    run_git,
)
from vestibular.scaffold.record import (
    RECORD,
    Record,
    code_files,
    requirement_file,
    write_texts,
)
from vestibular.scaffold.template import (
    GRAPH,
    README,
    SETTINGS,
    maintained_files,
    packages_of,
    started_files,
)

LIBRARY_SOURCES = "src/vestibular/scaffold"
"""Folder that only a clone of the library's own repository has."""
DVC = ".dvc"
"""DVC's own folder in a project."""


@dataclass(frozen=True)
class Created:
    """Result of the creation."""

    inside: Path | None
    """Top of an existing git repository; None if a new one was made."""
    kept: tuple[str, ...]
    """Existing files that were kept."""
    committed: bool
    not_committed: str
    """Why the files were not committed; empty if they were."""


def create(folder: Path, demo: bool) -> Created:
    """Turn a folder into a project.

    Args:
        folder: a new folder, an empty one, or one without files of the same names.
        demo: whether to include the demo's questions, base models and settings.

    Raises:
        DataError: a file is in the way, or the folder is not suitable.
        GitError: git or DVC fails.
    """
    maintained = maintained_files()
    names = packages_of(maintained[GRAPH])
    texts = {
        **maintained,
        **code_files(names),
        **requirement_file(),
        RECORD.as_posix(): Record.of(maintained, names).to_text(),
    }
    started = started_files(demo)
    # the demo has settings of its own
    own = (README,) if demo else (README, SETTINGS)
    kept = tuple(name for name in own if (folder / name).exists())
    for name in kept:
        del started[name]
    written = sorted({*texts, *started})
    _check_free(folder, written)
    top = _repository_above(folder)
    if top is not None:
        _check_place(folder, top, written)
    with _undone_on_failure(folder, written):
        folder.mkdir(parents=True, exist_ok=True)
        if top is None:
            git_output("init", "--quiet", "--initial-branch=main", folder=folder)
        below = top is not None and top.resolve() != folder.resolve()
        done = run_dvc("init", *(["--subdir"] if below else []), folder=folder)
        if done.returncode:
            raise GitError(f"dvc init: {' '.join(done.stderr.split())}")
        for name, content in started.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        write_texts(folder, texts)
        git_output("add", "--", *written, folder=folder)
    why = _commit(folder, written)
    return Created(inside=top, kept=kept, committed=not why, not_committed=why)


def _check_free(folder: Path, names: list[str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; name a new folder")
    # a broken link is in the way too
    taken = [name for name in names if os.path.lexists(folder / name)]
    parents = sorted({parent.as_posix() for name in names for parent in Path(name).parents})
    taken += [
        name for name in parents if os.path.lexists(folder / name) and not (folder / name).is_dir()
    ]
    if (folder / DVC).exists():
        taken.insert(0, DVC)
    if taken:
        more = f" and {len(taken) - 3} more" if len(taken) > 3 else ""
        raise DataError(
            f"{folder}: {', '.join(taken[:3])}{more}: exists already, and nothing is overwritten; "
            "name a new folder"
        )
    above = next((each for each in folder.resolve().parents if each.exists()), None)
    if above is not None and not above.is_dir():
        raise DataError(f"{above}: is a file; name another folder")


def _repository_above(folder: Path) -> Path | None:
    """Return the top of the git repository that contains or will contain a folder; None without."""
    whole = folder.resolve()
    there = next(each for each in (whole, *whole.parents) if each.is_dir())
    try:
        return Path(git_output("rev-parse", "--show-toplevel", folder=there).rstrip("\n"))
    except NoRepositoryError:
        return None


def _check_place(folder: Path, top: Path, names: list[str]) -> None:
    """Check that a repository tracks a folder's files, and that a tag can contain its name."""
    if (top / LIBRARY_SOURCES).is_dir():
        raise DataError(
            f"{folder}: is inside {top}, a clone of the library's own repository; name a folder "
            "outside it"
        )
    place = folder.resolve().relative_to(top.resolve()).as_posix()
    asked = run_git("check-ignore", "--", *(f"{place}/{name}" for name in names), folder=top)
    if asked.returncode == 0:
        ignored = asked.stdout.splitlines()[0]
        raise DataError(
            f"{folder}: git ignores {ignored} (`git check-ignore --verbose {ignored}` names the "
            "rule); change the rule, or name another folder"
        )
    if place == ".":
        return
    tag = f"refs/tags/{place}=qa-model@v0.1.0"
    # GTO's own rule is stricter than git's
    plain = re.fullmatch(r"[a-zA-Z0-9-_./]+", place)
    if not plain or run_git("check-ref-format", tag, folder=top).returncode:
        raise DataError(
            f"{folder}: the registry's tags begin with the folder's path in the repository, "
            f"{place!r}, but GTO's tags may contain only English letters, digits and - _ . / (no "
            "part may begin with a dot); name another folder"
        )


@contextlib.contextmanager
def _undone_on_failure(folder: Path, names: list[str]) -> Iterator[None]:
    """Remove everything that was created if the creation fails, and nothing else.

    Args:
        folder: the project's folder, which may have existed before.
        names: files to be written; none of them exists yet.
    """
    made = [folder / name for name in (".git", DVC, *names) if not (folder / name).exists()]
    above = {parent for path in made for parent in path.parents if not parent.exists()}
    try:
        yield
    except BaseException:
        if folder.is_dir():
            # DVC stages its own files too
            with contextlib.suppress(GitError):
                run_git("reset", "--quiet", "--", DVC, *names, folder=folder)
        # whatever cannot be undone, the original failure is reported
        for path in made:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
        for parent in sorted(above, key=lambda each: -len(each.parts)):
            # a folder that contains anything else stays
            with contextlib.suppress(OSError):
                parent.rmdir()
        raise


def _commit(folder: Path, names: list[str]) -> str:
    """Commit the project's files and no others; return why not, or an empty text."""
    if missing_identity(folder):
        return "git does not know who you are"
    message = f"Start a project of vestibular {library_version()}"
    done = run_git("commit", "--quiet", f"--message={message}", "--", *names, folder=folder)
    return last_line(done.stderr or done.stdout) if done.returncode else ""
