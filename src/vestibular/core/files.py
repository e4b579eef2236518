"""Files that appear whole or not at all, and their hashes."""

import contextlib
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vestibular.core.errors import DataError

READ_BYTES = 1 << 20


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it replaces `path` in one step.

    If the block fails, the temporary file goes and whatever was at `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    # not `tempfile`: its files are the owner's alone, whatever the umask says
    temporary.touch(exist_ok=False)
    permissions = _permissions(temporary)
    try:
        yield temporary
        temporary.chmod(permissions)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on success it replaces `path`.

    If the block fails, the temporary folder goes and whatever was at `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    temporary.mkdir()
    permissions = _permissions(temporary)
    try:
        yield temporary
        for file in temporary.rglob("*"):
            # safetensors makes files for their owner alone; a further link is another's file
            if file.is_file() and not file.is_symlink() and file.stat().st_nlink == 1:
                file.chmod(permissions)
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(path: Path) -> Path:
    """Return a hidden path that nothing else has, on the same disk as `path`.

    What a killed process has left of this kind goes: nobody else would know it for what it is.
    """
    # imported here: light commands write nothing
    import psutil

    here = re.escape(f".{path.name}.{platform.node()}-")
    for other in path.parent.iterdir():
        left = re.fullmatch(rf"{here}(\d+)-[0-9a-f]{{8}}", other.name)
        if left and not psutil.pid_exists(int(left[1])):
            if other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
            else:
                other.unlink(missing_ok=True)
    owner = f"{platform.node()}-{os.getpid()}"
    return path.with_name(f".{path.name}.{owner}-{secrets.token_hex(4)}")


def _permissions(new: Path) -> int:
    """Return what a file may have here, from a file or folder that has just been made."""
    return new.stat().st_mode & 0o666


def copy_folder(source: Path, target: Path) -> None:
    """Copy the files of a folder, those that links lead to, and none that is hidden.

    Not `shutil.copytree`: it goes on after a full disk, and then says so of every file at once.
    """
    for path in sorted(source.rglob("*")):
        place = path.relative_to(source)
        if path.is_file() and not any(part.startswith(".") for part in place.parts):
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / place)


def to_json(value: object) -> str:
    """Render `value` as the project's JSON: indented, keys in their order, real letters."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: object) -> None:
    """Write `value` to `path` as JSON, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(to_json(value), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file that this project wrote.

    Raises:
        DataError: it is not as it was written; merge conflicts are a way to that.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path}: not JSON: {error}; it is a result: run `dvc repro` to make it anew, or put "
            f"git's back with `git checkout HEAD -- {path}`"
        ) from None


def write_json_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write one JSON object a line to `path`, whole or not at all."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_table(path: Path, columns: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Write tab-separated values with a header line, whole or not at all; None is empty."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("\t".join(columns) + "\n")
        for row in rows:
            file.write("\t".join("" if value is None else str(value) for value in row) + "\n")


def file_sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def file_md5(path: Path) -> str:
    """Return the hexadecimal MD5 of a file's bytes, DVC's name for it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def folder_sha256(folder: Path, pattern: str = "*") -> str:
    """Return one SHA-256 over the names and bytes of the files below `folder`.

    Hidden files and folders do not count: they are a tool's, not the content's.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob(pattern)):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            digest.update(f"{name.as_posix()}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()
