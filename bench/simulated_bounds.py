"""What the choice promises, and whether the simulated datasets keep it."""

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
        """Return it as a row of a table."""
        word = "holds" if self.holds else "BROKEN"
        return f"| {self.promise} | {self.limit:g} | {self.figure:.4f} | {self.where} | {word} |"


def bounds(rows: Sequence[Row]) -> list[Bound]:
    """Return every promise about the studies that the rows are of."""
    found = []
    of = {
        study: [row for row in rows if row[0].study == study]
        for study in ("means", "differences", "rule", "ladder", "correction")
    }
    if of["means"]:
        coverage = _column(of["means"], "coverage")
        found += [
            _least("coverage of a mean's interval, any cell", 0.905, coverage),
            _least("the same, average over a design", 0.945, _averages(coverage)),
            _most("the same, average over a design", 0.985, _averages(coverage)),
        ]
    if of["differences"]:
        lower = _column(of["differences"], "lower bound wrong")
        alarms = _column(of["differences"], "false alarms")
        found += [
            _most("two-sided false alarms of a difference, any cell", 0.075, alarms),
            _most("lower bound of a difference wrong, any cell", 0.10, lower),
            _most("the same, average over a design", 0.065, _averages(lower)),
        ]
    if of["rule"]:
        added = [
            (cell, row[f"bound {margin}"], margin)
            for cell, row in of["rule"]
            for margin in (0.03, 0.05)
            if cell.worse >= margin
        ]
        for alike, limit in ((False, 0.05), (True, 0.075)):
            shares = [
                (cell, share)
                for cell, share, _ in added
                if (cell.likeness == "models alike") == alike
            ]
            name = "models alike" if alike else "other models"
            found.append(
                _most(
                    f"promoted by the bound though worse by the margin or more, {name}",
                    limit,
                    shares,
                )
            )
        shares = [(cell, share) for cell, share, _ in added]
        found.append(
            _most(
                "promoted above the share of luck, worse by the margin or more, average over a "
                "design",
                0.02,
                _averages(shares),
            )
        )
    if of["ladder"]:
        losses = [(cell, row["rule 0.03"] - row["best score"]) for cell, row in of["ladder"]]
        found.append(_most("ten candidates lose more than by the best score alone", 0.003, losses))
    corrected = _column(of["correction"], "corrected")
    equal = [(cell, abs(error)) for cell, error in corrected if not cell.worse and _claimed(cell)]
    clear = [(cell, error) for cell, error in corrected if cell.worse and _claimed(cell)]
    if equal:
        found.append(_most("corrected score of equal candidates off by", 0.01, equal))
    if clear:
        found.append(_least("corrected score of one clearly best off by", -0.02, clear))
        found.append(_most("corrected score of one clearly best off by", 0.01, clear))
    return found


def _claimed(cell: Cell) -> bool:
    return cell.design != "5 equal"


def _column(rows: Iterable[Row], name: str) -> list[tuple[Cell, float]]:
    return [(cell, row[name]) for cell, row in rows]


def _averages(column: Iterable[tuple[Cell, float]]) -> list[tuple[str, float]]:
    by_design: dict[str, list[float]] = {}
    for cell, figure in column:
        by_design.setdefault(cell.design, []).append(figure)
    return [(design, sum(figures) / len(figures)) for design, figures in by_design.items()]


def _most(promise: str, limit: float, column: Sequence[tuple[object, float]]) -> Bound:
    return _bound(promise, limit, column, max, "at most")


def _least(promise: str, limit: float, column: Sequence[tuple[object, float]]) -> Bound:
    return _bound(promise, limit, column, min, "at least")


def _bound(
    promise: str,
    limit: float,
    column: Sequence[tuple[object, float]],
    worst: Callable[..., tuple[object, float]],
    word: str,
) -> Bound:
    where, figure = worst(column, key=lambda row: row[1])
    holds = figure <= limit if word == "at most" else figure >= limit
    return Bound(f"{promise}: {word}", limit, figure, str(where), holds)
