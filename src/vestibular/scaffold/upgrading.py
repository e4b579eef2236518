"""`vestibular upgrade`: brings a project to the installed library."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vestibular.core.errors import DataError, NoRepositoryError
from vestibular.core.installed import CODE, library_version
from vestibular.core.version_control import run_git
from vestibular.scaffold.merging import Change, changes
from vestibular.scaffold.record import (
    RECORD,
    Record,
    code_files,
    requirement_file,
    write_texts,
)
from vestibular.scaffold.template import GRAPH, maintained_files, packages_of


@dataclass(frozen=True)
class Upgrade:
    """Changes made by an upgrade."""

    before: str
    """Previous version of the project's library."""
    after: str
    packages: tuple[str, ...]
    """Packages with changed content that stages depend on."""
    files: tuple[Change, ...]

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Files in which the user and the library changed the same lines."""
        return tuple(change.name for change in self.files if change.kind == "conflict")


def upgrade() -> Upgrade:
    """Update the current project's files to the installed library; change nothing else.

    Raises:
        DataError: this is not a project, a file has uncommitted changes, or a user's file is in the
            way.
        GitError: git fails.
    """
    record = Record.here()
    here, after = Path(), maintained_files()
    files = changes(record.texts(), after, here)
    graph = next((each.text for each in files if each.name == GRAPH and each.text), None)
    if graph is None:
        graph = Path(GRAPH).read_text(encoding="utf-8")
    names = packages_of(graph)
    code = code_files(names)
    foreign = [
        name
        for name, text in code.items()
        if Path(name).name not in record.packages
        and Path(name).exists()
        and _differs(Path(name), text)
    ]
    if foreign:
        raise DataError(
            f"{', '.join(foreign)}: not written by `vestibular`, and not overwritten; move it "
            "elsewhere, and run the command again"
        )
    changed = tuple(Path(name).name for name, text in code.items() if _differs(Path(name), text))
    _check_committed(each.name for each in files if each.kind != "kept")
    texts = {each.name: each.text for each in files if each.text is not None}
    write_texts(here, {**texts, **code})
    for name in (each.name for each in files if each.kind == "removed"):
        Path(name).unlink()
    for name in set(record.packages) - set(names):
        (CODE / name).unlink(missing_ok=True)
    # written last, so that an interrupted upgrade is repeated
    content = Record.of(after, names).to_text()
    write_texts(here, {**requirement_file(), RECORD.as_posix(): content})
    return Upgrade(record.library, library_version(), changed, tuple(files))


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_bytes() != text.encode()


def _check_committed(names: Iterable[str]) -> None:
    """Check that git has the files as they are, so that a merge can be undone.

    Raises:
        DataError: one of them differs from git's version.
        GitError: git does not open the repository.
    """
    wanted = sorted(names)
    if not wanted:
        return
    try:
        asked = run_git("status", "--porcelain", "--", *wanted)
    except NoRepositoryError:
        return
    if changed := [line[3:] for line in asked.stdout.splitlines()]:
        raise DataError(
            f"{', '.join(changed)}: changed since the last commit, and the newer library changes "
            "it too; run `git add . && git commit` first, so that you can go back"
        )
