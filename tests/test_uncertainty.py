"""Statistics against independent references, and how often they are wrong."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, norm, t
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests

from vestibular.selection.uncertainty import Bootstrap, fewest_questions, holm, mcnemar

COUNTS = st.integers(0, 200)


@given(COUNTS, COUNTS)
def test_mcnemar_is_the_binomial_test(one: int, two: int) -> None:
    """The exact test equals scipy's binomial test and statsmodels' McNemar."""
    ours = mcnemar(one, two)
    if one + two:
        assert ours == pytest.approx(binomtest(one, one + two).pvalue, rel=1e-9)
    table = [[3, one], [two, 4]]
    assert ours == pytest.approx(their_mcnemar(table, exact=True).pvalue, rel=1e-9)


def test_mcnemar_is_right_under_the_null() -> None:
    """Of 1,000 data sets without a difference the 5 % test rejects 3 to 7 %."""
    random = np.random.default_rng(8)
    # 300 questions that one of two equal systems alone has right
    split = random.binomial(300, 0.5, 1000)
    assert 30 <= sum(mcnemar(one, 300 - one) < 0.05 for one in split) <= 70


def test_six_questions_one_way_are_the_fewest() -> None:
    """2 / 2^5 is more than 0.05, 2 / 2^6 is less; with four comparisons it takes eight."""
    assert mcnemar(5, 0) == pytest.approx(0.0625)
    assert mcnemar(0, 6) == pytest.approx(0.03125)
    assert fewest_questions(0.05) == 6
    assert fewest_questions(0.05 / 4) == 8


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_equals_statsmodels(values: list[float]) -> None:
    """The corrected p-values are statsmodels', whatever the order."""
    named = {str(place): value for place, value in enumerate(values)}
    theirs = multipletests(values, method="holm")[1]
    assert [holm(named)[name] for name in named] == pytest.approx(list(theirs))


def test_holm_by_hand() -> None:
    """0.01 x 3, 0.02 x 2, and the last no smaller than the one before."""
    assert holm({"a": 0.02, "b": 0.01, "c": 0.03}) == pytest.approx(
        {"b": 0.03, "a": 0.04, "c": 0.04}
    )


def clustered(random: np.random.Generator, documents: int) -> tuple[list[int], np.ndarray]:
    """Documents of 1 to 11 questions, whose scores are alike: each pair of the same correlates."""
    sizes = random.integers(1, 12, documents)
    index = np.repeat(np.arange(documents), sizes)
    alike = random.normal(0, np.sqrt(0.3), documents)[index]
    return index.tolist(), alike + random.normal(0, np.sqrt(0.7), len(index))


def test_the_interval_is_scipys_between_expanded_percentiles() -> None:
    """Scipy's bootstrap over documents, asked for the same two percentiles, agrees."""
    random = np.random.default_rng(5)
    index, values = clustered(random, 25)
    ours = Bootstrap(index, {"a": values}, 1).interval("a")
    sizes = np.bincount(index).astype(float)
    sums = np.bincount(index, weights=values)
    effective = sizes.sum() ** 2 / (sizes**2).sum()
    tail = norm.cdf(np.sqrt(effective / (effective - 1)) * t.ppf(0.025, effective - 1))
    theirs = bootstrap(
        (sums, sizes),
        lambda x, y, axis: x.sum(axis=axis) / y.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        confidence_level=1 - 2 * tail,
        method="percentile",
        rng=np.random.default_rng(2),
    )
    assert ours.value == pytest.approx(values.mean())
    low, high = theirs.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.01)
    paired = Bootstrap(index, {"a": values, "b": np.zeros(len(values))}, 1).difference("a", "b")
    assert paired.standard_error == pytest.approx(theirs.standard_error, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("documents", [13, 40])
def test_intervals_cover_and_the_test_is_right_under_the_null(documents: int) -> None:
    """In 1,000 data sets the 95 % interval covers 93 to 97 %, the 5 % test rejects 3 to 7 %."""
    random = np.random.default_rng(documents)
    covered = rejected = 0
    for seed in range(1000):
        index, values = clustered(random, documents)
        both = Bootstrap(index, {"a": values, "b": np.zeros(len(values))}, seed)
        interval, difference = both.interval("a"), both.difference("a", "b")
        covered += interval.low <= 0 <= interval.high
        rejected += difference.p_value < 0.05
    assert 930 <= covered <= 970
    assert 30 <= rejected <= 70


@pytest.mark.slow
def test_an_interval_of_right_and_wrong_covers() -> None:
    """Skewed 0-1 scores, right in about a fifth of the questions, alike within documents."""
    random = np.random.default_rng(3)
    covered = 0
    for seed in range(1000):
        sizes = random.integers(1, 12, 30)
        index = np.repeat(np.arange(30), sizes)
        # a beta-distributed share of right answers in each document, 0.2 in the mean
        share = random.beta(0.8, 3.2, 30)[index]
        right = (random.random(len(index)) < share).astype(float)
        interval = Bootstrap(index.tolist(), {"a": right}, seed).interval("a")
        covered += interval.low <= 0.2 <= interval.high
    assert 930 <= covered <= 970


def test_interval_and_test_never_contradict_each_other() -> None:
    """Zero lies outside the interval where p is below 0.05, and within where it is above."""
    random = np.random.default_rng(0)
    decided = []
    for _ in range(60):
        index, values = clustered(random, 15)
        shifted = values + random.choice([0.2, 0.4, 0.6])
        found = Bootstrap(index, {"a": shifted, "b": np.zeros(len(values))}, 1).difference("a", "b")
        if abs(found.p_value - 0.05) > 1e-3:
            decided.append(found.p_value < 0.05)
            assert decided[-1] == (found.low > 0 or found.high < 0)
    assert 0 < sum(decided) < len(decided)


@pytest.mark.slow
def test_a_detectable_difference_is_detected_four_times_in_five() -> None:
    """Data sets with just that true difference are called different about 80 times in 100."""
    random = np.random.default_rng(11)
    index, values = clustered(random, 40)
    errors = [
        Bootstrap(i, {"a": v, "b": np.zeros(len(v))}, 1).difference("a", "b").standard_error
        for i, v in (clustered(random, 40) for _ in range(100))
    ]
    any_one = Bootstrap(index, {"a": values}, 1)
    smallest = any_one.detectable(float(np.mean(errors)), 0.05)
    found = 0
    for seed in range(400):
        index, values = clustered(random, 40)
        both = Bootstrap(index, {"a": values + smallest, "b": np.zeros(len(values))}, seed)
        found += both.difference("a", "b").p_value < 0.05
    assert 0.74 <= found / 400 <= 0.86


def test_equal_scores_still_leave_room() -> None:
    """Where all is the same, the interval is what could have gone unseen; one document: all."""
    unseen = 1 - 0.025 ** (1 / 13)
    index = [*range(10), 7, 8, 9]
    same = Bootstrap(index, {"a": [0.0] * 13, "b": [0.0] * 13, "c": [1.0] * 13}, 1)
    none = same.interval("a")
    assert (none.value, none.low, none.high) == (0, 0, pytest.approx(unseen))
    assert same.interval("c").low == pytest.approx(1 - unseen)
    nothing = same.difference("a", "b")
    assert (nothing.low, nothing.high) == pytest.approx((-unseen, unseen))
    assert nothing.p_value == 1
    assert same.difference("c", "a").p_value == pytest.approx(2 / 2**10)
    one = Bootstrap([0, 0], {"a": [0.0, 1.0], "b": [0.0, 0.0]}, 1)
    assert (one.interval("a").low, one.interval("a").high) == (0, 1)
    assert one.difference("a", "b").p_value == 1


def test_the_same_seed_gives_the_same_interval() -> None:
    """Nothing else is drawn."""
    index, values = clustered(np.random.default_rng(0), 10)
    first, again, other = (
        Bootstrap(index, {"a": values}, seed).interval("a") for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_a_thousand_questions_take_well_under_a_second() -> None:
    """Ten thousand resamples of a thousand documents, ten systems."""
    scores = {str(place): np.random.default_rng(place).random(1000) for place in range(10)}
    start = time.process_time()
    found = Bootstrap(list(range(1000)), scores, 1)
    for name in scores:
        found.interval(name)
        found.difference(name, "0")
    assert time.process_time() - start < 1
