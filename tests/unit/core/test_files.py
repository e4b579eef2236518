"""Outputs appear whole or not at all."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from vestibular.core.errors import DataError, exit_on_error
from vestibular.core.files import (
    atomic_file,
    atomic_folder,
    copy_folder,
    folder_sha256,
    read_json,
    write_table,
)


def fill_the_disk() -> None:
    """Write to the device that is always full; the system answers ENOSPC."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        os.write(descriptor, b"x")
    finally:
        os.close(descriptor)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """With the disk full in mid-write, the old content stays and no scrap is left."""
    path = tmp_path / "scores.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(OSError, match="No space left"), atomic_file(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        fill_the_disk()
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_folder(tmp_path: Path) -> None:
    """The same for a folder; and success replaces all of it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old").touch()
    with pytest.raises(OSError, match="No space left"), atomic_folder(folder) as temporary:
        (temporary / "new").touch()
        fill_the_disk()
    assert [path.name for path in folder.iterdir()] == ["old"]
    with atomic_folder(folder) as temporary:
        (temporary / "new").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize(("umask", "file_mode"), [(0o077, 0o600), (0o002, 0o664), (0o027, 0o640)])
def test_what_is_written_keeps_to_the_umask(tmp_path: Path, umask: int, file_mode: int) -> None:
    """Private data stays private, and a shared folder shared; a file written again, too."""
    before = os.umask(umask)
    try:
        for _ in range(2):
            write_table(tmp_path / "scores.tsv", ["a"], [[1]])
            with atomic_folder(tmp_path / "model") as temporary:
                # as a library that thinks that nobody else is to read it
                (temporary / "weights").touch(mode=0o600)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {
        "scores.tsv": file_mode,
        "model": 0o777 & ~umask,
        "weights": file_mode,
    }


def test_a_full_disk_is_one_message_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback: where, what, and that nothing was replaced."""
    with pytest.raises(SystemExit) as ended:
        exit_on_error(fill_the_disk)()
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert "no space left on the disk" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a.json"), "a.json: permission denied"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "connection reset by"),
        (TimeoutError(), "timeouterror"),
    ],
)
def test_only_a_file_is_blamed_that_the_system_names(
    capsys: pytest.CaptureFixture[str], error: OSError, message: str
) -> None:
    """A fault of the system that is about no file says so by naming none."""

    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        exit_on_error(fail)()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(message)


def test_a_user_error_is_its_message_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A fault of the input ends in its own text alone."""

    @exit_on_error
    def fail() -> None:
        raise DataError("data.json: not found")

    with pytest.raises(SystemExit) as ended:
        fail()
    assert ended.value.code == 2
    assert capsys.readouterr().err == "data.json: not found\n"


def test_a_folders_hash_is_of_names_and_bytes(tmp_path: Path) -> None:
    """A changed byte or name changes the hash; hidden files and times do not."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/a").write_text("1", encoding="utf-8")
    first = folder_sha256(tmp_path)
    (tmp_path / ".cache").write_text("x", encoding="utf-8")
    os.utime(tmp_path / "sub/a", (1, 1))
    assert folder_sha256(tmp_path) == first
    (tmp_path / "sub/a").rename(tmp_path / "sub/b")
    assert folder_sha256(tmp_path) != first


def test_a_tables_missing_values_are_empty(tmp_path: Path) -> None:
    """None becomes an empty cell."""
    write_table(tmp_path / "t.tsv", ["a", "b"], [(1, None), (0.5, "x")])
    assert (tmp_path / "t.tsv").read_text(encoding="utf-8") == "a\tb\n1\t\n0.5\tx\n"


def test_a_result_that_git_could_not_merge_is_made_anew(tmp_path: Path) -> None:
    """Conflict markers are no JSON; the message says which file and how to be rid of them."""
    path = tmp_path / "leaderboard.json"
    path.write_text("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> other\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"leaderboard\.json: not JSON: .*`dvc repro`"):
        read_json(path)


def test_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    """With the next writing of the same name; what a living one is writing stays."""
    script = (
        "import os, signal, sys; from pathlib import Path; from vestibular.core.files import *\n"
        "with atomic_folder(Path(sys.argv[1], 'a')) as folder, \\\n"
        "    atomic_file(Path(sys.argv[1], 'b')):\n"
        "    (folder / 'x').touch(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    with atomic_folder(tmp_path / "a"), atomic_folder(tmp_path / "a"):
        # the other name's is not looked for
        assert sorted(path.name[:3] for path in tmp_path.iterdir()) == [".a.", ".a.", ".b."]
    with atomic_file(tmp_path / "b"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_folder_is_copied_file_by_file_until_the_disk_is_full(tmp_path: Path) -> None:
    """What links lead to, and nothing hidden; the file that did not fit is the one named."""
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "part").mkdir(parents=True)
    (source / "a").write_bytes(b"a" * 9)
    (source / "part/large").write_bytes(bytes(100_000))
    (source / "part/link").symlink_to("large")
    (source / ".cache").mkdir()
    (source / ".cache/x").touch()
    copy_folder(source, target)
    found = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
    assert found == {"a", "part/large", "part/link"}
    assert not (target / "part/link").is_symlink()
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from vestibular.core.errors import exit_on_error\n"
        "from vestibular.core.files import copy_folder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "exit_on_error(copy_folder)(*map(Path, sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", script, source, tmp_path / "other"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "large: no space left on the disk" in result.stderr
    assert result.stderr.count("\n") == 1
