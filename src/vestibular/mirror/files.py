"""Files made by a run: their hashes, and their current places."""

import functools
from pathlib import Path
from typing import Any

from vestibular.core.files import file_md5, folder_sha256
from vestibular.core.version_control import foreign_repositories_named
from vestibular.mirror.records import File


def as_file(path: Path) -> File:
    """Return a file as it is here."""
    return File(path, _md5(path))


def _md5(path: Path) -> str:
    state = path.stat()
    return _md5_of(path, state.st_mtime_ns, state.st_size)


@functools.cache
def _md5_of(path: Path, _time: int, _size: int) -> str:
    return file_md5(path)


def folder_mark(folder: Path) -> str:
    """Return `folder_sha256`, computed again only if a file's time or size has changed."""
    states = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return _folder_mark(
        folder, tuple((path, state.st_mtime_ns, state.st_size) for path, state in states)
    )


@functools.cache
def _folder_mark(folder: Path, _files: tuple[tuple[Path, int, int], ...]) -> str:
    return folder_sha256(folder)


def find_file(file: File) -> Path | None:
    """Return the current place of a run's file: the original or DVC's cache; None if it is gone."""
    if file.path.is_file() and _md5(file.path) == file.md5:
        return file.path
    cache = _cache(Path.cwd())
    cached = None if cache is None else Path(cache.oid_to_path(file.md5))
    return cached if cached is not None and cached.is_file() else None


@functools.cache
def _cache(project: Path) -> Any:
    """Return DVC's cache of a project, None without one; opening it takes a while."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with foreign_repositories_named(), Repo(str(project)) as repo:
            return repo.cache.local
    except DvcException:
        return None
