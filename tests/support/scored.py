"""Made-up scores for the tests of the choice: documents of given sizes, scores by a pattern."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vestibular.selection.clusters import Clusters
from vestibular.selection.contest import Contest, Contestant, Reference

FAQUAD_DEV = (13, 10, 9, 8, 4, 4, 3, 3, 3, 2, 1, 1, 1, 1)
"""Questions of each document of FaQuAD's development set."""


def clusters_of(sizes: Sequence[int]) -> Clusters:
    """Return documents of these sizes, one after the other."""
    return Clusters(np.repeat(np.arange(len(sizes)), sizes))


def pattern(count: int, step: int, modulus: int) -> NDArray[np.float64]:
    """Return scores that look drawn and are not: multiples of `step`, the rest kept."""
    return (np.arange(count) * step % modulus) / (modulus - 1)


def contest(
    clusters: Clusters,
    scores: dict[str, NDArray[np.float64]],
    costs: dict[str, float] | None = None,
    references: Sequence[Reference] = (),
    out: Sequence[str] = (),
) -> Contest:
    """Return a contest.

    Args:
        clusters: the documents.
        scores: by name, (questions,) or (seeds, questions).
        costs: by name; 1 where there is none.
        references: reference points.
        out: names of those that fail a constraint.
    """
    none = np.zeros((0, clusters.questions))
    return Contest(
        [
            Contestant(
                name, np.atleast_2d(each), (costs or {}).get(name, 1.0), none, name not in out
            )
            for name, each in scores.items()
        ],
        references,
        clusters,
    )
