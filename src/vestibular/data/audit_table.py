"""The rows of `data/audit.jsonl` as tables for the terminal."""

from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from vestibular.core.data_audit import AuditRow
from vestibular.data.findings import Origin

WIDTH = 48
"""Width of the columns for what was found and what was done, in characters."""


def summary(rows: Sequence[AuditRow]) -> str:
    """Return a table of findings: kind, count, first place, and what was done."""
    first: dict[tuple[str, str], AuditRow] = {}
    count: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row.kind, row.action)
        first.setdefault(key, row)
        count[key] = count.get(key, 0) + 1
    return tabulate(
        [
            (_words(kind), _words(action), count[kind, action], place(row), _cut(row.done))
            for (kind, action), row in first.items()
        ],
        headers=("found", "", "rows", "first", "what was done"),
        tablefmt="plain",
    )


def listing(rows: Sequence[AuditRow]) -> str:
    """Return a table with every row."""
    return tabulate(
        [(place(row), _words(row.kind), _cut(row.found), _cut(row.done)) for row in rows],
        headers=("where", "found", "value in the source", "what was done"),
        tablefmt="plain",
        # print ids and numbers as they are
        disable_numparse=True,
    )


def place(row: AuditRow) -> str:
    """Return the position of a row in the source."""
    return str(Origin(Path(row.file), row.row, row.line, row.place))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cut(text: str) -> str:
    """Return a text on one line, cut to the width of a cell."""
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
