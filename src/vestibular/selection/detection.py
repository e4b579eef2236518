"""Differences that the given documents can detect, by simulating datasets like them.

Document means are drawn around zero, with the documents' sizes and the variances found between two
systems; the bounds of each draw show how far from zero a true difference must be for the bounds to
exclude zero.
"""

import numpy as np

from vestibular.selection.clusters import Clusters, Numbers
from vestibular.selection.differences import SeedNoise, half_widths
from vestibular.selection.means import LEVEL
from vestibular.selection.mixtures import Posterior, mixtures

POWER = 0.8
"""Probability of detecting a detectable difference, and of accepting an equal model."""
DRAWS = 400
"""Number of simulated datasets."""


def smallest_detectable(
    found: Posterior, noise: SeedNoise, clusters: Clusters, seed: int, level: float = LEVEL
) -> float:
    """Return the smallest true difference that is detected with 80 % probability.

    Args:
        found: posterior of the difference of two systems, one pair and part.
        noise: noise of the seeds.
        clusters: the documents.
        seed: seed of the simulation.
        level: level of the two-sided interval.
    """
    bounds = _drawn_bounds(found, noise, clusters, seed, level / 2)
    return min(1.0, float(np.quantile(-bounds, POWER)))


def margin_needed(
    found: Posterior, noise: SeedNoise, clusters: Clusters, seed: int, level: float = LEVEL
) -> float:
    """Return the margin within which an equal system is shown to be with 80 % probability.

    Args:
        found: posterior of the difference of two systems, one pair and part.
        noise: noise of the seeds.
        clusters: the documents.
        seed: seed of the simulation.
        level: level of the one-sided bound.
    """
    bounds = _drawn_bounds(found, noise, clusters, seed, level)
    return min(1.0, float(np.quantile(-bounds, POWER)))


def _drawn_bounds(
    found: Posterior, noise: SeedNoise, clusters: Clusters, seed: int, level: float
) -> Numbers:
    """Return the one-sided lower bounds of simulated datasets without a difference, (draws,)."""
    random = np.random.default_rng(seed)
    variance, spread = found.variances.item(), found.mixtures.spread.item()
    scale = np.sqrt(spread**2 + variance / clusters.sizes)
    means = random.standard_normal((DRAWS, clusters.documents)) * scale
    sizes, which = clusters.distinct_sizes
    powers = np.stack([each @ which for each in (np.ones_like(means), means, means**2)])
    drawn = mixtures(sizes, powers, np.full(DRAWS, variance))
    center = drawn.quantile(0.5)
    of_seeds = SeedNoise(np.full(DRAWS, noise.variances.item()), noise.freedom)
    shift = random.standard_normal(DRAWS) * np.sqrt(of_seeds.variances)
    return np.asarray(center + shift - half_widths(drawn, of_seeds, level, center))
