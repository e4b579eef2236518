"""Posterior of the true difference between two systems, as a mixture of normals.

A document's mean difference d is normal around the true difference, with the variance tau^2 + s^2 /
n: tau is the spread between documents, s^2 the variance within them, n the document's number of
questions. The prior of tau is flat up to 0.6, since a handful of documents says little about it.
The prior of the true difference is flat too; its posterior for a given tau is normal.

Source: Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 5.4.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from vestibular.selection.clusters import Clusters, Numbers

SPREADS = np.concatenate([[0.0], np.geomspace(0.005, 0.6, 40)])
"""Grid of the spread between documents."""
_HALVES = (SPREADS[1:] + SPREADS[:-1]) / 2
_LOG_WIDTHS = np.log(np.diff(np.concatenate([[0.0], _HALVES, [SPREADS[-1]]])))
IMAGINARY = 2.0
"""Pseudo-observations, one question won and one lost: even if no difference was seen, there may be
one."""
_HALVINGS = 32
_TOGETHER = 1 << 20
"""Number of values in memory at a time."""


@dataclass(frozen=True, eq=False)
class Mixtures:
    """Posteriors of the true difference, one per dataset: (sets, spreads) each.

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
        """Return the quantile of the true difference at a probability, (sets,)."""
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
    """Sums of score differences over the questions of each document, (pairs, documents)."""

    sums: Numbers
    squares: Numbers

    @staticmethod
    def of(differences: Numbers, clusters: Clusters) -> "Totals":
        """Return the sums of differences and of their squares, from (pairs, questions)."""
        return Totals(clusters.sums(differences), clusters.sums(differences**2))


@dataclass(frozen=True, eq=False)
class Posterior:
    """Posterior of the differences of pairs on parts of a dataset, each (pairs, parts)."""

    values: Numbers
    """Plain mean difference over the questions."""
    variances: Numbers
    """Variance of one question's difference within documents."""
    mixtures: Mixtures
    """One mixture per pair and part; the parts of a pair are adjacent."""


def posterior(totals: Totals, clusters: Clusters, parts: Numbers | None = None) -> Posterior:
    """Return the posterior of each pair's true difference on each part.

    The smaller of the within-document and the total variance is used: if documents hold only one or
    two questions each, the former is unknown or nearly so.

    Args:
        totals: sums of the pairs.
        clusters: the documents.
        parts: 1 if a part contains a document, else 0, (parts, documents); by default one part with
            all documents. Every part contains at least two documents.
    """
    chosen = np.ones((1, clusters.documents)) if parts is None else parts
    count, documents = chosen @ clusters.sizes, chosen.sum(axis=1)
    means = totals.sums / clusters.sizes
    values = totals.sums @ chosen.T / count
    squares = totals.squares @ chosen.T
    total = (squares - count * values**2 + IMAGINARY) / count
    inside = squares - (totals.sums * means) @ chosen.T + IMAGINARY
    with np.errstate(divide="ignore"):
        # with one question per document there is no variance within
        within = np.where(count > documents, inside / (count - documents), np.inf)
    variances = np.minimum(within, total)

    sizes, which = clusters.distinct_sizes
    pairs, sets = len(means), len(chosen)
    powers = np.stack([np.ones_like(means), means, means**2])
    # documents of one size are interchangeable: (3, pairs, parts, sizes)
    together = np.empty((3, pairs, sets, len(sizes)))
    step = max(1, _TOGETHER // which.size)
    for first in range(0, pairs, step):
        part = slice(first, first + step)
        together[:, part] = chosen @ (powers[:, part, :, None] * which)
    flat = together.reshape(3, pairs * sets, len(sizes))
    return Posterior(values, variances, mixtures(sizes, flat, variances.reshape(-1)))


def mixtures(sizes: Numbers, powers: Numbers, variances: Numbers) -> Mixtures:
    """Return the posteriors of several datasets.

    Args:
        sizes: the distinct document sizes, (sizes,).
        powers: number of documents of each size, sum of their mean differences, and sum of the
            squares of these, (3, sets, sizes).
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
