"""The rule: every branch by example, and what holds of any candidates."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vestibular.params.project import load_params
from vestibular.selection.rule import Choice, Standing, choose, correct, pareto_front, undominated
from vestibular.selection.settings import SelectSettings

SETTINGS = load_params(Path(__file__).parents[1] / "params.yaml").select


def settings(**changes: object) -> SelectSettings:
    return SETTINGS.model_copy(update=changes)


def one(name: str, f1: float, cost: float, exact_match: float = 0.5, **out: object) -> Standing:
    return Standing(name, {"f1": f1, "exact_match": exact_match}, cost, **out)  # type: ignore[arg-type]


def sure(first: str, second: str) -> float:
    """Every difference is significant."""
    return 0.0


def unsure(first: str, second: str) -> float:
    """No difference is."""
    return 1.0


BIG, SMALL, WORSE = one("big", 0.9, 10), one("small", 0.8, 5), one("worse", 0.7, 7)


def test_a_leader_that_is_surely_better_wins() -> None:
    """Cost decides nothing then."""
    choice = choose([SMALL, WORSE, BIG], sure, settings())
    assert (choice.winner, choice.leader, choice.runner_up) == ("big", "big", "small")
    assert choice.order == ("big", "small", "worse")
    assert choice.status == {"big": "winner", "small": "worse", "worse": "dominated"}


def test_of_tied_candidates_the_cheapest_wins() -> None:
    """The leader then is tied itself, and the runner-up."""
    choice = choose([SMALL, WORSE, BIG], unsure, settings())
    assert (choice.winner, choice.leader, choice.runner_up) == ("small", "big", "big")
    assert choice.status == {"big": "tied", "small": "winner", "worse": "dominated"}


def test_of_tied_candidates_the_best_wins_if_the_settings_say_so() -> None:
    """`when_tied: best_point_estimate` looks at the score alone."""
    choice = choose([SMALL, BIG], unsure, settings(when_tied="best_point_estimate"))
    assert (choice.winner, choice.status["small"]) == ("big", "tied")


def test_a_cheaper_candidate_that_is_surely_worse_is_passed_over() -> None:
    """The cheapest of those that are tied wins, not the cheapest of all."""
    tiny = one("tiny", 0.5, 1)
    choice = choose(
        [BIG, SMALL, tiny],
        lambda _, name: 0.001 * (name != "small") + 0.9 * (name == "small"),
        settings(),
    )
    assert (choice.winner, choice.status["tiny"]) == ("small", "worse")


def test_holms_correction_decides() -> None:
    """Of two comparisons at p = 0.03 and 0.04 neither is significant; one alone would be."""
    values = {"small": 0.03, "tiny": 0.04}
    tiny = one("tiny", 0.5, 1)
    choice = choose([BIG, SMALL, tiny], lambda _, name: values[name], settings())
    assert choice.winner == "tiny"
    assert choose([BIG, SMALL], lambda _, name: values[name], settings()).winner == "big"


def test_a_constraint_takes_out_the_best() -> None:
    """A candidate that fails one stays in the order, without a chance."""
    heavy = one("heavy", 0.95, 1, violated=("max_model_bytes",))
    choice = choose([heavy, BIG, SMALL], sure, settings())
    assert (choice.winner, choice.order[0]) == ("big", "heavy")
    assert choice.status["heavy"] == "constraint"


def test_if_all_fail_a_constraint_none_wins() -> None:
    """Not even with the flag, which is about reference points."""
    heavy = one("heavy", 0.95, 1, violated=("max_model_bytes",))
    for flag in (False, True):
        choice = choose([heavy], sure, settings(allow_below_reference=flag))
        assert (choice.winner, choice.leader, choice.runner_up) == (None, None, None)


def test_a_candidate_below_a_reference_point_is_passed_over() -> None:
    """One that is above wins, though it scores less (its own base was worse)."""
    low = one("low", 0.95, 1, below=("untouched_base",))
    choice = choose([low, BIG], sure, settings())
    assert (choice.winner, choice.status["low"]) == ("big", "below_reference")


def test_if_all_are_below_none_wins_but_with_the_flag() -> None:
    """The leader is named all the same."""
    low = [one(name, f1, 1, below=("overlap_sentence",)) for name, f1 in (("a", 0.3), ("b", 0.2))]
    refused = choose(low, sure, settings())
    assert (refused.winner, refused.leader, refused.runner_up) == (None, "a", None)
    assert set(refused.status.values()) == {"below_reference"}
    allowed = choose(low, sure, settings(allow_below_reference=True))
    assert (allowed.winner, allowed.runner_up) == ("a", "b")


def test_with_the_flag_a_candidate_above_still_comes_first() -> None:
    """The flag is for the case that there is none."""
    low = one("low", 0.95, 1, below=("untouched_base",))
    assert choose([low, BIG], sure, settings(allow_below_reference=True)).winner == "big"


def test_the_published_rule_is_a_plain_sort() -> None:
    """Exact match, then F1; nothing else counts."""
    rest = {"violated": ("max_model_bytes",), "below": ("overlap_sentence",)}
    first = one("first", 0.5, 9, exact_match=0.6, **rest)
    second = one("second", 0.4, 1, exact_match=0.6)
    third = one("third", 0.9, 1, exact_match=0.5)
    choice = choose([third, second, first], unsure, settings(rule="published"))
    assert (choice.winner, choice.order) == ("first", ("first", "second", "third"))
    assert choice.status["second"] == "outranked"


def test_ties_in_the_score_go_by_the_tie_breakers_then_cost_then_name() -> None:
    """A full tie is broken too, so that the order in params.yaml never matters."""
    standings = [
        one("d", 0.5, 1, exact_match=0.3),
        one("b", 0.5, 2, exact_match=0.4),
        one("c", 0.5, 1, exact_match=0.4),
        one("a", 0.5, 2, exact_match=0.4),
    ]
    assert choose(standings, sure, settings()).order == ("c", "a", "b", "d")


def test_a_single_candidate_wins() -> None:
    """There is nothing to compare."""
    choice = choose([BIG], sure, settings())
    assert (choice.winner, choice.runner_up) == ("big", None)


def test_those_out_of_the_running_are_corrected_as_if_they_were_in() -> None:
    """Their number does not touch the others'."""
    raw = {"a": 0.01, "b": 0.02, "out": 0.001, "other": 0.5}
    found = correct(raw, ("leader", "a", "b"))
    assert found == pytest.approx({"a": 0.02, "b": 0.02, "out": 0.003, "other": 0.5})


FEW = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9])
STANDING = st.builds(
    Standing,
    name=st.text("abcdefgh", min_size=3, max_size=3),
    scores=st.fixed_dictionaries({"f1": FEW, "exact_match": FEW}),
    cost=st.sampled_from([1.0, 2.0, 3.0, 4.0]),
    violated=st.sampled_from([(), (), ("max_model_bytes",)]),
    below=st.sampled_from([(), (), ("overlap_sentence",)]),
)
STANDINGS = st.lists(STANDING, min_size=1, max_size=6, unique_by=lambda one: one.name)
RULES = st.builds(
    settings,
    rule=st.sampled_from(["vestibular", "vestibular", "published"]),
    metric=st.sampled_from(["f1", "exact_match"]),
    allow_below_reference=st.booleans(),
    when_tied=st.sampled_from(["cheapest", "best_point_estimate"]),
)


@st.composite
def p_values(draw: st.DrawFn) -> Callable[[str, str], float]:
    """A p-value for any pair, the same whenever it is asked for."""
    known: dict[frozenset[str], float] = {}
    drawn = draw(st.lists(st.sampled_from([0.001, 0.012, 0.02, 0.03, 0.2]), min_size=40))
    return lambda one, two: known.setdefault(frozenset((one, two)), drawn[len(known) % 40])


def ask(standings: list[Standing], p_value: Callable[[str, str], float], rule: object) -> Choice:
    # every pair in a fixed order, so that each gets the same value in every call
    names = sorted({one.name for one in standings} | {"zzz"})
    for first in names:
        for second in names:
            p_value(first, second)
    return choose(standings, p_value, rule)  # type: ignore[arg-type]


@given(st.data(), STANDINGS, p_values(), RULES)
def test_the_order_of_the_candidates_never_matters(
    data: st.DataObject, standings: list[Standing], p_value: Callable[..., float], rule: object
) -> None:
    """Any permutation gives the same choice."""
    shuffled = data.draw(st.permutations(standings))
    assert ask(shuffled, p_value, rule) == ask(standings, p_value, rule)


@given(st.data(), STANDINGS, p_values(), RULES)
def test_a_dominated_candidate_never_changes_the_winner(
    data: st.DataObject, standings: list[Standing], p_value: Callable[..., float], rule: object
) -> None:
    """One that is no better, costs no less and passes no more than another changes nothing."""
    better = data.draw(st.sampled_from(standings))
    worse = Standing(
        name="zzz",
        scores={
            metric: data.draw(FEW.filter(lambda score, most=most: score <= most))
            for metric, most in better.scores.items()
        },
        cost=better.cost + data.draw(st.sampled_from([0.0, 1.0])),
        violated=better.violated or data.draw(st.sampled_from([(), ("max_model_bytes",)])),
        below=better.below or data.draw(st.sampled_from([(), ("overlap_sentence",)])),
    )
    before = ask(standings, p_value, rule)
    after = ask([*standings, worse], p_value, rule)
    assert after.winner == before.winner
    assert after.leader == before.leader
    names = [name for name in before.order if name in before.running]
    assert [name for name in after.running if name != "zzz"] == names


@given(STANDINGS, p_values(), RULES)
def test_a_constraint_never_promotes_one_that_fails_it(
    standings: list[Standing], p_value: Callable[..., float], rule: SelectSettings
) -> None:
    """Nor does the rule promote one below a reference point without the flag."""
    assume(rule.rule == "vestibular")
    choice = ask(standings, p_value, rule)
    for each in standings:
        if each.name == choice.winner:
            assert not each.violated
            assert not each.below or rule.allow_below_reference
    if choice.winner is None:
        assert all(one.violated or one.below for one in standings)


@given(STANDINGS, p_values(), RULES)
def test_the_winner_is_undominated(
    standings: list[Standing], p_value: Callable[..., float], rule: SelectSettings
) -> None:
    """No other that may win scores more at no higher cost."""
    assume(rule.rule == "vestibular")
    choice = ask(standings, p_value, rule)
    by_name = {one.name: one for one in standings}
    if choice.winner is not None:
        winner = by_name[choice.winner]
        for each in (by_name[name] for name in choice.running):
            better = each.scores[rule.metric] > winner.scores[rule.metric]
            assert not (better and each.cost <= winner.cost)


def test_the_front_keeps_what_is_cheaper_than_all_before() -> None:
    """Equal cost at a lower rank is dominated."""
    ranked = [one("a", 0.9, 5), one("b", 0.8, 5), one("c", 0.7, 3), one("d", 0.6, 4)]
    assert [each.name for each in undominated(ranked)] == ["a", "c"]


def test_the_pareto_front_holds_who_is_beaten_by_nobody() -> None:
    """Dearer for no more, or as dear for less, is off; equals stay both."""
    points = {"a": (1.0, 0.3), "b": (2.0, 0.3), "c": (2.0, 0.5), "d": (3.0, 0.5), "e": (4.0, 0.9)}
    points["f"] = (4.0, 0.6)
    assert pareto_front(points) == ["a", "c", "e"]
    assert pareto_front({"x": (1.0, 0.5), "y": (1.0, 0.5)}) == ["x", "y"]
