"""How often the project's own statistics are wrong on datasets whose true scores are known."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.simulated_scores import (
    DESIGNS,
    FAILURE,
    LIKENESSES,
    Likeness,
    Numbers,
    beta_binomial,
    documents_of,
    models,
)
from vestibular.selection.clusters import Clusters
from vestibular.selection.contest import Contest, Contestant
from vestibular.selection.correction import corrected_score
from vestibular.selection.decision import Rule, decide
from vestibular.selection.differences import NO_NOISE, lower_bounds, upper_bounds
from vestibular.selection.means import mean_interval
from vestibular.selection.mixtures import Totals, posterior

MINIMUM_SAVING = 0.1
LADDER = tuple(round(0.6 - 0.05 * step, 2) for step in range(10))
"""True scores of ten candidates; the most expensive one is the best."""


@dataclass(frozen=True)
class Cell:
    """One kind of dataset: its names in the tables, and how it is drawn."""

    study: str
    design: str
    metric: str = "F1"
    score: float = 0.6
    correlation: float = 0.0
    likeness: str = "base"
    worse: float = 0.0
    """How much lower the cheaper model's true score is."""
    candidates: int = 2

    def __str__(self) -> str:
        """Return a text that distinguishes it from the other cells of its study."""
        parts = [self.design, self.metric]
        if self.study in ("means", "differences"):
            parts += [f"score {self.score:g}", f"correlation {self.correlation:g}"]
        else:
            parts += [self.likeness]
        if self.study == "correction":
            parts += [f"{self.candidates} candidates"]
        return ", ".join([*parts, *([f"worse by {self.worse:g}"] if self.worse else [])])

    def random(self, seed: int) -> np.random.Generator:
        """Return the cell's own random generator, which does not depend on other cells."""
        return np.random.default_rng([seed, zlib.crc32(repr(self).encode())])


def measure(cell: Cell, sets: int, seed: int) -> dict[str, float]:
    """Draw the cell's datasets and return the study's figures for them."""
    return {
        "means": means,
        "differences": differences,
        "weak spots": differences,
        "rule": rule,
        "ladder": ladder,
        "correction": correction,
    }[cell.study](cell, sets, cell.random(seed))


def means(cell: Cell, sets: int, random: np.random.Generator) -> dict[str, float]:
    """Return how often the interval of a mean contains the true score, and its mean width."""
    clusters = Clusters(documents_of(cell.design))
    covered = width = 0.0
    for _ in range(sets):
        scores = beta_binomial(random, cell.design, cell.score, cell.correlation, cell.metric)
        found = mean_interval(scores, clusters)
        if found.low is None or found.high is None:
            raise ValueError(f"{cell.design}: no interval")
        covered += found.low <= cell.score <= found.high
        width += found.high - found.low
    return {"coverage": covered / sets, "width": width / sets}


def differences(cell: Cell, sets: int, random: np.random.Generator) -> dict[str, float]:
    """Return how often a difference's interval and bound miss the truth, and the half width."""
    clusters = Clusters(documents_of(cell.design))
    likeness = LIKENESSES[cell.likeness]
    if cell.study == "differences":
        likeness = Likeness(likeness.common, cell.correlation)
    pair = (cell.score - cell.worse, cell.score)
    apart = np.empty((sets, clusters.questions))
    for each in apart:
        one, other = models(random, cell.design, pair, likeness, cell.metric)
        each[:] = one - other
    found = posterior(Totals.of(apart, clusters), clusters)
    low, high = lower_bounds(found, NO_NOISE, 0.025), upper_bounds(found, NO_NOISE, 0.025)
    lower = lower_bounds(found, NO_NOISE)
    truth = -cell.worse - FAILURE * likeness.failing
    return {
        "false alarms": float(np.mean((truth < low) | (truth > high))),
        "lower bound wrong": float(np.mean(lower > truth)),
        "half width": float(np.mean(found.mixtures.quantile(0.5) - lower)),
    }


def contest_of(scores: Numbers, clusters: Clusters) -> Contest:
    """Return a contest of models, each a fifth cheaper than the one before."""
    none = np.zeros((0, clusters.questions))
    return Contest(
        [
            Contestant(f"{place:02}", each[None], 0.8**place, none)
            for place, each in enumerate(scores)
        ],
        [],
        clusters,
    )


def rule(cell: Cell, sets: int, random: np.random.Generator) -> dict[str, float]:
    """Return how often a cheaper model is promoted, by luck or by the bound."""
    clusters = Clusters(documents_of(cell.design))
    pair = (cell.score, cell.score - cell.worse)
    found = {"luck": 0.0, "bound 0.03": 0.0, "bound 0.05": 0.0}
    for _ in range(sets):
        scores = models(random, cell.design, pair, LIKENESSES[cell.likeness], cell.metric)
        contest = contest_of(scores, clusters)
        for margin in (0.03, 0.05):
            choice = decide(contest, Rule(margin, MINIMUM_SAVING))
            if choice.leader[0] == 0:
                found[f"bound {margin}"] += float(choice.winner[0] == 1)
        found["luck"] += float(choice.leader[0] == 1)
    return {name: count / sets for name, count in found.items()}


def ladder(cell: Cell, sets: int, random: np.random.Generator) -> dict[str, float]:
    """Return the expected loss with ten candidates: by the rule, and by the best score alone."""
    clusters = Clusters(documents_of(cell.design))
    found = {"best score": 0.0, "rule 0.03": 0.0, "rule 0.05": 0.0, "worst wins": 0.0}
    for _ in range(sets):
        scores = models(random, cell.design, LADDER, LIKENESSES[cell.likeness], cell.metric)
        contest = contest_of(scores, clusters)
        for margin in (0.03, 0.05):
            choice = decide(contest, Rule(margin, MINIMUM_SAVING))
            found[f"rule {margin}"] += LADDER[0] - LADDER[choice.winner[0]]
            found["worst wins"] += float(choice.winner[0] == len(LADDER) - 1) / 2
        found["best score"] += LADDER[0] - LADDER[choice.leader[0]]
    return {name: count / sets for name, count in found.items()}


def correction(cell: Cell, sets: int, random: np.random.Generator) -> dict[str, float]:
    """Return how far the chosen model's measured and corrected scores are from the truth."""
    clusters = Clusters(documents_of(cell.design))
    true = (cell.score, *(cell.score - cell.worse,) * (cell.candidates - 1))
    chosen_by = Rule(0.03, MINIMUM_SAVING)
    errors = np.empty((sets, 2))
    for place in range(sets):
        scores = models(random, cell.design, true, LIKENESSES[cell.likeness], cell.metric)
        contest = contest_of(scores, clusters)
        found = corrected_score(contest, chosen_by, place)
        if found is None:
            raise ValueError(f"{cell.design}: no corrected score")
        truth = true[decide(contest, chosen_by).winner[0]]
        errors[place] = found.measured - truth, found.corrected - truth
    return {
        "measured": float(errors[:, 0].mean()),
        "corrected": float(errors[:, 1].mean()),
        "spread": float(np.sqrt((errors[:, 1] ** 2).mean())),
    }


def cells(study: str) -> Iterator[Cell]:
    """Yield the cells of a study's full table."""
    if study == "means":
        for design in DESIGNS:
            for metric in ("EM", "F1"):
                for score in (0.03, 0.1, 0.3, 0.6, 0.95):
                    for correlation in (0.0, 0.1, 0.5):
                        yield Cell(study, design, metric, score, correlation)
    elif study == "differences":
        for design in DESIGNS:
            for metric in ("EM", "F1"):
                for score in (0.03, 0.1, 0.3, 0.6, 0.95):
                    for correlation in (0.0, 0.1, 0.3, 0.5):
                        for worse in (0.0, 0.05) if score > 0.05 else (0.0,):
                            yield Cell(study, design, metric, score, correlation, worse=worse)
    elif study == "weak spots":
        for design in ("8 equal", "14 equal", "39 equal", "giant of 14", *_FAQUAD):
            hard = "difficulty differs as much"
            yield Cell(study, design, "EM", 0.95, likeness=hard, worse=0.05)
            yield Cell(study, design, score=0.95, likeness="fails on one document in twenty")
    elif study == "rule":
        for design in ("8 equal", "14 equal", "39 equal", "giant of 14", *_FAQUAD):
            for metric, likeness in (*(("F1", each) for each in _FOUR), ("EM", "base")):
                for worse in (0.0, 0.02, 0.03, 0.05, 0.1, 0.15):
                    yield Cell(study, design, metric, likeness=likeness, worse=worse)
    elif study == "ladder":
        for design in ("2 equal", "5 equal", "14 equal", "39 equal", "giant of 14", *_FAQUAD):
            for likeness in _FOUR:
                yield Cell(study, design, likeness=likeness)
    else:
        for design in ("5 equal", "8 equal", "14 equal", "39 equal", *_FAQUAD):
            for likeness in ("base", "documents differ more"):
                for candidates in (2, 3, 5, 10):
                    for worse in (0.0, 0.15):
                        yield Cell(
                            study, design, likeness=likeness, worse=worse, candidates=candidates
                        )


_FAQUAD = ("FaQuAD, 63", "FaQuAD, 900")
_FOUR = ("base", "documents differ more", "models less alike", "models alike")
