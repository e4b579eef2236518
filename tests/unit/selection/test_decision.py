"""The rule: every branch by example, and what holds of any candidates."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.scored import FAQUAD_DEV, clusters_of, contest, pattern
from vestibular.selection.choice import Choice, choose
from vestibular.selection.clusters import Clusters
from vestibular.selection.contest import Contest, Reference
from vestibular.selection.decision import Rule, decide
from vestibular.selection.status import Status

RULE = Rule(margin=0.03, minimum_saving=0.1)
MANY = clusters_of((10,) * 40)
COUNT = MANY.questions
BASE = pattern(COUNT, 7, 11)
"""Scores of mean 0.5."""


def chosen(
    scores: dict[str, NDArray[np.float64]],
    costs: dict[str, float] | None = None,
    rule: Rule = RULE,
    clusters: Clusters = MANY,
    references: tuple[Reference, ...] = (),
    out: tuple[str, ...] = (),
) -> Choice:
    return choose(contest(clusters, scores, costs, references, out), rule, seed=1)


def statuses(choice: Choice) -> dict[str, str]:
    return {one.name: one.status.value for one in choice.standings}


def test_a_cheaper_candidate_within_the_margin_wins() -> None:
    """It is worse by 0.01 on every question of 40 documents, and saves half."""
    choice = chosen({"big": BASE, "small": BASE - 0.01}, {"big": 10, "small": 5})
    assert (choice.winner, choice.leader, choice.preferred) == ("small", "big", "small")
    assert statuses(choice) == {"big": "undercut", "small": "winner"}
    standing = choice.standing("small")
    assert (standing.saving, standing.score) == (0.5, pytest.approx(0.49, abs=1e-3))
    assert standing.lower is not None
    assert -0.03 < standing.lower < -0.01
    assert choice.cost is not None
    assert (choice.cost.rival, choice.cost.can_decide) == ("small", True)
    assert choice.cost.half_width <= choice.cost.margin_needed <= 0.03


def test_with_few_questions_cost_has_no_say() -> None:
    """On FaQuAD's 63 questions nothing is shown, and the result says which margin it would take."""
    clusters = clusters_of(FAQUAD_DEV)
    random = np.random.default_rng(3)
    base = (random.random(63) < 0.6).astype(float)
    other = np.where(random.random(63) < 0.15, 1 - base, base)
    best, worse = sorted((base, other), key=np.mean, reverse=True)
    assert best.mean() > worse.mean()
    choice = chosen({"big": best, "small": worse}, {"big": 10, "small": 1}, clusters=clusters)
    assert (choice.winner, statuses(choice)["small"]) == ("big", "beyond_margin")
    assert choice.cost is not None
    assert not choice.cost.can_decide
    assert 0.03 < choice.cost.half_width < choice.cost.margin_needed


def test_a_candidate_worse_by_the_margin_never_wins() -> None:
    """However sure the difference is."""
    choice = chosen({"big": BASE, "small": BASE - 0.031}, {"big": 10, "small": 1})
    assert (choice.winner, statuses(choice)["small"]) == ("big", "beyond_margin")


def test_a_trivial_saving_decides_nothing() -> None:
    """1.0000 against 0.9999 does not, a tenth does; a wider margin does not make it cheaper."""
    for cost, winner in ((0.9999, "big"), (0.91, "big"), (0.9, "small")):
        choice = chosen({"big": BASE, "small": BASE - 0.01}, {"big": 1.0, "small": cost})
        assert choice.winner == winner
    choice = chosen(
        {"big": BASE, "small": BASE - 0.2}, {"big": 1, "small": 0.9999}, replace(RULE, margin=0.9)
    )
    assert statuses(choice) == {"big": "winner", "small": "saves_too_little"}
    assert choice.cost is None


def test_the_cheapest_of_those_within_the_margin_wins() -> None:
    """A dearer one is within the margin, too; a dominated one is out whatever its bound."""
    choice = chosen(
        {"big": BASE, "mid": BASE - 0.005, "small": BASE - 0.01, "odd": BASE - 0.007},
        {"big": 10, "mid": 5, "small": 3, "odd": 5},
    )
    assert statuses(choice) == {
        "big": "undercut",
        "mid": "within_margin",
        "odd": "dominated",
        "small": "winner",
    }


def test_a_candidate_is_held_against_every_better_one() -> None:
    """It is near the leader and not shown to be near the second, which is cheaper than that."""
    random = np.random.default_rng(1)
    noise = np.where(random.random(COUNT) < 0.5, 1.0, 0.0)
    leader, near = BASE, BASE - 0.02
    # another sort of model altogether, better than the near one by a hair
    second = BASE[::-1] * 0.2 + noise * 0.8
    second += near.mean() - second.mean() + 0.001
    scores = {"leader": leader, "second": second, "near": near}
    costs = {"leader": 10.0, "second": 6, "near": 3}
    assert chosen({k: v for k, v in scores.items() if k != "second"}, costs).winner == "near"
    choice = chosen(scores, costs)
    assert (choice.leader, choice.winner) == ("leader", "leader")
    # were it not, raising the second's score would take the win from it
    raised = {**scores, "second": second + 0.02}
    assert chosen(raised, costs).winner == "second"


def test_a_constraint_takes_out_the_best() -> None:
    """A candidate that fails one stays in the order, without a chance."""
    choice = chosen({"heavy": BASE + 0.1, "big": BASE}, out=("heavy",))
    assert (choice.winner, choice.standings[0].name) == ("big", "heavy")
    assert statuses(choice)["heavy"] == "constraint"


def test_if_all_fail_a_constraint_none_wins() -> None:
    """Not even with the flag, which is about reference points."""
    for flag in (False, True):
        choice = chosen(
            {"heavy": BASE}, rule=replace(RULE, allow_below_reference=flag), out=("heavy",)
        )
        assert (choice.winner, choice.leader, choice.preferred) == (None, None, None)


def reference(*scores: NDArray[np.float64], name: str = "base") -> Reference:
    """What a reference point scores beside each candidate, in their order."""
    return Reference(name, np.stack(scores))


def test_a_candidate_below_a_reference_point_is_passed_over() -> None:
    """One that is above wins, though it scores less: its own base was worse."""
    points = (reference(BASE + 0.2, BASE - 0.3),)
    choice = chosen({"high": BASE + 0.1, "low": BASE}, references=points)
    assert (choice.winner, choice.leader) == ("low", "low")
    assert statuses(choice)["high"] == "below_reference"
    (advantage,) = choice.standing("low").advantages
    assert (advantage.reference, advantage.value, advantage.clear) == ("base", 0.3, True)


def test_as_good_as_a_reference_point_is_not_above_it() -> None:
    """Not even by less than is stored of a score."""
    assert chosen({"one": BASE}, references=(reference(BASE - 1e-8),)).winner is None
    assert chosen({"one": BASE}, references=(reference(BASE - 1e-5),)).winner == "one"


def test_if_all_are_below_none_wins_unless_allowed() -> None:
    """The leader is named all the same; the flag lets the rule go on, with cost."""
    points = (reference(BASE + 0.5, BASE + 0.5),)
    scores, costs = {"a": BASE, "b": BASE - 0.01}, {"a": 10.0, "b": 5.0}
    refused = chosen(scores, costs, references=points)
    assert (refused.winner, refused.leader, refused.preferred) == (None, "a", "b")
    assert set(statuses(refused).values()) == {"below_reference"}
    allowed = chosen(scores, costs, replace(RULE, allow_below_reference=True), references=points)
    assert (allowed.winner, allowed.leader) == ("b", "a")


def test_above_within_the_noise_is_promoted_unless_asked_otherwise() -> None:
    """`must_beat_clearly` refuses then; so it does a cheaper one that is not clearly above."""
    clusters = clusters_of((3, 3, 3, 3))
    one = pattern(12, 7, 11)
    point = reference(one[::-1] - 0.02)
    choice = chosen({"one": one}, clusters=clusters, references=(point,))
    assert choice.winner == "one"
    (advantage,) = choice.standing("one").advantages
    assert (advantage.value, advantage.clear) == (pytest.approx(0.02, abs=1e-6), False)
    strict = replace(RULE, must_beat_clearly=True)
    refused = chosen({"one": one}, rule=strict, clusters=clusters, references=(point,))
    assert (refused.winner, refused.preferred) == (None, "one")
    assert statuses(refused) == {"one": "unclear"}
    noisy = BASE[::-1] - 0.02
    points = (reference(BASE - 0.5, noisy),)
    scores, costs = {"big": BASE, "small": BASE - 0.01}, {"big": 10.0, "small": 5.0}
    assert chosen(scores, costs, references=points).winner == "small"
    clearly = chosen(scores, costs, strict, references=points)
    assert (clearly.winner, statuses(clearly)["small"]) == ("big", "unclear")


def test_a_reference_point_of_some_questions_is_compared_on_those() -> None:
    """Annotators agree where a question has several references."""
    asked = np.zeros(COUNT, dtype=bool)
    asked[:50] = True
    high = np.where(asked, 0.0, 5.0)
    points = (Reference("annotators", high[None] - 0.1 + BASE, asked),)
    choice = chosen({"one": BASE}, references=points)
    (advantage,) = choice.standing("one").advantages
    assert (choice.winner, advantage.value) == ("one", pytest.approx(0.1))
    assert advantage.clear
    nowhere = (Reference("annotators", high[None], np.arange(COUNT) < 1),)
    (advantage,) = chosen({"one": BASE}, references=nowhere).standing("one").advantages
    assert not advantage.clear


def test_where_cost_has_no_say_the_best_score_wins() -> None:
    """Equal scores are ordered by cost, then by name."""
    plain = replace(RULE, margin=None)
    choice = chosen({"big": BASE, "small": BASE - 0.01}, {"big": 10, "small": 1}, plain)
    assert statuses(choice) == {"big": "winner", "small": "outranked"}
    assert choice.cost is None
    order = chosen({"d": BASE, "b": BASE, "c": BASE}, {"d": 1.0, "b": 2.0, "c": 2.0}, plain)
    assert [one.name for one in order.standings] == ["d", "b", "c"]


def test_with_one_document_the_best_score_wins() -> None:
    """Nothing can be shown, and nothing is said of what can."""
    choice = chosen(
        {"big": BASE, "small": BASE - 1e-3}, {"big": 9, "small": 1}, clusters=Clusters([0] * COUNT)
    )
    assert (choice.winner, choice.cost, choice.smallest_detectable) == ("big", None, None)
    assert choice.standing("small").lower is None


def test_seeds_are_averaged_and_their_noise_counts() -> None:
    """Two recipes within the margin by their means; apart seeds leave that unshown."""
    steady = np.stack([BASE, BASE])
    shaken = np.stack([BASE + 0.08, BASE - 0.1])
    costs = {"big": 10.0, "small": 1.0}
    assert chosen({"big": steady, "small": steady - 0.01}, costs).winner == "small"
    assert chosen({"big": steady, "small": shaken}, costs).winner == "big"


def test_the_worst_of_seven_no_longer_wins() -> None:
    """Seven candidates from 0.949 down to 0.646, nearly all questions of each worse."""
    clusters = clusters_of(FAQUAD_DEV)
    best = 0.949 + 0.05 * (pattern(63, 7, 11) - pattern(63, 7, 11).mean())
    scores = {f"{place}": best - 0.0505 * place - 0.004 * pattern(63, 5, 13) for place in range(7)}
    costs = {name: 7.0 - place for place, name in enumerate(scores)}
    assert scores["6"].mean() == pytest.approx(0.644, abs=0.003)
    assert chosen(scores, costs, clusters=clusters).winner == "0"


SIZES = st.lists(st.integers(1, 6), min_size=2, max_size=7)
EIGHTHS = st.integers(0, 8).map(lambda eighth: eighth / 8)


@dataclass
class Drawn:
    """Candidates, and a reference point that is the same for all."""

    clusters: Clusters
    scores: dict[str, NDArray[np.float64]]
    costs: dict[str, float]
    point: NDArray[np.float64]
    rule: Rule

    def contest(self, **changes: NDArray[np.float64]) -> Contest:
        scores = {**self.scores, **changes}
        costs = {name: self.costs.get(name, 0.25) for name in scores}
        point = Reference("point", np.tile(self.point, (len(scores), 1)))
        return contest(self.clusters, scores, costs, (point,))

    def decide(self, **changes: NDArray[np.float64]) -> tuple[str, str, bool]:
        """Return who leads, who wins, and whether the winner is promoted."""
        held = self.contest(**changes)
        found = decide(held, self.rule)
        return held.names[found.leader[0]], held.names[found.winner[0]], not found.refused[0]


@st.composite
def candidates(draw: st.DrawFn) -> Drawn:
    """Two to five candidates, alike enough for the bounds to matter."""
    clusters = clusters_of(draw(SIZES))
    count = clusters.questions
    base = np.array(draw(st.lists(EIGHTHS, min_size=count, max_size=count)))
    scores, costs = {}, {}
    for name in "abcde"[: draw(st.integers(2, 5))]:
        changes = st.lists(
            st.tuples(st.integers(0, count - 1), st.sampled_from([-0.25, -0.125, 0.125, 0.25])),
            max_size=4,
        )
        scores[name] = base - draw(st.integers(0, 4)) / 64
        for place, change in draw(changes):
            scores[name][place] += change
        costs[name] = float(draw(st.integers(1, 8)))
    point = np.array(draw(st.sampled_from([base - 2, base - 0.125, base - 0.03125])))
    margin = draw(st.sampled_from([0.03125, 0.0625, 0.125, 0.5]))
    return Drawn(clusters, scores, costs, point, Rule(margin, 0.1, draw(st.booleans())))


@settings(deadline=None, max_examples=300)
@given(candidates(), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_any_order(drawn: Drawn, random: st.DataObject) -> None:
    """Neither of the candidates nor of the questions."""
    names, places = list(drawn.scores), list(range(drawn.clusters.questions))
    random.shuffle(names)
    random.shuffle(places)
    other = Drawn(
        Clusters(drawn.clusters.index[places]),
        {name: drawn.scores[name][places] for name in names},
        drawn.costs,
        drawn.point[places],
        drawn.rule,
    )
    assert drawn.decide() == other.decide()


@settings(deadline=None, max_examples=500)
@given(candidates(), st.integers(1, 32))
def test_adding_the_same_to_every_answer_of_the_winner_keeps_it(drawn: Drawn, step: int) -> None:
    """Even where it becomes the leader by that; whoever was promoted still is."""
    _, winner, promoted = drawn.decide()
    _, still, still_promoted = drawn.decide(**{winner: drawn.scores[winner] + step / 64})
    if promoted:
        assert (still, still_promoted) == (winner, True)


@settings(deadline=None, max_examples=300)
@given(candidates(), st.data())
def test_improving_the_leader_keeps_it_the_leader(drawn: Drawn, data: st.DataObject) -> None:
    """By whatever at whatever question."""
    leader, *_ = drawn.decide()
    count = drawn.clusters.questions
    gains = data.draw(st.lists(EIGHTHS, min_size=count, max_size=count))
    assert drawn.decide(**{leader: drawn.scores[leader] + np.array(gains)})[0] == leader


@settings(deadline=None, max_examples=500)
@given(candidates(), st.data())
def test_a_hopeless_candidate_neither_wins_nor_changes_who_wins(
    drawn: Drawn, data: st.DataObject
) -> None:
    """Its mean is below the leader's by more than the margin; it may cost what it likes."""
    before = drawn.decide()
    count = drawn.clusters.questions
    scores = np.array(data.draw(st.lists(EIGHTHS, min_size=count, max_size=count)))
    too_good = scores.mean() - (drawn.scores[before[0]].mean() - drawn.rule.margin)
    scores -= max(0.0, too_good) + data.draw(st.sampled_from([0.001, 0.01, 0.2]))
    drawn.costs["hopeless"] = float(data.draw(st.integers(0, 9)))
    assert drawn.decide(hopeless=scores) == before


@settings(deadline=None, max_examples=60)
@given(candidates())
def test_the_result_says_what_was_decided(drawn: Drawn) -> None:
    """Winner and leader, one status each, and bounds never above what was measured."""
    leader, winner, promoted = drawn.decide()
    choice = choose(drawn.contest(), drawn.rule, seed=1)
    assert (choice.leader, choice.winner) == (leader, winner if promoted else None)
    assert choice.preferred == winner
    best = choice.standing(leader)
    assert best.lower is None
    for one in choice.standings:
        assert (one.status is Status.WINNER) == (one.name == choice.winner)
        if one.name != leader:
            assert one.lower is not None
            assert one.lower <= one.score - best.score + 1e-6
    if winner != leader and promoted:
        assert best.status is Status.UNDERCUT
        standing = choice.standing(winner)
        assert standing.lower is not None
        assert standing.saving is not None
        assert standing.lower > -drawn.rule.margin
        assert standing.saving >= 0.1


def test_in_a_thousand_random_cases_no_hopeless_candidate_changes_the_winner() -> None:
    """Two candidates and a third; the former rule changed its mind in 18 of 100 such cases."""
    random = np.random.default_rng(6)
    clusters = clusters_of((4, 3, 3, 2, 2))
    for _ in range(1000):
        common = random.random(14)
        scores = {name: np.clip(common + random.normal(0, 0.15, 14), 0, 1) for name in "ab"}
        costs = {"a": 2.0, "b": 1.0, "hopeless": float(random.choice([0.5, 3.0]))}
        best = max(each.mean() for each in scores.values())
        hopeless = common - (common.mean() - best) - 0.04
        alone, three = (
            decide(contest(clusters, each, costs), replace(RULE, margin=0.0399))
            for each in (scores, {**scores, "hopeless": hopeless})
        )
        assert alone.winner[0] == three.winner[0]
