"""Transfer of results through a DVC remote, for cells that do not see the project's cache.

A scatter has a folder of its own in the remote. In it, each cell has a folder, and the cells'
inputs have one. Each is laid out like a remote: the run-cache entries of the cell's stages, and the
objects that they name, which are sent first. A cell fetches and pushes with this module in its
clone: `python -m vestibular.scatter.remote ADDRESS fetch|push ...`.
"""

import argparse
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vestibular.clones.stages import opened
from vestibular.core.errors import exit_on_error, first_line
from vestibular.core.files import atomic_file
from vestibular.scatter.errors import ScatterError
from vestibular.scatter.folders import scatter_folder

NAME = "folder-of-a-scatter"
"""Name of the DVC remote that stands for a folder of the scatter's."""
INPUTS = "inputs"
"""Folder of the cells' inputs."""
TOP = "md5-dos2unix"
"""DVC's older hash; with it, DVC addresses the top of a remote, where run-cache entries are."""


def address_of(project: Path, remote: str) -> str:
    """Return the address of this scatter's folder in a remote; it stays until it is removed.

    Args:
        project: the project's top folder.
        remote: DVC's name of the remote.

    Raises:
        ScatterError: there is no such remote, or it cannot hold a run-cache.
    """
    from dvc.config import ConfigError
    from dvc.fs import HTTPFileSystem, LocalFileSystem

    with opened(project) as repo:
        try:
            top = repo.cloud.get_remote_odb(remote, "scatter", hash_name=TOP)
        except ConfigError as error:
            raise ScatterError(f"--through {remote}: {first_line(error)}") from None
    if isinstance(top.fs, HTTPFileSystem):
        raise ScatterError(f"--through {remote}: DVC keeps no run-cache behind HTTP; name another")
    # a clone would resolve a relative path differently, so a local path is written in full; nothing
    # else of the configuration is written down again, since it may hold secrets
    begin = str(top.path) if isinstance(top.fs, LocalFileSystem) else f"remote://{remote}"
    note = _note()
    said = note.read_text(encoding="utf-8").strip() if note.exists() else ""
    if said.startswith(f"{begin}/scatter/"):
        return said
    address = f"{begin}/scatter/{secrets.token_hex(6)}"
    with atomic_file(note) as temporary:
        temporary.write_text(f"{address}\n", encoding="utf-8")
    return address


def push_inputs(project: Path, address: str, stages: Sequence[str]) -> None:
    """Push the outputs of finished stages, for the cells that read them.

    Raises:
        ScatterError: the push fails.
    """
    with opened(project) as repo:
        _use(repo, address, INPUTS)
        _transfer(repo.cloud.push, _made_by(repo, stages), address)


def fetch_results(project: Path, address: str) -> None:
    """Fetch the results that cells have pushed so far into the project's cache.

    Raises:
        ScatterError: the fetch fails.
    """
    with opened(project) as repo:
        for folder in _folders(repo, address):
            if folder != INPUTS:
                _fetch_cell(repo, address, folder)


def remove(project: Path, address: str, kept: Iterable[str] = ()) -> None:
    """Remove the scatter's folder, or everything in it except the `kept` cells' folders.

    Raises:
        ScatterError: the remote does not allow it.
    """
    with opened(project) as repo:
        folders, left = _folders(repo, address), set(kept)
        fs, top = _use(repo, address, "")
        gone = [fs.join(top, folder) for folder in folders if folder not in left]
        if not left and fs.exists(top):
            gone = [top]
        try:
            for path in gone:
                fs.rm(path, recursive=True)
        except OSError as error:
            raise ScatterError(f"{address}: not removed: {first_line(error)}") from None
    if not left:
        _note().unlink(missing_ok=True)


def _fetch_inputs(address: str, stages: Sequence[str], cells: Sequence[str]) -> None:
    """Fetch the outputs of stages and cells into the cache of the clone in the current folder."""
    with opened(Path()) as repo:
        _use(repo, address, INPUTS)
        _transfer(repo.cloud.pull, _made_by(repo, stages), address)
        for cell in cells:
            _fetch_cell(repo, address, cell)


def _push_results(address: str, cell: str, stages: Sequence[str]) -> None:
    """Push the run-cache entries of stages that ran here, after the objects that they name."""
    from dvc.fs import generic
    from dvc.stage.cache import _get_stage_hash

    with opened(Path()) as repo:
        fs, top = _use(repo, address, cell)
        runs = Path(repo.stage_cache.cache_dir)
        keys = [_get_stage_hash(repo.stage.load_one(name=name)) for name in stages]
        entries = [path for key in keys for path in sorted((runs / key[:2] / key).iterdir())]
        named = [(path.parent.name, path.name) for path in entries]
        _transfer(repo.cloud.push, repo.stage_cache.get_used_objs(named), address)
        for path in entries:
            place = fs.join(top, "runs", *path.relative_to(runs).parts)
            try:
                generic.copy(repo.cache.legacy.fs, str(path), fs, place)
            except OSError as error:
                raise ScatterError(f"{place}: not written: {first_line(error)}") from None


def _fetch_cell(repo: Any, address: str, cell: str) -> None:
    _use(repo, address, cell)
    entries = repo.stage_cache.pull(NAME)
    _transfer(repo.cloud.pull, repo.stage_cache.get_used_objs(entries), address)


def _transfer(way: Any, objects: Mapping[Any, set[Any]], address: str) -> None:
    """Push or pull objects, and check that all were transferred."""
    for some in objects.values():
        try:
            failed = len(way(some, remote=NAME).failed)
            why = "as DVC says above"
        except OSError as error:
            failed, why = len(some), first_line(error)
        if failed:
            raise ScatterError(f"{address}: {failed} objects were not transferred: {why}")


def _made_by(repo: Any, stages: Sequence[str]) -> Mapping[Any, set[Any]]:
    found: dict[Any, set[Any]] = {}
    for name in stages:
        for stage in repo.stage.collect(name):
            for place, objects in stage.get_used_objs().items():
                found.setdefault(place, set()).update(objects)
    return found


def _folders(repo: Any, address: str) -> list[str]:
    fs, top = _use(repo, address, "")
    return sorted(fs.name(path) for path in fs.ls(top)) if fs.exists(top) else []


def _use(repo: Any, address: str, folder: str) -> tuple[Any, str]:
    """Let the remote `NAME` be a folder of the scatter's; return its file system and path."""
    repo.config["remote"][NAME] = {"url": f"{address}/{folder}".rstrip("/")}
    top = repo.cloud.get_remote_odb(NAME, "scatter", hash_name=TOP)
    return top.fs, str(top.path)


def _note() -> Path:
    """Return the file that holds the address."""
    return scatter_folder() / "remote"


@exit_on_error
def main() -> None:
    """Fetch or push what the command line names."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("address")
    ways = parser.add_subparsers(dest="way", required=True)
    fetch = ways.add_parser("fetch")
    fetch.add_argument(
        "--stages", nargs="*", default=[], help="stages with results from the project"
    )
    fetch.add_argument("--cells", nargs="*", default=[], help="folders of other cells")
    push = ways.add_parser("push")
    push.add_argument("cell", help="folder of this cell")
    push.add_argument("stages", nargs="+")
    arguments = parser.parse_args()
    if arguments.way == "fetch":
        _fetch_inputs(arguments.address, arguments.stages, arguments.cells)
    else:
        _push_results(arguments.address, arguments.cell, arguments.stages)


if __name__ == "__main__":
    main()
