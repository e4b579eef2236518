"""Input of a choice as arrays: scores by question, costs, and reference points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vestibular.selection.clusters import Clusters, Flags, Integers, Numbers
from vestibular.selection.differences import (
    NO_NOISE,
    SeedNoise,
    lower_bounds,
    seed_noise,
    shown_above,
)
from vestibular.selection.mixtures import Posterior, Totals, posterior

PLACES = 6
"""Decimal places of a score, as many as stored for single answers."""


@dataclass(frozen=True, eq=False)
class Contestant:
    """A candidate, in the form the rule takes."""

    name: str
    scores: Numbers
    """Scores in the deciding metric, (seeds, questions); the same number of seeds for every
    candidate."""
    cost: float
    """In any unit; lower is better."""
    tie_breakers: Numbers
    """Scores in further metrics that order equal candidates, (metrics, questions)."""
    meets_constraints: bool = True


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference point that the winner must exceed."""

    name: str
    scores: Numbers
    """Its scores, (candidates, questions): an untouched base differs by candidate."""
    asked: Flags | None = None
    """Questions for which it has a score, (questions,); all by default."""


class Contest:
    """Candidates and reference points on the same questions."""

    def __init__(
        self,
        contestants: Sequence[Contestant],
        references: Sequence[Reference],
        clusters: Clusters,
    ) -> None:
        """Compute the sums by document, from which everything else follows.

        Args:
            contestants: the candidates.
            references: reference points that a winner must exceed.
            clusters: each question's document.
        """
        # full ties are decided by name, whatever order is given
        self.contestants = tuple(contestants)
        self.names = tuple(one.name for one in contestants)
        self.costs: Numbers = np.array([one.cost for one in contestants])
        self.allowed: Flags = np.array([one.meets_constraints for one in contestants])
        self.clusters = clusters
        self.references = tuple(references)
        seeds = np.stack([one.scores for one in contestants])
        self.scores: Numbers = seeds.mean(axis=1)
        """Averaged over seeds, (candidates, questions)."""
        self._seed_sums = clusters.sums(seeds)
        self._sums = clusters.sums(self.scores)
        self._tie_sums = clusters.sums(np.stack([one.tie_breakers for one in contestants]))

    def means(self, parts: Numbers) -> Numbers:
        """Return the mean scores, rounded, (parts, candidates)."""
        return np.round(parts @ self._sums.T / self._count(parts), PLACES)

    def order(self, parts: Numbers) -> Integers:
        """Return the candidates by rank, the best first, (parts, candidates).

        Equal scores are ordered by the tie breakers, then cost, then name.
        """
        names = np.argsort(np.argsort(np.array(self.names)))
        ties = np.round(parts @ self._tie_sums.transpose(1, 2, 0) / self._count(parts), PLACES)
        means = self.means(parts)
        keys = [names, self.costs, *(-ties[::-1]), -means]
        return np.lexsort([np.broadcast_to(key, means.shape) for key in keys], axis=-1)

    def pair(
        self, one: Sequence[int], other: Sequence[int], parts: Numbers
    ) -> tuple[Posterior, SeedNoise]:
        """Return the posterior and the seed noise of differences between pairs of candidates.

        Args:
            one: the first candidate of each pair, (pairs,).
            other: the candidate that is subtracted.
            parts: see `posterior`.
        """
        first, second = np.array(one), np.array(other)
        totals = Totals.of(self.scores[first] - self.scores[second], self.clusters)
        noise = seed_noise(self._seed_means(first, parts), self._seed_means(second, parts))
        return posterior(totals, self.clusters, parts), noise

    def pair_bounds(self, one: Sequence[int], other: Sequence[int], parts: Numbers) -> Numbers:
        """Return lower bounds of the differences of pairs of candidates, (pairs, parts).

        With one document the differences are unknown, and the bounds are -1.
        """
        if self.clusters.documents == 1 or not one:
            return np.full((len(one), len(parts)), -1.0)
        return lower_bounds(*self.pair(one, other, parts)).reshape(len(one), len(parts))

    def shown_above(
        self, one: Sequence[int], other: Sequence[int], parts: Numbers, value: float
    ) -> Flags:
        """Return whether the `pair_bounds` are above a value in (-1, 1), (pairs, parts)."""
        if self.clusters.documents == 1 or not one:
            return np.zeros((len(one), len(parts)), dtype=np.bool_)
        return shown_above(*self.pair(one, other, parts), value).reshape(len(one), len(parts))

    def advantages(self, reference: Reference, parts: Numbers) -> Numbers:
        """Return each candidate's advantage over a reference point, rounded, (parts, candidates).

        NaN for a part without a question for which the reference point has a score.
        """
        apart, clusters, kept = self._against(reference)
        chosen = parts[:, kept]
        with np.errstate(invalid="ignore"):
            each = chosen @ clusters.sums(apart).T / (chosen @ clusters.sizes)[:, None]
        return np.round(each, PLACES)

    def advantage_bounds(self, reference: Reference, parts: Numbers) -> Numbers:
        """Return lower bounds of `advantages`, (parts, candidates); -1 if unknown."""
        apart, clusters, kept = self._against(reference)
        chosen = parts[:, kept]
        bounds = np.full((len(parts), len(self.names)), -1.0)
        known = chosen.sum(axis=1) >= 2  # documents
        if known.any():
            found = posterior(Totals.of(apart, clusters), clusters, chosen[known])
            noise = NO_NOISE
            if self._seed_sums.shape[1] > 1:
                noise = seed_noise(self._seed_means(np.arange(len(apart)), parts[known]))
            bounds[known] = lower_bounds(found, noise).reshape(len(apart), -1).T
        return bounds

    def whole(self) -> Numbers:
        """Return the single part with every document, (1, documents)."""
        return np.ones((1, self.clusters.documents))

    def _count(self, parts: Numbers) -> Numbers:
        return np.asarray(parts @ self.clusters.sizes)[:, None]

    def _seed_means(self, candidates: Integers, parts: Numbers) -> Numbers:
        """Return the mean score of each seed, (candidates x parts, seeds)."""
        sums = parts @ self._seed_sums[candidates].transpose(0, 2, 1)
        return np.asarray((sums / self._count(parts)).reshape(-1, sums.shape[-1]))

    def _against(self, reference: Reference) -> tuple[Numbers, Clusters, Integers]:
        """Return the differences, the documents of the scored questions, and their numbers."""
        apart = self.scores - reference.scores
        if reference.asked is None:
            return apart, self.clusters, np.arange(self.clusters.documents)
        index = self.clusters.index[reference.asked]
        return apart[:, reference.asked], Clusters(index), np.unique(index)
