"""Paths with slashes: names of fields, and of files within a set."""


def paths_above(path: str) -> list[str]:
    """Return the folders that a path lies in, the outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def range_below(path: str) -> tuple[str, str]:
    """Return two texts between which, in SQLite's order, all lies that is within a path."""
    # what begins with "path/" comes before "path0", 0 being what follows /
    return f"{path}/", f"{path}0"
