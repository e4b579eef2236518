"""What becomes of a project's files when the library brings newer ones."""

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
    """A file that a newer library has in other words."""

    name: str
    kind: Kind
    """`updated`: it was as the library wrote it; `merged`: the user's own changes are in it;
    `conflict`: where both changed the same lines, both stand there, marked as git does; `kept`:
    the library has it no more, or the user has removed it, and it stays as the user has it."""
    text: str | None
    """New text; None for a file that goes, or stays."""


def changes(before: Mapping[str, str], after: Mapping[str, str], folder: Path) -> list[Change]:
    """Say what becomes of each file; nothing is written.

    Args:
        before: texts as the library wrote them last, by path.
        after: texts as it has them now.
        folder: the project.

    Raises:
        DataError: a new file would take the place of one that the library did not write.
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
        raise DataError(f"{path}: not UTF-8 ({error.reason}); convert it to merge it") from None


def _change(name: str, before: str | None, after: str | None, mine: str | None) -> Change | None:
    if after in (before, mine):
        return None
    if before is None and mine is not None:
        raise DataError(
            f"{name}: the newer library brings a file of this name, and yours is not overwritten; "
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
    """Merge two changes of one text as git does; say whether no line was changed by both.

    Raises:
        GitError: git does not merge, for one since a text is none.
    """
    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch, name) for name in ("mine", "before", "after")]
        for path, text in zip(paths, (mine, before, after), strict=True):
            path.write_bytes(text.encode())
        labels = [f"-L{label}" for label in ("yours", "the library before", "the library now")]
        done = run_git("merge-file", "-p", "--diff3", *labels, *map(str, paths))
    # the number of conflicts, 127 at most
    if done.returncode > 127 or done.returncode < 0:
        raise GitError(f"git merge-file: {last_line(done.stderr)}")
    return done.stdout, done.returncode == 0
