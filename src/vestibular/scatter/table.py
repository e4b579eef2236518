"""Table of the cells and their states, on a terminal or in a log."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["waiting", "queued", "running", "done", "failed", "lost"]
FINAL: tuple[State, ...] = ("done", "failed", "lost")
QUIET: tuple[State, ...] = ("waiting", "done")
"""States of cells that a small screen does not show."""
MARGIN = 4
"""Lines of the screen that are not rows of cells: headings, totals, the cursor."""


@dataclass(frozen=True)
class Line:
    """A cell's row in the table."""

    name: str
    state: State
    seconds: float | None = None
    """Seconds since it started, or that it took."""
    where: str = ""
    """Its job, with the engine's note on it."""


def as_table(lines: Sequence[Line], most: int = sys.maxsize) -> str:
    """Return the cells as a table, with a line of totals.

    Args:
        lines: the cells.
        most: largest number of rows; if there are more cells, those that wait or are done are
            left out.
    """
    # imported here, because most commands need no tables
    from tabulate import tabulate

    shown = lines if len(lines) <= most else [line for line in lines if line.state not in QUIET]
    rows = [
        [line.name, line.state, "" if line.seconds is None else f"{line.seconds:.0f}", line.where]
        for line in shown[: max(most, 1)]
    ]
    headers = ["cell", "state", "seconds", "job"]
    table = tabulate(rows, headers, tablefmt="plain", disable_numparse=True)
    return f"{table}\n{totals(lines)}"


def totals(lines: Sequence[Line]) -> str:
    """Return the number of cells in each state, as text."""
    states: tuple[State, ...] = ("waiting", "queued", "running", *FINAL)
    counts = {state: sum(line.state == state for line in lines) for state in states}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    return f"{len(lines)} cells: {said}"


class LiveTable:
    """A table that redraws itself on a terminal; elsewhere, one line for each change."""

    def __init__(self) -> None:
        self._last: dict[str, State] = {}
        self._height = 0
        self._live = sys.stdout.isatty()

    def show(self, lines: Mapping[str, Line]) -> None:
        """Show the state of the cells."""
        if self._live:
            text = as_table(list(lines.values()), shutil.get_terminal_size().lines - MARGIN)
            back = f"\x1b[{self._height}F\x1b[J" if self._height else ""
            print(f"{back}{text}", flush=True)
            self._height = text.count("\n") + 1
            return
        for name, line in lines.items():
            if self._last.get(name) != line.state:
                self._last[name] = line.state
                took = "" if line.seconds is None else f" {line.seconds:.0f} s"
                where = f" ({line.where})" if line.where else ""
                print(f"{name}: {line.state}{took}{where}", flush=True)
