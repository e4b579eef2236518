"""Atomic writes of files and folders, and their hashes."""

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
    """Yield a temporary path next to `path`; on success it replaces `path` in one step.

    If the block fails, the temporary file is removed and `path` is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    # not `tempfile`: its files are private to their owner, whatever the umask
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
    """Yield a temporary folder next to `path`; on success it replaces `path`.

    If the block fails, the temporary folder is removed and `path` is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    temporary.mkdir()
    permissions = _permissions(temporary)
    try:
        yield temporary
        for file in temporary.rglob("*"):
            # safetensors creates files private to their owner; leave hard links to other files
            # alone
            if file.is_file() and not file.is_symlink() and file.stat().st_nlink == 1:
                file.chmod(permissions)
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(path: Path) -> Path:
    """Return a unique hidden path on the same disk as `path`.

    Leftovers of killed processes are removed: nobody else would recognize them.
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
    """Return the default permissions of files here, given a file or folder just created."""
    return new.stat().st_mode & 0o666


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder's files; follow links, skip hidden files.

    Not `shutil.copytree`: it goes on after the disk is full, and then reports every file at once.
    """
    for path in sorted(source.rglob("*")):
        place = path.relative_to(source)
        if path.is_file() and not any(part.startswith(".") for part in place.parts):
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / place)


def to_json(value: object) -> str:
    """Render `value` as JSON in the project's style: indented, in key order, not ASCII-escaped."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: object) -> None:
    """Write `value` to `path` as JSON, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(to_json(value), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file that this project wrote.

    Raises:
        DataError: the file is damaged, for example by a merge conflict.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(
            f"{path}: not JSON: {error}; it is a result: run `dvc repro` to create it again, or "
            f"restore the committed file with `git checkout HEAD -- {path}`"
        ) from None


def write_json_lines(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write one JSON object per line to `path`, atomically."""
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_table(path: Path, columns: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Write tab-separated values with a header line, atomically; None becomes an empty cell."""
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
    """Return the hexadecimal MD5 of a file's bytes, by which DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def folder_sha256(folder: Path, pattern: str = "*") -> str:
    """Return one SHA-256 over the names and bytes of the files below `folder`.

    Hidden files and folders are skipped: they belong to tools, not to the content.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob(pattern)):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            digest.update(f"{name.as_posix()}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()
