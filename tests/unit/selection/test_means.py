"""Intervals of a mean, against integration by scipy and another implementation's figures."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad
from scipy.optimize import brentq
from scipy.special import betaln

from tests.support.scored import FAQUAD_DEV, clusters_of, pattern
from vestibular.selection.clusters import Clusters
from vestibular.selection.means import mean_interval, posterior_bounds


def integrated(right: list[float], sizes: list[int], probability: float) -> float:
    """Return a quantile of the posterior by adaptive quadrature over mean and correlation.

    The mean is integrated on the scale of arcsin(sqrt(mean)), on which Jeffreys' prior is flat.
    """

    def density(correlation: float, angle: float) -> float:
        mean, strength = math.sin(angle) ** 2, (1 - correlation) / correlation
        one, two = mean * strength, (1 - mean) * strength
        log = sum(
            betaln(one + y, two + n - y) - betaln(one, two)
            for y, n in zip(right, sizes, strict=True)
        )
        return math.exp(log + 0.7 * sum(sizes))  # scaled up, or it vanishes

    def below(angle: float) -> float:
        return dblquad(density, 1e-6, angle, 1e-6, 1 - 1e-6, epsabs=0, epsrel=1e-5)[0]

    whole = below(math.pi / 2 - 1e-6)
    angle = brentq(
        lambda each: below(each) / whole - probability, 1e-3, math.pi / 2 - 1e-3, xtol=1e-4
    )
    return math.sin(angle) ** 2


@pytest.mark.parametrize(
    ("right", "sizes"),
    [
        ([3, 5.5, 1], [10, 10, 4]),
        ([0, 0, 1, 0.5], [5, 5, 5, 9]),
        ([6, 2, 9, 7, 0], [6, 6, 9, 9, 6]),
    ],
    ids=str,
)
def test_the_interval_is_that_of_the_model(right: list[float], sizes: list[int]) -> None:
    """Both ends are the posterior's quantiles as quadrature finds them."""
    low, high = posterior_bounds(np.array(right), np.array(sizes, dtype=float))
    assert low == pytest.approx(integrated(right, sizes, 0.025), abs=0.004)
    assert high == pytest.approx(integrated(right, sizes, 0.975), abs=0.004)


@pytest.mark.parametrize(
    ("sizes", "f1", "exact_match"),
    [
        (FAQUAD_DEV, (0.3708, 0.6372), (0.1101, 0.3442)),
        ((10,) * 2, (0.1819, 0.8096), (0.0677, 0.6797)),
        ((10,) * 5, (0.3257, 0.6680), (0.0942, 0.3974)),
        ((130, *(10,) * 13), (0.4268, 0.5763), (0.1362, 0.2553)),
        ((1,) * 12, (0.2247, 0.7150), (0.0363, 0.4363)),
        ((10,) * 39, (0.4492, 0.5513), (0.1465, 0.2249)),
    ],
    ids=lambda value: f"{len(value)} documents",
)
def test_intervals_agree_with_another_implementation(
    sizes: tuple[int, ...], f1: tuple[float, float], exact_match: tuple[float, float]
) -> None:
    """Its grid is coarser and lies elsewhere."""
    scores = pattern(sum(sizes), 7, 11)
    for values, (low, high) in ((scores, f1), ((scores > 0.8).astype(float), exact_match)):
        found = mean_interval(values, clusters_of(sizes))
        assert (found.low, found.high) == pytest.approx((low, high), abs=0.004)


def test_many_questions_make_a_narrow_interval() -> None:
    """The grid follows the posterior: 2,000 documents of 50 questions, each .3 right."""
    low, high = posterior_bounds(np.full(2000, 15.0), np.full(2000, 50.0))
    # as many independent questions: a standard error of .00145
    assert (low, high) == pytest.approx((0.3 - 1.96 * 0.00145, 0.3 + 1.96 * 0.00145), abs=0.0003)


def test_one_document_has_no_interval() -> None:
    """Nothing is known of how documents differ."""
    found = mean_interval(np.array([0.0, 1.0, 1.0]), Clusters([4, 4, 4]))
    assert (found.value, found.low, found.high) == (pytest.approx(2 / 3), None, None)


def test_few_documents_and_a_giant_are_told() -> None:
    """Fewer than five; half of the questions or more in one."""
    assert [clusters_of((9,) * count).few for count in (4, 5)] == [True, False]
    assert clusters_of((10, 4, 4, 2)).dominated
    assert not clusters_of((10, 4, 4, 3)).dominated
    assert clusters_of(FAQUAD_DEV).effective_documents == pytest.approx(8.2516, abs=1e-4)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=12),
        min_size=2,
        max_size=8,
    ),
    st.randoms(use_true_random=False),
)
def test_an_interval_holds_the_mean_whatever_the_order(
    documents: list[list[float]], random: st.DataObject
) -> None:
    """It lies in [0, 1]; all wrong or all right is an end of it; right and wrong are mirrored."""
    pairs = [(place, each) for place, scores in enumerate(documents) for each in scores]
    index, scores = np.array([place for place, _ in pairs]), np.array([each for _, each in pairs])
    found = mean_interval(scores, Clusters(index))
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    if found.value in (0, 1):
        assert found.value in (found.low, found.high)
    mirrored = mean_interval(1 - scores, Clusters(index))
    assert (1 - found.high, 1 - found.low) == pytest.approx((mirrored.low, mirrored.high), abs=2e-3)
    shuffled = list(range(len(scores)))
    random.shuffle(shuffled)
    again = mean_interval(scores[shuffled], Clusters(index[shuffled]))
    assert (found.low, found.high) == pytest.approx((again.low, again.high), abs=1e-9)
