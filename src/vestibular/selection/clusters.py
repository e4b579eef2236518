"""Questions and the documents that they are about: the unit that is drawn is the document."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Integers = NDArray[np.intp]
Flags = NDArray[np.bool_]

FEWEST_DOCUMENTS = 5
"""With fewer documents an interval is named as resting on few."""
LARGEST_SHARE = 0.5
"""Share of the questions from which on one document is named as dominating the others."""


class Clusters:
    """Which document each question is about.

    Several statistics need a document's size, the sums of its scores and nothing else, so that
    they are computed from documents and never touch the questions again.
    """

    def __init__(self, documents: Sequence[int] | Integers) -> None:
        """Number the documents from 0 in the order of their numbers.

        Args:
            documents: each question's document, any whole numbers, (questions,).
        """
        _, index = np.unique(np.asarray(documents, dtype=np.intp), return_inverse=True)
        self.index: Integers = index
        self.sizes: Numbers = np.bincount(index).astype(np.float64)
        """Questions of each document, (documents,)."""

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
        """Number of equal documents that would weigh as much: (sum of sizes)^2 / sum of squares.

        Source: Carter, Schnepel and Steigerwald (2017), Asymptotic Behavior of a t-Test Robust
        to Cluster Heterogeneity, Review of Economics and Statistics 99(4).
        """
        return float(self.sizes.sum() ** 2 / (self.sizes**2).sum())

    @property
    def largest_share(self) -> float:
        """Share of the questions that the largest document holds, a fraction in (0, 1]."""
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
        """Return each document's sum: (..., questions) to (..., documents)."""
        rows = values.reshape(-1, self.questions)
        sums = np.empty((len(rows), self.documents))
        for place, row in enumerate(rows):
            sums[place] = np.bincount(self.index, row, minlength=self.documents)
        return sums.reshape(*values.shape[:-1], self.documents)

    @cached_property
    def distinct_sizes(self) -> tuple[Numbers, Numbers]:
        """The sizes that occur, (sizes,), and which document has which, (documents, sizes).

        The second is 1 where a document has the size, else 0.
        """
        sizes, which = np.unique(self.sizes, return_inverse=True)
        return sizes, np.eye(len(sizes))[which]
