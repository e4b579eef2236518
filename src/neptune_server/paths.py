"""Paths with slashes: names of fields, and of files within a set."""

from neptune_server.checks import FieldError, shown

LONGEST_PATH = 1024
"""Characters of a file's path within a set."""


def check_path(path: str) -> str:
    """Return a path within a set if it stays within whatever folder it is unpacked to.

    The client puts `./` before the names of files that lie outside its current folder.

    Raises:
        FieldError: it may not.
    """
    path = path.removeprefix("./")
    parts = path.split("/")
    if (
        any(part in ("", ".", "..") for part in parts)
        or "\\" in path
        or len(path) > LONGEST_PATH
        or not path.isprintable()
    ):
        raise FieldError(f"{shown(path)}: not a path within a set of files")
    return path


def paths_above(path: str) -> list[str]:
    """Return the folders that a path lies in, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def range_below(path: str) -> tuple[str, str]:
    """Return two texts between which, in SQLite's order, all lies that is within a path."""
    # what begins with "path/" comes before "path0", 0 being what follows /
    return f"{path}/", f"{path}0"
