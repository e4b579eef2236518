"""Merging of a project's files with a newer library's."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vestibular.core.errors import DataError, GitError
from vestibular.core.version_control import last_line, run_git

Kind = Literal["added", "updated", "merged", "conflict", "removed", "kept"]


@dataclass(frozen=True)
class Change:
    """A file whose text changes with a newer library."""

    name: str
    kind: Kind
    """`updated`: it was as the library wrote it; `merged`: it includes the user's own changes;
    `conflict`: both changed the same lines, and both versions are there, marked as in git; `kept`:
    the library no longer has it, or the user has removed it, and it stays as the user has it."""
    text: str | None
    """New text; None for a file that is deleted or kept."""


def changes(before: Mapping[str, str], after: Mapping[str, str], folder: Path) -> list[Change]:
    """Return what happens to each file; nothing is written.

    Args:
        before: texts as last written by the library, by path.
        after: current texts of the library.
        folder: the project.

    Raises:
        DataError: a new file would replace one that the library did not write.
        GitError: git does not merge.
    """
    found = []
    for name in sorted({*before, *after}):
        change = _change(name, before.get(name), after.get(name), _text(folder / name))
        if change is not None:
            found.append(change)
    return found


def _text(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not UTF-8 ({error.reason}); convert it so that it can be merged"
        ) from None


def _change(name: str, before: str | None, after: str | None, mine: str | None) -> Change | None:
    if after in (before, mine):
        return None
    if before is None and mine is not None:
        raise DataError(
            f"{name}: the newer library has a file of this name, and yours is not overwritten; "
            "move it elsewhere, and run the command again"
        )
    if before is None:
        return Change(name, "added", after)
    if mine is None or (after is None and mine != before):
        return Change(name, "kept", None)
    if after is None:
        return Change(name, "removed", None)
    if mine == before:
        return Change(name, "updated", after)
    text, clean = merged(mine, before, after)
    return Change(name, "merged" if clean else "conflict", text)


def merged(mine: str, before: str, after: str) -> tuple[str, bool]:
    """Merge two changes of one text as git does; return whether there was no conflict.

    Raises:
        GitError: git does not merge, for example because the content is not text.
    """
    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch, name) for name in ("mine", "before", "after")]
        for path, text in zip(paths, (mine, before, after), strict=True):
            path.write_bytes(text.encode())
        labels = [
            f"-L{label}" for label in ("yours", "the previous library", "the current library")
        ]
        done = run_git("merge-file", "-p", "--diff3", *labels, *map(str, paths))
    # the exit status is the number of conflicts, at most 127
    if done.returncode > 127 or done.returncode < 0:
        raise GitError(f"git merge-file: {last_line(done.stderr)}")
    return done.stdout, done.returncode == 0
