"""The corrected score: against another implementation, and where it is not given."""

import numpy as np
import pytest

from tests.support.scored import FAQUAD_DEV, clusters_of, contest, pattern
from vestibular.selection.clusters import Clusters
from vestibular.selection.contest import Contest
from vestibular.selection.correction import PARTS, REPEATS, corrected_score, draw_parts
from vestibular.selection.decision import Rule

BEST_SCORE = Rule(margin=None, minimum_saving=0.1)


def drawn(seed: int, count: int = 3) -> tuple[Contest, Clusters, np.ndarray]:
    clusters = clusters_of(FAQUAD_DEV)
    random = np.random.default_rng(seed)
    scores = np.clip(random.random((1, 63)) + random.normal(0, 0.3, (count, 63)), 0, 1)
    named = {f"{place:02}": each for place, each in enumerate(scores)}
    return contest(clusters, named), clusters, scores


def test_the_corrected_score_is_that_of_the_parts_left_out() -> None:
    """Loop by loop: who is best on the other parts is scored on the part left out."""
    held, clusters, scores = drawn(4)
    dealt = draw_parts(clusters, seed=9)
    assert dealt.shape == (REPEATS, 14)
    total = 0.0
    for repeat in dealt:
        assert sorted(repeat) == sorted(np.arange(14) % PARTS)
        for part in range(PARTS):
            out = repeat[clusters.index] == part
            best = max(range(3), key=lambda place, out=out: (scores[place, ~out].mean(), -place))
            total += scores[best, out].sum()
    found = corrected_score(held, BEST_SCORE, seed=9)
    assert found is not None
    assert found.corrected == pytest.approx(total / REPEATS / 63)
    assert found.measured == pytest.approx(scores.mean(axis=1).max())
    assert found.optimism == pytest.approx(max(0, found.measured - found.corrected))


def test_the_whole_rule_is_applied_to_the_parts() -> None:
    """Cost decides in every part, and a reference point that is above changes nothing."""
    clusters = clusters_of((10,) * 40)
    base = pattern(400, 7, 11)
    scores, costs = {"big": base, "small": base - 0.01}, {"big": 10.0, "small": 5.0}
    found = corrected_score(contest(clusters, scores, costs), Rule(0.03, 0.1), seed=1)
    assert found is not None
    assert found.measured == pytest.approx(0.49, abs=1e-3)
    assert found.corrected == pytest.approx(found.measured)


def test_the_seed_decides_and_nothing_else() -> None:
    """Neither the order of the candidates nor a second run."""
    held, clusters, scores = drawn(4)
    named = {f"{place:02}": scores[place] for place in (2, 0, 1)}
    first = corrected_score(held, BEST_SCORE, seed=1)
    assert first == corrected_score(held, BEST_SCORE, seed=1)
    again = corrected_score(contest(clusters, named), BEST_SCORE, seed=1)
    assert again is not None
    assert first is not None
    assert again.corrected == pytest.approx(first.corrected)
    other = corrected_score(held, BEST_SCORE, seed=2)
    assert other is not None
    assert other.corrected != first.corrected


def test_an_optimism_is_never_negative() -> None:
    """Where the corrected score is above the measured one, none is shown."""
    values = [corrected_score(drawn(seed, 2)[0], BEST_SCORE, seed=1) for seed in range(40)]
    above = [each for each in values if each is not None and each.corrected > each.measured]
    assert above
    assert all(each.optimism == 0 for each in above)


@pytest.mark.parametrize(
    "sizes", [(9,) * 4, (9, 3, 2, 2, 2)], ids=["four documents", "one holds half"]
)
def test_it_is_not_given_where_nothing_stands_for_new_documents(sizes: tuple[int, ...]) -> None:
    """Fewer than five documents, or one with half of the questions."""
    clusters = clusters_of(sizes)
    scores = {"a": pattern(sum(sizes), 7, 11), "b": pattern(sum(sizes), 5, 13)}
    assert corrected_score(contest(clusters, scores), BEST_SCORE, seed=1) is None


def test_it_is_not_given_without_a_candidate() -> None:
    """All fail a constraint."""
    clusters = clusters_of((9,) * 6)
    held = contest(clusters, {"a": pattern(54, 7, 11)}, out=("a",))
    assert corrected_score(held, BEST_SCORE, seed=1) is None
