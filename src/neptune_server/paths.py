"""Paths with slashes: names of fields, and of files within a set."""

from neptune_server.checks import FieldError, shown

LONGEST_PATH = 1024
"""Largest number of characters in a file's path within a set."""


def check_path(path: str) -> str:
    """Return a path within a set if it cannot leave the folder that the set is unpacked to.

    The client puts `./` before the names of files outside its current folder.

    Raises:
        FieldError: the path could leave the folder, or is malformed.
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
    """Return the folders that contain a path, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def range_below(path: str) -> tuple[str, str]:
    """Return two texts that, in SQLite's order, enclose all paths within a path."""
    # texts that begin with "path/" come before "path0", since 0 is the character after /
    return f"{path}/", f"{path}0"
