"""What the documents say of a true difference between two systems, as mixtures of normals.

A document's mean difference d is normal around the true difference, with the variance
tau^2 + s^2 / n: tau is the spread between documents, s^2 the variance within them, n the
document's number of questions. The prior of tau is flat up to 0.6, since a spread cannot be told
from a handful of documents; the true difference is flat, too, and normal for a given tau.

Source: Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 5.4.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from vestibular.selection.clusters import Clusters, Numbers

SPREADS = np.concatenate([[0.0], np.geomspace(0.005, 0.6, 40)])
"""Spreads between documents that are mixed."""
_HALVES = (SPREADS[1:] + SPREADS[:-1]) / 2
_LOG_WIDTHS = np.log(np.diff(np.concatenate([[0.0], _HALVES, [SPREADS[-1]]])))
IMAGINARY = 2.0
"""Squares added to those seen, one question won and one lost: where no difference was seen there
may be one all the same."""
_HALVINGS = 32
_TOGETHER = 1 << 20
"""Numbers held in memory at a time."""


@dataclass(frozen=True, eq=False)
class Mixtures:
    """Posteriors of the true difference, one a data set: (sets, spreads) each.

    For a given spread the difference is normal; the spreads are weighted by their probability.
    """

    weights: Numbers
    centers: Numbers
    deviations: Numbers

    def below(self, value: float) -> Numbers:
        """Return the probability that the true difference is below a value, (sets,)."""
        return np.asarray(
            (self.weights * ndtr((value - self.centers) / self.deviations)).sum(axis=1)
        )

    def quantile(self, probability: float) -> Numbers:
        """Return the value below which the true difference is with a probability, (sets,)."""
        ends = self.centers + ndtri(probability) * self.deviations
        low, high = ends.min(axis=1), ends.max(axis=1)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            scaled = (middle[:, None] - self.centers) / self.deviations
            above = (self.weights * ndtr(scaled)).sum(axis=1) > probability
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.asarray((low + high) / 2)

    @property
    def spread(self) -> Numbers:
        """The mean spread between documents, (sets,)."""
        return np.asarray(self.weights @ SPREADS)


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums over the questions of each document, (pairs, documents), of differences in score."""

    sums: Numbers
    squares: Numbers

    @staticmethod
    def of(differences: Numbers, clusters: Clusters) -> "Totals":
        """Return the sums of differences and of their squares: from (pairs, questions)."""
        return Totals(clusters.sums(differences), clusters.sums(differences**2))


@dataclass(frozen=True, eq=False)
class Posterior:
    """What parts of a dataset say of the differences of pairs, each (pairs, parts)."""

    values: Numbers
    """Plain mean difference over the questions."""
    variances: Numbers
    """Variance within documents, of one question's difference."""
    mixtures: Mixtures
    """One a pair and part, the parts of a pair after each other."""


def posterior(totals: Totals, clusters: Clusters, parts: Numbers | None = None) -> Posterior:
    """Return what the documents of each part say of each pair's true difference.

    The variance is the least of the one within documents and the total one: where documents hold
    a question each, or two, the first is not known, or hardly.

    Args:
        totals: of the pairs.
        clusters: the documents.
        parts: 1 where a part holds a document, else 0, (parts, documents); by default one part
            that holds all. Every part holds two documents or more.
    """
    chosen = np.ones((1, clusters.documents)) if parts is None else parts
    count, documents = chosen @ clusters.sizes, chosen.sum(axis=1)
    means = totals.sums / clusters.sizes
    values = totals.sums @ chosen.T / count
    squares = totals.squares @ chosen.T
    total = (squares - count * values**2 + IMAGINARY) / count
    inside = squares - (totals.sums * means) @ chosen.T + IMAGINARY
    with np.errstate(divide="ignore"):
        # where every document holds one question, nothing varies within it
        within = np.where(count > documents, inside / (count - documents), np.inf)
    variances = np.minimum(within, total)

    sizes, which = clusters.distinct_sizes
    pairs, sets = len(means), len(chosen)
    powers = np.stack([np.ones_like(means), means, means**2])
    # documents of one size count alike: (3, pairs, parts, sizes)
    together = np.empty((3, pairs, sets, len(sizes)))
    step = max(1, _TOGETHER // which.size)
    for first in range(0, pairs, step):
        part = slice(first, first + step)
        together[:, part] = chosen @ (powers[:, part, :, None] * which)
    flat = together.reshape(3, pairs * sets, len(sizes))
    return Posterior(values, variances, mixtures(sizes, flat, variances.reshape(-1)))


def mixtures(sizes: Numbers, powers: Numbers, variances: Numbers) -> Mixtures:
    """Return the posteriors of several data sets.

    Args:
        sizes: the sizes of documents that occur, (sizes,).
        powers: number of documents of each size, sum of their mean differences, and sum of those
            squared, (3, sets, sizes).
        variances: variance within documents, (sets,).
    """
    step = max(1, _TOGETHER // (len(SPREADS) * len(sizes)))
    parts = []
    for first in range(0, len(variances), step):
        part = slice(first, first + step)
        spread = SPREADS[:, None] ** 2 + variances[part, None, None] / sizes
        # (sets, spreads, sizes) times (sets, sizes, 3)
        precise = (1 / spread) @ powers[:, part].transpose(1, 2, 0)
        weight, linear, square = np.moveaxis(precise, 2, 0)
        center = linear / weight
        log = -(np.log(spread) @ powers[0, part, :, None])[:, :, 0] / 2
        log += _LOG_WIDTHS - np.log(weight) / 2 - (square - center * linear) / 2
        mass = np.exp(log - log.max(axis=1, keepdims=True))
        parts.append((mass / mass.sum(axis=1, keepdims=True), center, 1 / np.sqrt(weight)))
    return Mixtures(*(np.concatenate(each) for each in zip(*parts, strict=True)))
