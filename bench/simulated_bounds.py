"""The promises about the choice, and whether they hold on the simulated datasets."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.simulated_choices import Cell

Row = tuple[Cell, Mapping[str, float]]


@dataclass(frozen=True)
class Bound:
    """A promise, the figure that comes nearest to breaking it, and where that figure is."""

    promise: str
    limit: float
    figure: float
    where: str
    holds: bool

    def __str__(self) -> str:
        """Return the promise as a row of a table."""
        word = "holds" if self.holds else "BROKEN"
        return f"| {self.promise} | {self.limit:g} | {self.figure:.4f} | {self.where} | {word} |"


def bounds(rows: Sequence[Row]) -> list[Bound]:
    """Return every promise about the studies of these rows."""
    coverage = _column(rows, "means", "coverage")
    alarms = _column(rows, "differences", "false alarms")
    lower = _column(rows, "differences", "lower bound wrong")
    added = [
        (cell, row[f"bound {margin}"])
        for cell, row in rows
        for margin in (0.03, 0.05)
        if cell.study == "rule" and cell.worse >= margin
    ]
    alike = [each for each in added if each[0].likeness == "models alike"]
    others = [each for each in added if each not in alike]
    losses = [
        (cell, row["rule 0.03"] - row["best score"]) for cell, row in rows if cell.study == "ladder"
    ]
    corrected = [
        (cell, error)
        for cell, error in _column(rows, "correction", "corrected")
        if cell.design != "5 equal"
    ]
    equal = [(cell, abs(error)) for cell, error in corrected if not cell.worse]
    clear = [(cell, error) for cell, error in corrected if cell.worse]
    by_bound = "promoted by the bound though worse by the margin or more"
    return [
        *_least("coverage of a mean's interval, any cell", 0.905, coverage),
        *_least("coverage, average over a design", 0.945, _averages(coverage)),
        *_most("coverage, average over a design", 0.985, _averages(coverage)),
        *_most("two-sided false alarms of a difference, any cell", 0.075, alarms),
        *_most("lower bound of a difference wrong, any cell", 0.10, lower),
        *_most("lower bound wrong, average over a design", 0.065, _averages(lower)),
        *_most(f"{by_bound}, models alike", 0.075, alike),
        *_most(f"{by_bound}, other models", 0.05, others),
        *_most(f"{by_bound}, average over a design", 0.02, _averages(added)),
        *_most("ten candidates lose more than by the best score alone", 0.003, losses),
        *_most("corrected score of equal candidates off by", 0.01, equal),
        *_least("corrected score of one clearly best off by", -0.02, clear),
        *_most("corrected score of one clearly best off by", 0.01, clear),
    ]


def _column(rows: Iterable[Row], study: str, name: str) -> list[tuple[Cell, float]]:
    return [(cell, row[name]) for cell, row in rows if cell.study == study]


def _averages(column: Iterable[tuple[Cell, float]]) -> list[tuple[str, float]]:
    by_design: dict[str, list[float]] = {}
    for cell, figure in column:
        by_design.setdefault(cell.design, []).append(figure)
    return [(design, sum(figures) / len(figures)) for design, figures in by_design.items()]


def _most(promise: str, limit: float, column: Sequence[tuple[object, float]]) -> list[Bound]:
    return _bound(promise, limit, column, max, "at most")


def _least(promise: str, limit: float, column: Sequence[tuple[object, float]]) -> list[Bound]:
    return _bound(promise, limit, column, min, "at least")


def _bound(
    promise: str,
    limit: float,
    column: Sequence[tuple[object, float]],
    worst: Callable[..., tuple[object, float]],
    word: str,
) -> list[Bound]:
    if not column:
        return []
    where, figure = worst(column, key=lambda row: row[1])
    holds = figure <= limit if word == "at most" else figure >= limit
    return [Bound(f"{promise}: {word}", limit, figure, str(where), holds)]
