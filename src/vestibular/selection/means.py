"""Intervals of a mean score whose questions are grouped in documents.

Documents differ: each has its own share of right answers, drawn from a beta distribution whose mean
is the score on new documents. Its spread is expressed by the intraclass correlation r, the
correlation between two questions of one document. The sums of F1 enter as fractional counts of
right answers.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from vestibular.selection.clusters import Clusters, Numbers

LEVEL = 0.05
"""Probability that a 95 % interval misses the true value."""

_COARSE, _FINE = 48, 64
"""Number of cells over the range of the mean, while the posterior is located and in the end."""
_NEGLIGIBLE = 1e-6
"""Share of the posterior below which cells at the edges of the range are dropped."""
_NARROWINGS = 4
_ROOTS = (np.arange(16) + 0.5) / 16
_CORRELATIONS = _ROOTS**2
"""Intraclass correlations, denser for small values."""
_TOGETHER = 1 << 11
"""Number of documents whose likelihood is in memory at a time."""


@dataclass(frozen=True)
class MeanInterval:
    """A mean score with the 95 % interval of the score on new documents."""

    value: float
    """Mean over all questions, a fraction in [0, 1]."""
    low: float | None
    """Lower end, or None if all questions are about one document."""
    high: float | None
    """Upper end, or None if all questions are about one document."""


def mean_interval(scores: Numbers, clusters: Clusters, level: float = LEVEL) -> MeanInterval:
    """Return a mean score with its interval.

    The interval is about new documents and weighs documents by their information, so that the plain
    mean may be outside if one document holds most of the questions; the interval is then extended
    to include the mean.

    Args:
        scores: each question's score, a fraction in [0, 1], (questions,).
        clusters: each question's document.
        level: probability that the interval misses the true value.
    """
    value = float(scores.mean())
    if clusters.documents == 1:
        return MeanInterval(value, None, None)
    low, high = posterior_bounds(clusters.sums(scores), clusters.sizes, level)
    return MeanInterval(value, min(low, value), max(high, value))


def posterior_bounds(sums: Numbers, sizes: Numbers, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of the mean in a hierarchical beta-binomial model, not yet extended.

    With y of n answers right in a document, mean m, intraclass correlation r and K = (1 - r) / r,
    the likelihood is the product of B(m K + y, (1 - m) K + n - y) / B(m K, (1 - m) K) over the
    documents. The prior of m is Jeffreys' Beta(1/2, 1/2), that of r is uniform; r is marginalized
    out. On the scale of arcsin(sqrt(m)) the prior of m is flat, and the posterior is about as wide
    everywhere.

    Source: Gelman et al. (2013), Bayesian Data Analysis, 3rd edition, section 5.3, for the model;
    Jeffreys (1946), Proceedings of the Royal Society A 186, for the prior of the mean.

    Args:
        sums: each document's sum of scores, (documents,).
        sizes: each document's number of questions, (documents,).
        level: probability that the interval misses the true value.
    """
    both = np.column_stack([sums, sizes]).round(6)
    pairs, counts = np.unique(both, axis=0, return_counts=True)
    start, end, cells = 0.0, np.pi / 2, _COARSE
    for _ in range(_NARROWINGS):
        edges = np.linspace(start, end, cells + 1)
        middles: Numbers = np.sin((edges[1:] + edges[:-1]) / 2) ** 2
        log = _log_posterior(middles, pairs, counts.astype(np.float64))
        mass = np.exp(log - log.max()).sum(axis=1)
        mass /= mass.sum()
        (kept,) = np.nonzero(mass > _NEGLIGIBLE)
        if cells == _FINE and len(kept) > _FINE / 4:
            break
        start, end = edges[max(0, kept[0] - 1)], edges[min(cells, kept[-1] + 2)]
        cells = _FINE
    cumulated = np.concatenate([[0.0], np.cumsum(mass)])
    low, high = np.sin(np.interp([level / 2, 1 - level / 2], cumulated, edges)) ** 2
    return float(low), float(high)


def _log_posterior(means: Numbers, pairs: Numbers, counts: Numbers) -> Numbers:
    """Return the log of the posterior up to a constant, (means, correlations).

    Args:
        means: (means,).
        pairs: distinct pairs of sum and size, (pairs, 2).
        counts: number of documents of each pair, (pairs,).
    """
    strength = (1 - _CORRELATIONS) / _CORRELATIONS
    right = means[:, None] * strength
    wrong = (1 - means[:, None]) * strength
    total = -counts.sum() * (gammaln(right) + gammaln(wrong) - gammaln(strength))
    for first in range(0, len(pairs), _TOGETHER):
        part = slice(first, first + _TOGETHER)
        hits, sizes = pairs[part, 0, None, None], pairs[part, 1, None, None]
        each = gammaln(right + hits) + gammaln(wrong + (sizes - hits)) - gammaln(strength + sizes)
        total = total + np.tensordot(counts[part], each, axes=1)
    # cell widths of the correlations are proportional to the slope of the square
    return np.asarray(total + np.log(_ROOTS), dtype=np.float64)
