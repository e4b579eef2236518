"""Questions grouped by document: documents, not questions, are the sampling unit."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Integers = NDArray[np.intp]
Flags = NDArray[np.bool_]

FEWEST_DOCUMENTS = 5
"""With fewer documents, intervals are flagged as based on few."""
LARGEST_SHARE = 0.5
"""Share of the questions from which one document is said to dominate."""


class Clusters:
    """The document of each question.

    Several statistics need only a document's size and the sum of its scores, so that they are
    computed from documents and never touch the questions again.
    """

    def __init__(self, documents: Sequence[int] | Integers) -> None:
        """Renumber the documents from 0, in the order of their numbers.

        Args:
            documents: each question's document, any whole numbers, (questions,).
        """
        _, index = np.unique(np.asarray(documents, dtype=np.intp), return_inverse=True)
        self.index: Integers = index
        self.sizes: Numbers = np.bincount(index).astype(np.float64)
        """Number of questions of each document, (documents,)."""

    @property
    def questions(self) -> int:
        """Number of questions."""
        return len(self.index)

    @property
    def documents(self) -> int:
        """Number of documents."""
        return len(self.sizes)

    @property
    def effective_documents(self) -> float:
        """Effective number of documents: (sum of sizes)^2 / sum of squares.

        Source: Carter, Schnepel and Steigerwald (2017), Asymptotic Behavior of a t-Test Robust to
        Cluster Heterogeneity, Review of Economics and Statistics 99(4).
        """
        return float(self.sizes.sum() ** 2 / (self.sizes**2).sum())

    @property
    def largest_share(self) -> float:
        """Share of the questions in the largest document, a fraction in (0, 1]."""
        return float(self.sizes.max() / self.sizes.sum())

    @property
    def few(self) -> bool:
        """Whether there are fewer than five documents."""
        return self.documents < FEWEST_DOCUMENTS

    @property
    def dominated(self) -> bool:
        """Whether one document holds half of the questions or more."""
        return self.largest_share >= LARGEST_SHARE

    def sums(self, values: Numbers) -> Numbers:
        """Return the sums by document: (..., questions) to (..., documents)."""
        rows = values.reshape(-1, self.questions)
        sums = np.empty((len(rows), self.documents))
        for place, row in enumerate(rows):
            sums[place] = np.bincount(self.index, row, minlength=self.documents)
        return sums.reshape(*values.shape[:-1], self.documents)

    @cached_property
    def distinct_sizes(self) -> tuple[Numbers, Numbers]:
        """The distinct sizes, (sizes,), and which document has which, (documents, sizes).

        The second is 1 if a document has the size, else 0.
        """
        sizes, which = np.unique(self.sizes, return_inverse=True)
        return sizes, np.eye(len(sizes))[which]
