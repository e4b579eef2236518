"""A project that cannot be made leaves its folder as it was, whatever was in it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.repositories import commit_all, git
from vestibular.core.errors import DataError, GitError
from vestibular.scaffold import creation
from vestibular.scaffold.creation import create


@pytest.fixture(autouse=True)
def _identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = Ana\nemail = ana@example.org\n")
    for name, value in (("HOME", home), ("XDG_CONFIG_HOME", home), ("GIT_CONFIG_NOSYSTEM", "1")):
        monkeypatch.setenv(name, str(value))


def contents(folder: Path) -> dict[str, bytes | None]:
    """All that lies below a folder, git's own database left aside."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if ".git" not in path.relative_to(folder).parts[:-1]
    }


def disk_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's files do not fit on the disk any more."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(creation, "write_texts", full)


def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody presses Ctrl-C when everything has been written."""
    real = creation.run_git

    def stop(*arguments: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
        if arguments[0] == "add":
            real(*arguments, folder=folder)
            raise KeyboardInterrupt
        return real(*arguments, folder=folder)

    monkeypatch.setattr(creation, "run_git", stop)


def dvc_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC makes half of its folder and ends."""

    def fail(*_: str, folder: Path) -> "subprocess.CompletedProcess[str]":
        (folder / ".dvc/tmp").mkdir(parents=True)
        return subprocess.CompletedProcess([], 1, "", "ERROR: no")

    monkeypatch.setattr(creation, "run_dvc", fail)


@pytest.mark.parametrize("fault", [disk_full, interrupted, dvc_fails])
@pytest.mark.parametrize("place", ["", "exams/law"])
def test_a_folder_with_files_is_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    fault: Callable[[pytest.MonkeyPatch], None],
) -> None:
    """Outside of any repository, and in one, in whose index somebody has staged something."""
    top = tmp_path / "top"
    folder = top / place
    (folder / "data/mine").mkdir(parents=True)
    (folder / "data/mine/perguntas.csv").write_text("a;b\n")
    (folder / "stages").mkdir()
    if place:
        commit_all(top, "Start")
        (folder / "data/mine/perguntas.csv").write_text("a;c\n")
        git(top, "add", "exams")
    before = contents(top)
    status = git(top, "status", "--porcelain") if place else None
    fault(monkeypatch)
    with pytest.raises((OSError, GitError, KeyboardInterrupt)):
        create(folder, demo=True)
    assert contents(top) == before
    assert (git(top, "status", "--porcelain") if place else None) == status
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # nothing is in the way of the next try
    assert create(folder, demo=True).kept == ()


def test_folders_that_were_made_for_it_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With those above it; what somebody else has put there meanwhile stays."""
    disk_full(monkeypatch)
    with pytest.raises(OSError, match="No space"):
        create(tmp_path / "exams/law/first", demo=False)
    assert not (tmp_path / "exams").exists()


def test_a_repository_that_is_damaged_is_not_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git does not see one in such a folder, and its objects may be all that is left."""
    folder = tmp_path / "top"
    (folder / ".git/objects").mkdir(parents=True)
    (folder / ".git/objects/kept").write_text("1")
    disk_full(monkeypatch)
    with pytest.raises(OSError, match="No space"):
        create(folder, demo=False)
    assert (folder / ".git/objects/kept").read_text() == "1"
    assert {path.name for path in folder.iterdir()} == {".git"}


@pytest.mark.parametrize("name", ["stages", "demo", "code"])
@pytest.mark.parametrize("link", [False, True])
def test_a_file_in_the_place_of_a_folder_is_in_the_way(
    tmp_path: Path, name: str, link: bool
) -> None:
    """Or a link that leads nowhere: told before anything is written."""
    folder = tmp_path / "exam"
    folder.mkdir()
    if link:
        (folder / name).symlink_to("nowhere")
    else:
        (folder / name).write_text("mine")
    with pytest.raises(DataError, match=f"exam: {name}: exists already, and nothing is overwr"):
        create(folder, demo=True)
    assert [path.name for path in folder.iterdir()] == [name]
