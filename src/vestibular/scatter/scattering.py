"""One scatter from start to end: find what is out of date, run the jobs, collect the results."""

import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestibular.clones.stages import LAST
from vestibular.scatter import remote
from vestibular.scatter.cells import Cell, cells_of
from vestibular.scatter.engine import Engine, Resources, Task
from vestibular.scatter.errors import ScatterError
from vestibular.scatter.folders import (
    CellFolder,
    folder_of,
    scatter_folder,
    write_machine,
    write_script,
)
from vestibular.scatter.pipeline import Progress, restore
from vestibular.scatter.snapshot import remove_refs, take
from vestibular.scatter.supervising import Supervisor
from vestibular.scatter.table import Line, LiveTable, State, as_table, totals
from vestibular.scatter.workspace import cache_folder, run_trunk

LAST_LINES = 8
"""Number of lines shown of a failed cell's log."""


@dataclass(frozen=True)
class Round:
    """The cells of one scatter, with their folders."""

    project: Path
    """Folder with the state of the pipeline: the project, or a variant's workspace."""
    cells: tuple[Cell, ...]
    folders: Mapping[str, CellFolder]
    through: str | None
    """Address of its folder in a DVC remote; None if results travel through the cache."""


def out_of_date(project: Path, trunk: Sequence[str], through: str | None) -> Progress:
    """Bring the common stages up to date, and restore results from the run-cache.

    Args:
        project: the project's top folder.
        trunk: the common stages.
        through: address of the scatter's folder in a DVC remote; None if there is none.

    Raises:
        ScatterError: a common stage fails.
    """
    run_trunk(project, trunk)
    if through is not None:
        remote.fetch_results(project, through)
    progress = restore(project)
    bring_home(progress)
    return progress


def bring_home(progress: Progress) -> None:
    """Copy the measurements of finished cells into the project, and remove the cells' folders."""
    wanted = {cell.folder_name for cell in cells_of(progress.unfinished)}
    for path in sorted(scatter_folder().glob("*/run.sh")):
        folder = CellFolder(path.parent)
        if folder.status == 0 and folder.path.name not in wanted:
            folder.bring_home()
            folder.remove()


def cells_left(project: Path, progress: Progress, through: str | None) -> Round:
    """Return the cells that have to run."""
    cells = cells_of(progress.unfinished)
    return Round(project, tuple(cells), {cell.name: folder_of(cell) for cell in cells}, through)


def lay_out(round_: Round, progress: Progress, variables: Mapping[str, str]) -> None:
    """Create each cell's folder with the script that runs the cell.

    Args:
        round_: the cells.
        progress: the state of the pipeline.
        variables: further environment variables of the cells.

    Raises:
        ScatterError: a cell would lack a file.
    """
    snapshot = take(round_.project, progress)
    scatter_folder().mkdir(parents=True, exist_ok=True)
    write_machine(snapshot, cache_folder(round_.project), variables, round_.through)
    if round_.through is not None:
        read = dict.fromkeys(stage for cell in round_.cells for stage in cell.inputs)
        remote.push_inputs(round_.project, round_.through, list(read))
    for cell in round_.cells:
        others = [round_.folders[name].path.name for name in cell.after]
        write_script(cell, snapshot, None if round_.through is None else others)


def states(round_: Round) -> Mapping[str, Line]:
    """Return how the cells have ended, no matter what ran them."""
    found = {}
    for name, folder in round_.folders.items():
        status = folder.status
        ended: State = "failed" if status else "done"
        found[name] = Line(name, "waiting" if status is None else ended, folder.seconds)
    return found


def supervise(
    round_: Round,
    resources: Callable[[Cell], Resources],
    engine: Engine,
    engine_of: Callable[[str], Engine],
    seconds: float,
) -> Mapping[str, Line]:
    """Run the cells, and follow them until they have ended.

    Args:
        round_: the cells.
        resources: returns a cell's resources.
        engine: the engine that runs them.
        engine_of: returns the engine with a name.
        seconds: interval at which the jobs are checked.

    Raises:
        KeyboardInterrupt: the user interrupted the command; the jobs have been ended.
    """
    tasks = [Task(cell, round_.folders[cell.name], resources(cell)) for cell in round_.cells]
    supervisor = Supervisor(tasks, engine, engine_of)
    # SIGTERM ends the jobs too, as Ctrl-C does
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        if adopted := supervisor.adopt():
            print(f"Already running, now followed: {', '.join(adopted)}", flush=True)
        supervisor.run(LiveTable(), seconds)
        print(totals(list(supervisor.lines.values())), flush=True)
    except KeyboardInterrupt:
        # the jobs have to end even if the reader of the output is gone
        with contextlib.suppress(BrokenPipeError):
            print("\nEnding the jobs; what is finished stays finished.", flush=True)
        supervisor.cancel()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    return supervisor.lines


def collect(round_: Round, lines: Mapping[str, Line]) -> None:
    """Restore the results from the run-cache.

    Raises:
        ScatterError: cells have no result; the message has the last lines of their logs.
    """
    if round_.through is not None:
        remote.fetch_results(round_.project, round_.through)
    progress = restore(round_.project)
    print(f"Collected the results of {len(progress.restored)} stages.", flush=True)
    left = {cell.name: cell for cell in cells_of(progress.unfinished)}
    said = [_why(lines[name], round_.folders[name]) for name in left if name in lines]
    bring_home(progress)
    if left:
        states = "\n\n".join(each for each in said if each)
        raise ScatterError(
            f"{states}\n\n{len(left)} of {len(lines)} cells have no result: {', '.join(left)}. "
            "The same command runs only these again; a training continues from its last "
            f"checkpoint. Full output of a cell: {scatter_folder()}/<cell>/log"
        )


def describe(round_: Round) -> str:
    """Return a description of what would run, and how to run it by hand."""
    lines = [
        Line(cell.name, "waiting", where=", ".join(cell.after) and f"after {', '.join(cell.after)}")
        for cell in round_.cells
    ]
    example = round_.folders[round_.cells[0].name].script
    with contextlib.suppress(ValueError):
        example = example.relative_to(Path.cwd())
    return (
        f"{as_table(lines)}\n\nEach cell has a folder with a script. Any machine that sees the "
        f"folders named in {scatter_folder() / 'machine.sh'} may run the scripts, in this order:\n"
        f"  sh {example}\n`vestibular scatter --collect` then collects the results and runs {LAST}."
    )


def clean_up(project: Path, through: str | None) -> None:
    """Remove commits and results that no cell's folder needs, and print how many are left."""
    left = sorted(path.parent for path in scatter_folder().glob("*/run.sh"))
    texts = [(folder / "run.sh").read_text(encoding="utf-8") for folder in left]
    listed = " ".join(texts).split()
    remove_refs(project, kept=[word for word in listed if word.startswith("refs/")])
    if through is not None:
        remote.remove(project, through, kept=[folder.name for folder in left])
    if left:
        print(
            f"{len(left)} folders of cells with other settings are left in {scatter_folder()}; "
            "remove them if you no longer need those settings"
        )
    else:
        for path in scatter_folder().glob("array-*"):
            path.unlink()


def _why(line: Line, folder: CellFolder) -> str:
    """Return how a cell ended, with the last lines of its log."""
    if line.state == "waiting":
        return ""
    if line.state == "done":
        return (
            f"{line.name}: succeeded, but DVC's run-cache has no result for the project's present "
            "state: a file that the cell reads has changed in the meantime, or its machine does "
            "not see the same cache"
        )
    how = {"failed": f"failed with status {folder.status}", "lost": "ended without a status"}
    said = "\n".join(f"    {text}" for text in folder.last_lines(LAST_LINES))
    return f"{line.name}: {how.get(line.state, line.state)}\n{said}".rstrip()


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
