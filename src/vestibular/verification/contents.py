"""Outputs as recorded in `dvc.lock`, and their current content."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vestibular.core.dvc_cache import cached_object
from vestibular.core.files import file_md5

FOLDER = ".dir"
"""Suffix of a folder's hash."""


def stages_of(lock: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the stages in a lock; empty if nothing has run."""
    found: Mapping[str, Any] = lock.get("stages") or {}
    return found


def recorded(lock: Mapping[str, Any], stage: str) -> dict[str, str]:
    """Return the hash of each of a stage's outputs by path; empty if the stage has not run."""
    outs = stages_of(lock).get(stage, {}).get("outs", [])
    return {row["path"]: row["md5"] for row in outs if "md5" in row}


def folder_files(md5: str) -> dict[str, str] | None:
    """Return the hash of each file in a folder, by name; None if its list of files is not here."""
    listed = cached_object(md5)
    if listed is None or file_md5(listed) != md5.removesuffix(FOLDER):
        return None
    return {row["relpath"]: row["md5"] for row in json.loads(listed.read_text(encoding="utf-8"))}


def files_below(folder: Path) -> dict[str, str]:
    """Return the current hash of each file below a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): file_md5(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def differs(path: Path, md5: str) -> bool | None:
    """Return whether a file or folder differs from its hash; None if unknown."""
    if not md5.endswith(FOLDER):
        return not path.is_file() or file_md5(path) != md5
    wanted = folder_files(md5)
    return None if wanted is None else not path.is_dir() or files_below(path) != wanted


def damaged(md5: str) -> list[str]:
    """Return the objects of an output whose bytes do not match their names."""
    found = []
    names = [md5, *((folder_files(md5) or {}).values() if md5.endswith(FOLDER) else ())]
    for name in names:
        path = cached_object(name)
        if path is not None and file_md5(path) != name.removesuffix(FOLDER):
            found.append(name)
    return found


def is_here(md5: str) -> bool:
    """Return whether DVC's cache contains all of an output."""
    if cached_object(md5) is None:
        return False
    files = folder_files(md5) if md5.endswith(FOLDER) else {}
    return all(cached_object(name) is not None for name in (files or {}).values())


def kept_file(md5: str) -> Path | None:
    """Return the path of a file in DVC's cache, if it is there unchanged; else None."""
    path = cached_object(md5)
    return path if path is not None and file_md5(path) == md5 else None


def bytes_of(md5: str) -> bytes | None:
    """Return a file's content from DVC's cache; None if it is not there."""
    path = kept_file(md5)
    return None if path is None else path.read_bytes()
