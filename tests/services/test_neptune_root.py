"""The local Neptune server's folder: what it deletes, what it refuses, what it leaves alone."""

import contextlib
import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.support.commands import ROOT, environment
from tests.support.patience import FOREVER
from tests.support.serving import Serving, assign, fields, files, tar, upload

MARKER = ".neptune-server"

Tree = dict[str, tuple[int, bytes | str]]


def tree(folder: Path) -> Tree:
    """Return everything below a folder: times of change, and contents or what links lead to."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mtime_ns,
            str(path.readlink())
            if path.is_symlink()
            else path.read_bytes()
            if path.is_file()
            else b"",
        )
        for path in folder.rglob("*")
    }


def refused(root: Path) -> str:
    """Start a server in vain; return the one line that says why."""
    command = [sys.executable, "-m", "neptune_server", "--root", str(root), "--port", "0"]
    # one that starts after all goes on until it is killed
    result = subprocess.run(
        command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=FOREVER
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    return result.stderr


def filled(root: Path) -> str:
    """Make a root with a run that has a file; return the run's id."""
    with Serving(root, "--port", "0") as serving:
        made = serving.create("run", customId="kept")["id"]
        serving.execute(made, assign("x", 1))
        upload(serving, "uploadFileSetAttributeTar", made, tar(["a"]), attribute="set")
    return str(made)


def make_old(root: Path) -> None:
    """Make a root what version 1 would have left."""
    (root / MARKER).unlink()
    with contextlib.closing(sqlite3.connect(root / "neptune.sqlite")) as database:
        database.executescript("DROP TABLE last_number; DROP TABLE gone; PRAGMA user_version = 1;")


# ---- folders of others


@pytest.mark.parametrize("name", ["contents/thesis.txt", "notes.txt", ".hidden", "token", "lock"])
def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing in it is deleted, changed or added."""
    root = tmp_path / "mine"
    (root / name).parent.mkdir(parents=True)
    (root / name).write_text("years of work", encoding="utf-8")
    before = tree(tmp_path)
    assert "not empty, and not a folder of this server" in refused(root)
    assert tree(tmp_path) == before


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """The name alone proves nothing."""
    root = tmp_path / "mine"
    (root / "contents").mkdir(parents=True)
    (root / "contents" / uuid.uuid4().hex).write_bytes(b"x")
    with contextlib.closing(sqlite3.connect(root / "neptune.sqlite")) as database:
        database.executescript("CREATE TABLE run (id); PRAGMA user_version = 1;")
    before = tree(tmp_path)
    assert "not empty, and not a folder of this server" in refused(root)
    assert tree(tmp_path) == before


def test_what_others_put_into_the_contents_stays(tmp_path: Path) -> None:
    """In its own folder too it deletes only what bears a name that it draws."""
    root = tmp_path / "root"
    made = filled(root)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(b"mine")
    foreign = root / "contents"
    (foreign / "thesis.txt").write_bytes(b"mine")
    (foreign / "0123456789abcdef0123456789abcdef").write_bytes(b"mine")
    (foreign / uuid.uuid4().hex).symlink_to(outside / "a")
    (foreign / uuid.uuid4().hex).mkdir()
    (foreign / uuid.uuid4().hex.upper()).write_bytes(b"mine")
    left_behind = foreign / uuid.uuid4().hex
    left_behind.write_bytes(b"of a killed server")
    before = {path.name for path in foreign.iterdir()} - {left_behind.name}
    with Serving(root, "--port", "0") as serving:
        assert {path.name for path in foreign.iterdir()} == before
        assert "5 files are not the server's; they stay" in serving.log
        assert files(serving, made, "set") == {"a": b"a"}
    assert (outside / "a").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "name",
    [
        "contents",
        "neptune.sqlite",
        "neptune.sqlite-wal",
        "neptune.sqlite-journal",
        "token",
        "server.json",
        "lock",
    ],
)
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Whatever lies behind it is left as it is."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    filled(root)
    place = root / name
    if place.exists():
        place.rename(outside)
    else:
        outside.write_bytes(b"mine")
    place.symlink_to(outside)
    if outside.is_dir():
        (outside / uuid.uuid4().hex).write_bytes(b"mine")
    before = tree(tmp_path)
    assert f"{name}: is a link, and the server writes nothing outside its folder" in refused(root)
    assert tree(tmp_path) == before


def test_names_in_the_database_lead_nowhere_else(tmp_path: Path) -> None:
    """A database that somebody prepared reads and deletes no file outside the contents."""
    root = tmp_path / "root"
    made = filled(root)
    secret = tmp_path / "secret"
    secret.write_bytes(b"mine")
    with contextlib.closing(sqlite3.connect(root / "neptune.sqlite")) as database:
        database.execute("UPDATE file SET content = '../../secret'")
        database.commit()
    with Serving(root, "--port", "0") as serving:
        with pytest.raises(subprocess.CalledProcessError):
            files(serving, made, "set")
        serving.execute(made, {"path": "set", "deleteAttribute": {}})
    assert secret.read_bytes() == b"mine"


def test_a_link_to_the_folder_itself_is_followed(tmp_path: Path) -> None:
    """Where the whole folder lies is the user's own affair."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    made = filled(tmp_path / "root")
    with Serving(tmp_path / "disk", "--port", "0") as serving:
        assert files(serving, made, "set") == {"a": b"a"}


# ---- a database that is not there


@pytest.mark.parametrize("damage", ["missing", "empty", "only its log"])
def test_without_its_database_nothing_is_deleted(tmp_path: Path, damage: str) -> None:
    """The files that it named stay until it is put back."""
    root = tmp_path / "root"
    made = filled(root)
    database = root / "neptune.sqlite"
    shutil.copy(database, tmp_path / "backup")
    database.unlink()
    if damage == "empty":
        database.touch()
    elif damage == "only its log":
        shutil.rmtree(root / "contents")
        (root / "neptune.sqlite-wal").write_bytes(b"x" * 100)
    before = tree(root)
    assert "missing or empty, although the folder holds data that belong to it" in refused(root)
    assert tree(root) == before
    if damage == "missing":
        shutil.copy(tmp_path / "backup", database)
        with Serving(root, "--port", "0") as serving:
            assert files(serving, made, "set") == {"a": b"a"}


def test_a_start_that_was_cut_off_is_no_hindrance(tmp_path: Path) -> None:
    """A marked folder with no contents and no database begins anew."""
    root = tmp_path / "root"
    root.mkdir()
    (root / MARKER).touch()
    filled(root)


# ---- other versions


def test_a_folder_from_before_the_marker_is_adopted(tmp_path: Path) -> None:
    """Its database proves it; all it held is there, and the marker from then on."""
    root = tmp_path / "root"
    made = filled(root)
    with Serving(root, "--port", "0") as serving:
        trashed = serving.create("run", customId="trashed")["id"]
        serving.trash(trashed)
        serving.create("run")
        token = serving.token
    make_old(root)
    with Serving(root) as serving:
        assert serving.token == token
        assert files(serving, made, "set") == {"a": b"a"}
        assert fields(serving, made)["x"] == 1
        assert serving.create("run", customId="kept")["id"] == made
        assert serving.create("run", customId="trashed")["shortId"] == "VEST-4"
    assert (root / MARKER).is_file()


@pytest.mark.parametrize("killed", [False, True])
def test_a_later_versions_folder_is_left_as_it_is(tmp_path: Path, killed: bool) -> None:
    """Not a byte of it changes, whether its server ended well or was killed."""
    root = tmp_path / "root"
    filled(root)
    database = sqlite3.connect(root / "neptune.sqlite")
    database.execute("PRAGMA user_version = 3")
    database.execute("CREATE TABLE later (x)")
    database.commit()
    if killed:
        # with the log of changes as it is while the database is open
        shutil.copytree(root, tmp_path / "copy")
        assert (tmp_path / "copy/neptune.sqlite-wal").stat().st_size > 0
    database.close()
    later = tmp_path / "copy" if killed else root
    if killed:
        with contextlib.closing(sqlite3.connect(root / "neptune.sqlite")) as own:
            own.execute("PRAGMA user_version = 2")
    before = tree(later)
    message = "written by a later version of this server (3, this one supports 2)"
    assert message in refused(later)
    assert tree(later) == before


# ---- secrets


def test_wide_permissions_are_tightened(tmp_path: Path) -> None:
    """What was open to others is open to the owner alone, and a line says so."""
    root = tmp_path / "root"
    filled(root)
    root.chmod(0o755)
    for name in ("token", "server.json", "neptune.sqlite"):
        (root / name).chmod(0o644)
    with Serving(root) as serving:
        for place in (root, *root.rglob("*")):
            assert stat.S_IMODE(place.lstat().st_mode) & 0o077 == 0, place
        assert serving.log.count("was open to others, is now private") == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"port": 5959}',
        '{"port": "5959", "api_key": "K", "signing_key": "K"}',
        '{"port": -1, "api_key": "K", "signing_key": "K"}',
        '{"port": true, "api_key": "K", "signing_key": "K"}',
        '{"port": 1e9, "api_key": "K", "signing_key": "K"}',
        '{"port": 5959, "api_key": null, "signing_key": "K"}',
        '{"port": 5959, "api_key": "", "signing_key": "K"}',
        '{"port": 5959, "api_key": "K", "signing_key": "\\ud800"}',
        '{"port": 5959, "api_key": "K", "signing_key": "K", "more": 1}',
        "\udcff",
    ],
)
def test_damaged_settings_are_one_line(tmp_path: Path, text: str) -> None:
    """Where, what, and what to do."""
    root = tmp_path / "root"
    filled(root)
    data = text.replace('"K"', json.dumps("k" * 64)).encode("utf-8", "surrogateescape")
    (root / "server.json").write_bytes(data)
    assert "server.json: not a server's settings; remove it to get a new token" in refused(root)
    (root / "server.json").unlink()
    with Serving(root, "--port", "0") as serving:
        assert serving.access
