"""How sure a score is: intervals and tests that know that a document's questions are alike.

Documents, not questions, are drawn with replacement, all of a document's questions with it
(cluster bootstrap). The draws are the same for every score, so that a difference between two
scores is resampled in pairs. Nothing here imports torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr, ndtri, stdtr, stdtrit

RESAMPLES = 10_000
"""Times that the documents are drawn anew."""
LEVEL = 0.05
"""Probability, at most, of calling a difference real where there is none; the intervals hold
the true value with one minus this."""
POWER = 0.8
"""Probability with which a detectable difference is detected."""
CHUNK_CELLS = 1 << 16
"""Numbers held at a time while drawing: few enough for the processor's cache."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A score and the interval that holds its true value with probability 0.95."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """One score less another on the same questions."""

    value: float
    low: float
    high: float
    p_value: float
    """Probability of a difference at least as large, either way, if there is none in truth."""
    standard_error: float


class Bootstrap:
    """Scores of several systems on the same questions, resampled by document.

    The interval is Hesterberg's expanded percentile interval. Between plain percentiles lies
    the truth too rarely where documents are few (about 90 times in 100 with 13 unequal ones);
    the expanded ones lie further out, by as much as Student's interval is wider than the
    normal one. Its degrees of freedom are those of the effective number of documents,
    (sum of sizes)^2 / (sum of squared sizes), which is smaller where sizes differ.

    Where all documents have the same mean, resampling can say nothing. The interval then
    leaves room for a share of questions unlike those seen, as large as could have gone unseen
    with a probability of 0.025: 1 - 0.025^(1 / questions). That takes questions for
    independent, since nothing is known of how alike the unseen ones are. With a single document
    the interval is all that a score can be. Where only a question or two are right, the upper
    end is too low, as with every bootstrap.

    Source: Hesterberg (2015), What Teachers Should Know About the Bootstrap, The American
    Statistician 69(4), section 5.3; Carter, Schnepel and Steigerwald (2017), Asymptotic
    Behavior of a t-Test Robust to Cluster Heterogeneity, Review of Economics and Statistics
    99(4), for the effective number; Clopper and Pearson (1934) for the share.
    """

    def __init__(
        self, documents: Sequence[int], scores: Mapping[str, Sequence[float]], seed: int
    ) -> None:
        """Draw the documents and take every system's mean score of each draw.

        Args:
            documents: each question's document, numbered from 0.
            scores: for each system its score of every question, in [0, 1].
            seed: seed of the draws.
        """
        index = np.asarray(documents)
        self.questions = len(index)
        self.documents = int(index.max()) + 1
        sizes = np.bincount(index).astype(np.float64)
        self.effective_documents = float(sizes.sum() ** 2 / (sizes**2).sum())
        self._columns = {name: place for place, name in enumerate(scores)}
        # (systems, documents), (documents, systems + 1) and (resamples, systems)
        sums = np.array([np.bincount(index, weights=values) for values in scores.values()])
        self._document_means = sums / sizes
        self._means = sums.sum(axis=1) / sizes.sum()
        drawn = _draw(np.column_stack([sums.T, sizes]), seed)
        self._draws = drawn[:, :-1] / drawn[:, -1:]

    def interval(self, name: str) -> Interval:
        """Return a system's mean score with its interval."""
        place = self._columns[name]
        low, high = self._bounds(
            float(self._means[place]), self._draws[:, place], self._document_means[place], 0.0
        )
        return Interval(float(self._means[place]), low, high)

    def difference(self, name: str, other: str) -> Difference:
        """Return the mean score of `name` less that of `other`, with interval and p-value.

        The p-value is the smallest level whose interval leaves out zero, so that the two never
        contradict each other; with 10,000 resamples it has a floor.
        """
        one, two = self._columns[name], self._columns[other]
        value = float(self._means[one] - self._means[two])
        draws = self._draws[:, one] - self._draws[:, two]
        means = self._document_means[one] - self._document_means[two]
        low, high = self._bounds(value, draws, means, -1.0)
        return Difference(value, low, high, self._p_value(value, draws, means), float(draws.std()))

    def detectable(self, standard_error: float, level: float) -> float:
        """Return the smallest true difference that is called real with a probability of 0.8.

        Source: Bloom (1995), Minimum Detectable Effects, Evaluation Review 19(5).
        """
        if self.documents == 1:
            return 1.0
        freedom = self.effective_documents - 1
        multiple = stdtrit(freedom, 1 - level / 2) + stdtrit(freedom, POWER)
        return min(1.0, float(multiple) * standard_error)

    def _bounds(
        self, value: float, draws: Numbers, document_means: Numbers, least: float
    ) -> tuple[float, float]:
        """Return the interval within [least, 1]."""
        if self.documents == 1:
            return least, 1.0
        if np.ptp(document_means) < 1e-12:
            unseen = 1 - (LEVEL / 2) ** (1 / self.questions)
            return value + unseen * (least - value), value + unseen * (1 - value)
        tail = ndtr(self._stretch * stdtrit(self.effective_documents - 1, LEVEL / 2))
        low, high = np.quantile(draws, [tail, 1 - tail])
        return float(low), float(high)

    def _p_value(self, value: float, draws: Numbers, document_means: Numbers) -> float:
        if self.documents == 1 or abs(value) < 1e-12:
            return 1.0
        if np.ptp(document_means) < 1e-12:
            # every document says the same: the sign test's value
            return min(1.0, 2 * 0.5**self.documents)
        beyond = np.mean(draws < 0) if value > 0 else np.mean(draws > 0)
        # a draw at zero counts half
        tail = max(float(beyond + np.mean(draws == 0) / 2), 1 / (len(draws) + 1))
        statistic = ndtri(min(tail, 0.5)) / self._stretch
        return min(1.0, 2 * float(stdtr(self.effective_documents - 1, statistic)))

    @property
    def _stretch(self) -> float:
        return float(np.sqrt(self.effective_documents / (self.effective_documents - 1)))


def _draw(totals: Numbers, seed: int) -> Numbers:
    """Return the sums over documents drawn with replacement: (documents, n) to (resamples, n)."""
    documents = len(totals)
    random = np.random.default_rng(seed)
    rows = max(1, CHUNK_CELLS // documents)
    parts = []
    for start in range(0, RESAMPLES, rows):
        count = min(rows, RESAMPLES - start)
        drawn = random.integers(0, documents, size=(count, documents))
        cells = drawn + np.arange(count)[:, None] * documents
        times = np.bincount(cells.ravel(), minlength=count * documents).reshape(count, documents)
        parts.append(times.astype(np.float64) @ totals)
    return np.concatenate(parts)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the p-value of McNemar's exact test, two-sided.

    Of the questions that one of two systems alone has right, each is right with either equally
    often if there is no difference: a binomial test with a half. It takes questions for
    independent of each other.

    Source: McNemar (1947), Psychometrika 12(2); the exact form is the binomial test.

    Args:
        only_first: questions that the first system alone has right.
        only_second: questions that the second system alone has right.
    """
    fewer = min(only_first, only_second)
    return min(1.0, 2 * float(bdtr(fewer, only_first + only_second, 0.5)))


def fewest_questions(level: float) -> int:
    """Return how many questions, all one way, McNemar's exact test needs to call it real."""
    count = 1
    while mcnemar(count, 0) > level:
        count += 1
    return count


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Correct the p-values of several comparisons made at once.

    Source: Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian
    Journal of Statistics 6(2).
    """
    corrected: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = largest
    return corrected
