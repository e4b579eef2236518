"""Simulate how often the choice is wrong, on a million datasets whose true scores are known.

python -m bench.simulate_choice [--studies means differences ...]

Prints a table for each study and, for every promise of the project, the figure that comes nearest
to breaking it. It ends with status 1 if a promise is broken. It takes some minutes. With `--page
FILE`, the tables are written into that page, between its two marks.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tqdm import tqdm

from bench.simulated_bounds import Row, bounds
from bench.simulated_choices import Cell, cells, measure

STUDIES = ("means", "differences", "weak spots", "rule", "ladder", "correction")
MARKS = ("<!-- simulated: from here -->", "<!-- simulated: to here -->")


def _one(task: tuple[Cell, int, int]) -> Mapping[str, float]:
    return measure(*task)


def run(chosen: Sequence[Cell], sets: int, seed: int, processes: int) -> list[Row]:
    """Measure every cell, several at a time.

    Args:
        chosen: the cells.
        sets: datasets per cell.
        seed: seed of all draws.
        processes: number of cells measured at a time.
    """
    tasks = [(cell, sets, seed) for cell in chosen]
    with ProcessPoolExecutor(processes) as pool:
        found = list(tqdm(pool.map(_one, tasks, chunksize=4), total=len(tasks), disable=None))
    return list(zip(chosen, found, strict=True))


def tables(rows: Sequence[Row], sets: int) -> str:
    """Return the tables as Markdown."""
    parts = []
    for study, lay_out in LAYOUTS.items():
        of_study = [row for row in rows if row[0].study == study]
        if of_study:
            parts.append(lay_out(of_study))
    kept = ["| promise | limit | nearest | where | |", "|---|---|---|---|---|"]
    parts.append("\n".join([*kept, *map(str, bounds(rows))]))
    return f"{sets:,} datasets a cell.\n\n" + "\n\n".join(parts) + "\n"


def _table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines)]
    return "\n".join([f"**{title}**", "", *rows])


def _groups(rows: Sequence[Row], key: Callable[[Cell], object]) -> list[list[Row]]:
    found: dict[object, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row[0]), []).append(row)
    return list(found.values())


def _over(rows: Sequence[Row], name: str, fold: Callable[[list[float]], float]) -> str:
    return f"{fold([row[name] for _, row in rows]):.3f}"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _means(rows: Sequence[Row]) -> str:
    lines = []
    for group in _groups(rows, lambda cell: cell.design):
        line = [group[0][0].design]
        for metric in ("EM", "F1"):
            of_metric = [row for row in group if row[0].metric == metric]
            line += [_over(of_metric, "coverage", min), _over(of_metric, "coverage", _mean)]
            line.append(_over(of_metric, "width", _mean))
        lines.append(line)
    head = ["documents", "EM: least", "average", "width", "F1: least", "average", "width"]
    return _table("Intervals of a mean: how often they hold the true score", head, lines)


def _differences(rows: Sequence[Row]) -> str:
    lines = [
        [
            group[0][0].design,
            _over(group, "false alarms", max),
            _over(group, "false alarms", _mean),
            _over(group, "lower bound wrong", max),
            _over(group, "lower bound wrong", _mean),
            _over(group, "half width", _mean),
        ]
        for group in _groups(rows, lambda cell: cell.design)
    ]
    head = ["documents", "false alarms: most", "average", "bound wrong: most", "average"]
    return _table(
        "Differences: how often interval and lower bound miss the truth",
        [*head, "half width"],
        lines,
    )


def _weak_spots(rows: Sequence[Row]) -> str:
    names = ("false alarms", "lower bound wrong", "half width")
    lines = [
        [
            cell.design,
            cell.metric,
            f"{cell.score:g}",
            cell.likeness,
            *(f"{row[n]:.3f}" for n in names),
        ]
        for cell, row in rows
    ]
    head = ["documents", "metric", "score", "models", *names]
    return _table(
        "Differences where nothing is promised: rare or skewed differences between documents",
        head,
        lines,
    )


def _rule(rows: Sequence[Row]) -> str:
    lines = []
    for group in _groups(rows, lambda cell: (cell.design, cell.metric, cell.likeness)):
        cell = group[0][0]
        line = [cell.design, cell.metric, cell.likeness]
        for _, row in group:
            line.append(" / ".join(f"{row[k]:.3f}" for k in ("luck", "bound 0.03", "bound 0.05")))
        lines.append(line)
    worse = [f"{row[0].worse:g}" for row in _groups(rows, lambda cell: cell.design)[0]]
    head = ["documents", "metric", "models", *dict.fromkeys(worse)]
    return _table(
        "A cheaper model truly worse by so much: scores higher by luck / promoted by the bound "
        "with margin 0.03 / 0.05",
        head,
        lines,
    )


def _ladder(rows: Sequence[Row]) -> str:
    names = ("best score", "rule 0.03", "rule 0.05", "worst wins")
    lines = [
        [cell.design, cell.likeness, *(f"{row[name]:.4f}" for name in names)] for cell, row in rows
    ]
    head = ["documents", "models", "best score alone", "margin 0.03", "margin 0.05", "worst wins"]
    return _table("Ten candidates from 0.60 down to 0.15: expected loss in score", head, lines)


def _correction(rows: Sequence[Row]) -> str:
    lines = []
    for group in _groups(rows, lambda cell: (cell.design, cell.likeness, cell.candidates)):
        cell = group[0][0]
        line = [cell.design, cell.likeness, str(cell.candidates)]
        for _, row in group:
            line += [f"{row['measured']:+.3f}", f"{row['corrected']:+.3f} ({row['spread']:.3f})"]
        lines.append(line)
    head = ["documents", "models", "candidates", "equal: measured", "corrected"]
    return _table(
        "The chosen model's score less the true one, on average (root of the mean square)",
        [*head, "one best by 0.15: measured", "corrected"],
        lines,
    )


LAYOUTS: dict[str, Callable[[Sequence[Row]], str]] = {
    "means": _means,
    "differences": _differences,
    "weak spots": _weak_spots,
    "rule": _rule,
    "ladder": _ladder,
    "correction": _correction,
}


def write_into(page: Path, text: str) -> None:
    """Put the tables between the page's two marks."""
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page.write_text(f"{before}{MARKS[0]}\n{text}{MARKS[1]}{after}", encoding="utf-8")


def main() -> None:
    """Run the requested studies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=STUDIES)
    parser.add_argument("--sets", type=int, default=1000, help="datasets per cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--page", type=Path, help="page to write the tables into")
    options = parser.parse_args()
    chosen = [cell for study in options.studies for cell in cells(study)]
    rows = run(chosen, options.sets, options.seed, options.processes)
    text = tables(rows, options.sets)
    print(text)
    if options.page:
        write_into(options.page, text)
    sys.exit(any(not bound.holds for bound in bounds(rows)))


if __name__ == "__main__":
    main()
