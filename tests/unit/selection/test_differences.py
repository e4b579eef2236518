"""Differences: bounds against quadrature and another implementation, and what agrees with what."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from tests.support.scored import FAQUAD_DEV, clusters_of, pattern
from vestibular.selection.clusters import Clusters
from vestibular.selection.detection import margin_needed, smallest_detectable
from vestibular.selection.differences import (
    NO_NOISE,
    Difference,
    difference,
    lower_bounds,
    seed_noise,
    shown_above,
)
from vestibular.selection.mixtures import Totals, posterior

SHAPES = {
    "FaQuAD": FAQUAD_DEV,
    "2 equal": (10,) * 2,
    "5 equal": (10,) * 5,
    "giant": (130, *(10,) * 13),
    "one each": (1,) * 12,
    "39 equal": (10,) * 39,
}


def example(sizes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, Clusters]:
    count = sum(sizes)
    return pattern(count, 7, 11), pattern(count, 5, 13) * 0.8, clusters_of(sizes)


@pytest.mark.parametrize(
    ("shape", "value", "low", "high", "lower", "p_value"),
    [
        ("FaQuAD", 0.1021, -0.0188, 0.2217, 0.0013, 0.0958),
        ("5 equal", 0.0947, -0.0771, 0.2665, -0.0429, 0.2382),
        ("giant", 0.1008, 0.0434, 0.1594, 0.0532, 0.0015),
        ("one each", 0.0694, -0.2900, 0.4289, -0.2308, 0.7010),
        ("39 equal", 0.1003, 0.0588, 0.1417, 0.0655, 0.0000),
    ],
)
def test_differences_agree_with_another_implementation(
    shape: str, value: float, low: float, high: float, lower: float, p_value: float
) -> None:
    """It gives the ends of the range of spreads other weights, which shows a little."""
    found = difference(*example(SHAPES[shape]))
    assert found.value == pytest.approx(value, abs=1e-4)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.008)
    assert found.lower == pytest.approx(lower, abs=0.005)
    assert found.p_value == pytest.approx(p_value, abs=0.006)


@pytest.mark.parametrize("shape", ["FaQuAD", "2 equal", "giant"])
def test_the_probability_is_that_of_the_model(shape: str) -> None:
    """Quadrature over the spread between documents, with normals of scipy.stats, agrees."""
    one, other, clusters = example(SHAPES[shape])
    apart = one - other
    found = posterior(Totals.of(apart[None], clusters), clusters)
    sizes = np.array(SHAPES[shape])
    means = np.array([apart[clusters.index == place].mean() for place in range(len(sizes))])
    inside = sum(
        ((apart[clusters.index == place] - mean) ** 2).sum() for place, mean in enumerate(means)
    )
    variance = min(
        (inside + 2) / (len(apart) - len(sizes)),
        (((apart - apart.mean()) ** 2).sum() + 2) / len(apart),
    )
    assert found.variances.item() == pytest.approx(variance)

    def likelihood(spread: float) -> tuple[float, float, float]:
        scale = np.sqrt(spread**2 + variance / sizes)
        center = (means / scale**2).sum() / (1 / scale**2).sum()
        error = (1 / scale**2).sum() ** -0.5
        # the flat prior of the difference is integrated out
        return float(np.prod(norm.pdf(means, center, scale)) * error), float(center), float(error)

    def weighted(spread: float, value: float) -> float:
        weight, center, error = likelihood(spread)
        return weight * float(norm.cdf(value, center, error))

    whole = quad(lambda spread: likelihood(spread)[0], 0, 0.6, limit=200)[0]
    for value in (-0.1, 0.0, 0.05, 0.2):
        below = quad(lambda spread, at=value: weighted(spread, at), 0, 0.6, limit=200)[0] / whole
        assert found.mixtures.below(value).item() == pytest.approx(below, abs=0.003)
        assert found.mixtures.quantile(found.mixtures.below(value).item()).item() == pytest.approx(
            value, abs=1e-6
        )


def test_one_document_says_nothing() -> None:
    """But for the difference itself."""
    found = difference(np.array([1.0, 0.0]), np.array([0.0, 0.0]), Clusters([0, 0]))
    assert found == Difference(0.5, None, None, None, None, None)


@pytest.mark.parametrize(
    ("documents", "p_value"), [(2, 0.1183), (3, 0.0256), (4, 0.0036), (5, 0.00037)]
)
def test_documents_that_agree_have_a_p_value_without_a_floor(
    documents: int, p_value: float
) -> None:
    """Better by 0.3 on every question: two documents cannot show it, five can."""
    one = np.full(10 * documents, 0.3)
    found = difference(one, np.zeros(len(one)), clusters_of((10,) * documents)).p_value
    assert found == pytest.approx(p_value, rel=0.08)


def test_a_giant_document_stretches_the_bounds() -> None:
    """It is far below, thirteen others above: bound and interval hold the plain mean, p is 1."""
    clusters = clusters_of((130, *(10,) * 13))
    one = np.where(clusters.index == 0, -0.3, 0.1) + 0.2 * (pattern(260, 7, 11) - 0.5)
    found = difference(one, np.zeros(260), clusters)
    documents = posterior(Totals.of(one[None], clusters), clusters)
    assert found.value == pytest.approx(-0.1, abs=0.01)
    assert documents.mixtures.quantile(0.05).item() > -0.02
    assert found.low == found.lower == found.value
    assert found.high > 0
    assert found.p_value == 1


SCORE = st.sampled_from([0.0, 0.25, 0.5, 1.0])
DOCUMENTS = st.lists(
    st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=8), min_size=2, max_size=8
)


def drawn(documents: list[list[tuple[float, float]]]) -> tuple[np.ndarray, np.ndarray, Clusters]:
    pairs = np.array([pair for document in documents for pair in document])
    return pairs[:, 0], pairs[:, 1], clusters_of([len(document) for document in documents])


@settings(deadline=None, max_examples=150)
@given(DOCUMENTS)
def test_interval_bound_and_p_value_never_contradict_each_other(
    documents: list[list[tuple[float, float]]],
) -> None:
    """Zero is outside the interval where p is below 0.05, and inside where it is above."""
    one, other, clusters = drawn(documents)
    found = difference(one, other, clusters)
    assert found.low is not None
    assert found.high is not None
    assert found.lower is not None
    assert found.p_value is not None
    assert -1 <= found.low <= found.lower <= found.value <= found.high <= 1
    if abs(found.p_value - 0.05) > 1e-6:
        assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)
    back = difference(other, one, clusters)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-found.value, -found.high, -found.low), abs=1e-6
    )
    assert back.p_value == pytest.approx(found.p_value, abs=1e-6)


@settings(deadline=None, max_examples=80)
@given(DOCUMENTS, st.sampled_from([-0.5, -0.03, 0.0, 0.1]))
def test_the_short_way_says_what_the_bound_says(
    documents: list[list[tuple[float, float]]], value: float
) -> None:
    """Of the whole and of each part without one document."""
    one, other, clusters = drawn(documents)
    parts = np.ones((1 + clusters.documents, clusters.documents))
    if clusters.documents > 2:
        parts[1:] -= np.eye(clusters.documents)
    found = posterior(Totals.of((one - other)[None], clusters), clusters, parts)
    bounds = lower_bounds(found, NO_NOISE)
    sure = np.abs(bounds - value) > 1e-6
    assert (shown_above(found, NO_NOISE, value) == (bounds > value))[sure].all()
    whole = difference(one, other, clusters)
    assert bounds[0] == pytest.approx(whole.lower)
    if clusters.documents > 2:
        kept = clusters.index != 0
        left = difference(one[kept], other[kept], Clusters(clusters.index[kept]))
        assert bounds[1] == pytest.approx(left.lower, abs=1e-6)


def test_seeds_widen_the_bound() -> None:
    """By the variance of the seeds' means, at Student's t: sqrt(h^2 + t(4)^2 v) for three seeds."""
    one, other, clusters = example(SHAPES["FaQuAD"])
    shifts = np.array([[0.0, 0.03, -0.02]]).T, np.array([[0.01, -0.05, 0.0]]).T
    shifts = tuple(each - each.mean() for each in shifts)
    alone, seeded = (
        difference(one, other, clusters),
        difference(one + shifts[0], other + shifts[1], clusters),
    )
    # variances .000633 and .001033, divided by three seeds; t = 2.1318
    assert seeded.half_width == pytest.approx(
        np.hypot(alone.half_width, 2.1318 * np.sqrt((0.00063333 + 0.00103333) / 3)), abs=1e-5
    )
    assert seeded.value == pytest.approx(alone.value)
    assert seeded.lower == pytest.approx(-0.0106, abs=0.002)
    assert seeded.p_value > alone.p_value
    assert (seeded.low > 0 or seeded.high < 0) == (seeded.p_value < 0.05)
    noise = seed_noise(np.array([[0.5]]), np.array([[0.4, 0.6]]))
    assert (noise.variances.tolist(), noise.freedom) == ([pytest.approx(0.01)], 1)


def detectable(shape: tuple[int, ...]) -> tuple[float, float]:
    one, other, clusters = example(shape)
    found = posterior(Totals.of((one - other)[None], clusters), clusters)
    return (
        smallest_detectable(found, NO_NOISE, clusters, 1),
        margin_needed(found, NO_NOISE, clusters, 1),
    )


@pytest.mark.parametrize(
    ("shape", "theirs"),
    [
        ("FaQuAD", 0.203),
        ("2 equal", 0.746),
        ("5 equal", 0.307),
        ("giant", 0.104),
        ("39 equal", 0.064),
    ],
)
def test_what_is_detectable_agrees_with_another_implementation(shape: str, theirs: float) -> None:
    """It draws other numbers. The margin, of a one-sided bound, is smaller."""
    smallest, margin = detectable(SHAPES[shape])
    assert smallest == pytest.approx(theirs, rel=0.12)
    assert margin < smallest


def test_what_is_detectable_is_detected() -> None:
    """Of 400 datasets with just that true difference about four in five are called different."""
    sizes = (10,) * 8
    clusters = clusters_of(sizes)
    random = np.random.default_rng(5)

    def drawn_apart(truth: float, sets: int) -> np.ndarray:
        of_document = random.normal(truth, 0.1, (sets, 8))[:, clusters.index]
        return of_document + random.normal(0, 0.45, (sets, clusters.questions))

    smallest = np.median(
        [
            smallest_detectable(
                posterior(Totals.of(each[None], clusters), clusters), NO_NOISE, clusters, 1
            )
            for each in drawn_apart(0, 40)
        ]
    )
    found = posterior(Totals.of(drawn_apart(smallest, 400), clusters), clusters)
    assert 0.72 <= np.mean(shown_above(found, NO_NOISE, 0.0, 0.025)) <= 0.88


def test_with_three_documents_next_to_nothing_can_be_detected() -> None:
    """A difference that three documents cannot show is not called detectable."""
    random = np.random.default_rng(2)
    clusters = clusters_of((10,) * 3)
    apart = random.normal(0, 0.05, (1, 3))[:, clusters.index] + random.normal(0, 0.4, (1, 30))
    found = posterior(Totals.of(apart, clusters), clusters)
    assert smallest_detectable(found, NO_NOISE, clusters, 1) > 0.4
