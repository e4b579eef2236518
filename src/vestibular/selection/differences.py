"""Difference of two systems on the same questions: consistent bounds, interval and p-value.

All three come from one posterior (see `mixtures.py`), so that an interval excludes zero exactly if
the p-value is below its level.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from vestibular.selection.clusters import Clusters, Flags, Numbers
from vestibular.selection.means import LEVEL
from vestibular.selection.mixtures import Mixtures, Posterior, Totals, posterior

_HALVINGS = 32


@dataclass(frozen=True, eq=False)
class SeedNoise:
    """Variation of the difference of two mean scores due to training seeds alone."""

    variances: Numbers
    """Variance of the difference, one per dataset, (sets,); 0 if neither system has several
    seeds."""
    freedom: int
    """Degrees of freedom of the variances; 0 if neither system has several seeds."""

    def margin(self, half_width: Numbers, level: float) -> Numbers:
        """Return the distance of a one-sided bound from the center, widened by the seed noise.

        Args:
            half_width: distance without it, (sets,).
            level: probability that the bound is wrong.
        """
        if self.freedom == 0:
            return half_width
        multiple = stdtrit(self.freedom, 1 - level)
        return np.asarray(np.hypot(half_width, multiple * np.sqrt(self.variances)))


def seed_noise(*seeds: Numbers) -> SeedNoise:
    """Return the noise in the difference of means over seeds.

    Each system is averaged over its seeds, so that the variance of its mean is the variance of the
    seeds' mean scores, divided by their number; a system with one seed adds none. The variances are
    not pooled with those of other systems: adding a system would then change the choice between
    two.

    Args:
        seeds: for each system, the mean score of each seed, (sets, seeds).
    """
    varied = [each for each in seeds if each.shape[1] > 1]
    variances = np.zeros(len(seeds[0]))
    for each in varied:
        variances += each.var(axis=1, ddof=1) / each.shape[1]
    return SeedNoise(variances, sum(each.shape[1] - 1 for each in varied))


NO_NOISE = SeedNoise(np.zeros(1), 0)


@dataclass(frozen=True)
class Difference:
    """The mean score of one system minus that of another on the same questions.

    If the questions are about one document, only the value is known: nothing shows how documents
    differ.
    """

    value: float
    """In [-1, 1]."""
    low: float | None
    """Lower end of the 95 % interval of the true difference."""
    high: float | None
    """Upper end of that interval."""
    lower: float | None
    """One-sided 95 % lower bound of the true difference."""
    p_value: float | None
    """Smallest level at which the interval excludes zero."""
    half_width: float | None
    """Distance of the one-sided bound from the median of the posterior."""


def difference(
    one: Numbers, other: Numbers, clusters: Clusters, level: float = LEVEL
) -> Difference:
    """Return the difference of two systems' mean scores.

    Args:
        one: scores, (questions,) or (seeds, questions).
        other: scores of the other system; the number of seeds may differ.
        clusters: each question's document.
        level: probability that the interval, or the bound, is wrong.
    """
    first, second = np.atleast_2d(one), np.atleast_2d(other)
    apart = first.mean(axis=0) - second.mean(axis=0)
    value = float(apart.mean())
    if clusters.documents == 1:
        return Difference(value, None, None, None, None, None)
    found = posterior(Totals.of(apart[None], clusters), clusters)
    noise = seed_noise(first.mean(axis=1)[None], second.mean(axis=1)[None])
    return Difference(
        value,
        low=float(lower_bounds(found, noise, level / 2)[0]),
        high=float(upper_bounds(found, noise, level / 2)[0]),
        lower=float(lower_bounds(found, noise, level)[0]),
        p_value=p_value(found, noise),
        half_width=float(half_widths(found.mixtures, noise, level)[0]),
    )


def lower_bounds(found: Posterior, noise: SeedNoise, level: float = LEVEL) -> Numbers:
    """Return one-sided lower bounds of the true differences, (sets,), never above the plain ones.

    Args:
        found: posteriors; their pairs and parts are the sets.
        noise: noise of the seeds.
        level: probability that a bound is too high.
    """
    center = found.mixtures.quantile(0.5)
    bound = center - half_widths(found.mixtures, noise, level, center)
    return np.maximum(-1.0, np.minimum(found.values.reshape(-1), bound))


def upper_bounds(found: Posterior, noise: SeedNoise, level: float = LEVEL) -> Numbers:
    """Return one-sided upper bounds of the true differences, (sets,), never below the plain ones.

    Args:
        found: posteriors; their pairs and parts are the sets.
        noise: noise of the seeds.
        level: probability that a bound is too low.
    """
    center = found.mixtures.quantile(0.5)
    bound = center + noise.margin(found.mixtures.quantile(1 - level) - center, level)
    return np.minimum(1.0, np.maximum(found.values.reshape(-1), bound))


def shown_above(found: Posterior, noise: SeedNoise, value: float, level: float = LEVEL) -> Flags:
    """Return whether the one-sided lower bounds are above a value, (sets,).

    Equivalent to comparing `lower_bounds`, for a fraction of the arithmetic.

    Args:
        found: posteriors; their pairs and parts are the sets.
        noise: noise of the seeds.
        value: in (-1, 1).
        level: probability that a bound is too high.
    """
    if noise.freedom:
        return lower_bounds(found, noise, level) > value
    above: Flags = found.values.reshape(-1) > value
    return above & (found.mixtures.below(value) < level)


def half_widths(
    mixed: Mixtures, noise: SeedNoise, level: float = LEVEL, center: Numbers | None = None
) -> Numbers:
    """Return how far the one-sided lower bounds are below the medians, (sets,).

    Args:
        mixed: posteriors.
        noise: noise of the seeds.
        level: probability that a bound is too high.
        center: the medians, if known.
    """
    middle = mixed.quantile(0.5) if center is None else center
    return noise.margin(middle - mixed.quantile(level), level)


def p_value(found: Posterior, noise: SeedNoise) -> float:
    """Return the smallest level at which the two-sided interval of one dataset excludes zero.

    If the plain difference and the median have opposite signs, no interval excludes zero: each
    contains both.
    """
    value, center = found.values.item(), found.mixtures.quantile(0.5).item()
    if value * center <= 0:
        return 1.0
    if noise.freedom == 0:
        below = found.mixtures.below(0.0).item()
        return min(1.0, 2 * min(below, 1 - below))
    bounds = lower_bounds if value > 0 else upper_bounds
    least, most = 0.0, 1.0
    for _ in range(_HALVINGS):
        level = (least + most) / 2
        if bounds(found, noise, level / 2).item() * value > 0:
            most = level
        else:
            least = level
    return most
