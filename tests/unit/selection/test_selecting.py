"""What `metrics/selection.json` says of invented candidates, and how it says it."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ROOT
from tests.support.results import answered, exam_cost, exam_details, prediction
from vestibular.core.errors import DataError, ParamsError
from vestibular.core.exam_results import FirstLine, Parameters, Scores
from vestibular.core.questions import Question
from vestibular.params.project import load_params
from vestibular.scoring.normalization import Normalization
from vestibular.selection.answer_costs import cost_of
from vestibular.selection.budgets import unequal_settings
from vestibular.selection.comparison import Examined
from vestibular.selection.phrases import p_value_words
from vestibular.selection.result import Estimate, Limit, Selection
from vestibular.selection.selecting import select_candidate
from vestibular.selection.settings import Constraints, SelectSettings

PORTUGUESE = Normalization("squad", "pt")
SETTINGS = load_params(ROOT / "params.yaml").select
COUNT = 120
QUESTIONS = [
    Question(
        id=str(place),
        title=f"document {place // 6}",
        context=f"Nada aqui. O programa {place} é dirigido por Ana {place} desde ontem.",
        question=f"Quem dirige o programa {place}?",
        answers=(f"Ana {place}", f"por Ana {place}"),
        answer_starts=(0, 0),
    )
    for place in range(COUNT)
]


def examined(
    right: float,
    cost: float = 100.0,
    model_bytes: int = 1000,
    measured: bool = True,
    alike: bool = False,
    seed: int = 0,
    **costs: Any,
) -> Examined:
    """A candidate with a share of right answers, drawn by `right`, or the same ones for all."""
    drawn = random.Random(seed if alike else right).sample(range(COUNT), COUNT)
    chosen = set(drawn[: round(right * COUNT)])
    known = {"questions_per_second": 50.0, "latency_p95": 0.2, "peak_process_bytes": 5000}
    details = exam_details(
        parameters=Parameters(trainable=10, total=500),
        flops_per_answer=cost,
        model_bytes=model_bytes,
    )
    rows = []
    for place, question in enumerate(QUESTIONS):
        score = float(place in chosen)
        row = answered(question=question.question, exact_match=score, f1=max(score, 0.1))
        rows.append(prediction(row))
    return Examined(rows, cost_of(details, exam_cost(**(known | costs)) if measured else None), {})


def found(candidates: dict[str, Examined], folds: int = 0, **changes: Any) -> Selection:
    settings = SETTINGS.model_copy(update=changes)
    result = select_candidate(QUESTIONS, candidates, settings, PORTUGUESE, 1, folds)
    # it must be JSON, without infinities, and read as what it was
    again = Selection.parse(json.loads(result.to_text()), Path("selection.json"))
    assert again.to_text() == result.to_text()
    return result


def test_a_surely_better_candidate() -> None:
    """Scores, comparison and words say the same."""
    said = found({"a": examined(0.5, 50), "b": examined(0.9, 100)})
    assert (said.promoted, said.winner, said.runner_up) == (True, "b", "a")
    assert list(said.candidates) == ["b", "a"]
    b, a = said.candidates["b"], said.candidates["a"]
    assert b.scores.f1.low < b.scores.f1.value < b.scores.f1.high
    assert (a.status, a.pareto, b.against_leader) == ("beyond_margin", True, None)
    gap = a.against_leader.f1
    assert gap.value == pytest.approx(a.scores.f1.value - b.scores.f1.value, abs=2e-6)
    assert gap.low < gap.lower < gap.value < gap.high < 0
    assert gap.p_value < 0.05
    assert said.reason.startswith("b is promoted: its F1, 0.9")
    assert said.reason.endswith("and no cheaper candidate is shown to be within 0.03 of it")
    asked = said.questions
    assert (asked.basis, asked.count, asked.documents) == ("validation", COUNT, 20)
    assert (asked.effective_documents, asked.few, asked.dominated) == (20, False, False)
    assert 0 < said.smallest_detectable < 0.5
    assert f"a: {a.why}." in said.reasons
    assert a.why.startswith("not shown to be within 0.03 F1 of b (difference -0.3")
    assert (a.saving, b.saving) == (0.5, 0)


def test_the_reference_points_stand_beside_the_candidates() -> None:
    """Each with its scores; a candidate's lead over each has an interval and a p-value."""
    said = found({"a": examined(0.5)})
    points = said.reference_points
    assert list(points) == ["empty_answer", "whole_context", "overlap_sentence", "annotators"]
    # what scores nothing by its nature has no interval
    assert points["empty_answer"].scores.f1 == Estimate(value=0, low=None, high=None)
    # 'ana 7' against 'por ana 7': 2 of 2 words, 2 of 3
    assert points["annotators"].scores.f1.value == pytest.approx(0.8)
    assert points["annotators"].questions == COUNT
    # ana, n: of the sentence's programa n é dirigido por ana n desde ontem
    expected = 2 * (3 / 9) * 1 / (3 / 9 + 1)
    assert points["overlap_sentence"].scores.f1.value == pytest.approx(expected)
    lead = said.candidates["a"].against["overlap_sentence"].f1
    score = said.candidates["a"].scores.f1.value
    assert lead.value == pytest.approx(score - expected, abs=1e-5)
    assert lead.low < lead.value < lead.high


def test_a_cheaper_candidate_within_the_margin_is_promoted() -> None:
    """The sentence has the difference, its bound and what it saves."""
    both = {"a": examined(0.80, 60, alike=True), "b": examined(0.81, 100, alike=True)}
    said = found(both, margin=0.05)
    assert (said.leader, said.winner, said.runner_up) == ("b", "a", "b")
    gap = said.candidates["a"].against_leader.f1
    assert said.reason == (
        f"a is promoted: within 0.05 F1 of the best, b (difference {gap.value:+.3f}, lower bound "
        f"{gap.lower:+.3f}), at 40% less floating-point operations per answer"
    )
    assert gap.lower > -0.05
    assert said.candidates["b"].why == "the best by F1; a is within 0.05 of it and cheaper"
    assert said.cost_say.has_say
    assert "Cost can decide" in "\n".join(said.reasons)
    worst = said.worst_document
    assert worst.difference <= gap.value
    assert f"a is furthest below b on {worst.name} (6 questions)" in "\n".join(said.reasons)


def test_where_the_noise_is_wider_than_the_margin_cost_has_no_say() -> None:
    """It is said, with the margin that it would take and what to type."""
    said = found({"a": examined(0.80, 50), "b": examined(0.81, 100)})
    assert said.winner == "b"
    assert not said.cost_say.has_say
    assert said.cost_say.half_width > 0.03
    told = "\n".join(said.reasons)
    assert "Cost cannot decide with these data" in told
    assert f"With a margin of {said.cost_say.margin_needed:.2f}, an equally good" in told
    assert "dvc exp run -S 'repeats=[fold-1,fold-2,fold-3,fold-4,fold-5]'" in told
    folded = found({"a": examined(0.80, 50), "b": examined(0.81, 100)}, folds=5)
    assert "dvc exp run" not in "\n".join(folded.reasons)


def test_the_choice_is_corrected_for_its_luck() -> None:
    """Measured, corrected, and the difference, of equal candidates."""
    equals = {name: examined(0.5 + place / 1000) for place, name in enumerate("abcdefgh")}
    said = found(equals)
    best = said.score(said.winner).value
    assert said.corrected.measured == pytest.approx(best)
    assert 0 < said.corrected.optimism == pytest.approx(best - said.corrected.corrected, abs=2e-6)
    assert f"optimism {said.corrected.optimism:.3f})" in "\n".join(said.reasons)


def test_few_documents_are_named() -> None:
    """Of one document nothing is known; of two the intervals rest on few; a giant is named."""

    def asked(documents: list[int]) -> Selection:
        questions = [
            replace(question, title=f"t{document}", context=f"{question.context} {document}")
            for question, document in zip(QUESTIONS, documents, strict=True)
        ]
        return select_candidate(questions, {"a": examined(0.5)}, SETTINGS, PORTUGUESE, 1, 0)

    one = asked([0] * COUNT)
    assert one.candidates["a"].scores.f1.low is None
    assert one.candidates["a"].gain.f1.p_value is None
    assert "With one document there is no interval" in one.reasons[2]
    assert "F1 0.5" in one.reason
    two = asked([place % 2 for place in range(COUNT)])
    assert two.candidates["a"].scores.f1.low is not None
    assert "There are only 2 documents: every interval is based on few." in two.reasons[2]
    assert "No corrected score: there are fewer than five documents." in "\n".join(two.reasons)
    giant = asked([max(0, place - 80) for place in range(COUNT)])
    assert giant.reasons[2].startswith("One document holds 68% of the questions")
    assert giant.corrected is None
    assert "one document holds half of the questions or more" in "\n".join(giant.reasons)


def test_nothing_is_detectable_where_it_is_nothing() -> None:
    """Three documents of low scores could show no difference that there can be."""
    questions = [
        replace(question, title=f"t{place % 3}") for place, question in enumerate(QUESTIONS)
    ]
    both = {"a": examined(0.2), "b": examined(0.3)}
    settings = SETTINGS.model_copy(update={"must_beat": ()})
    said = select_candidate(questions, both, settings, PORTUGUESE, 1, 0)
    assert said.smallest_detectable >= said.score("b").value
    assert "These documents can tell nothing apart" in said.reasons[2]


def test_below_a_reference_point_nothing_is_promoted() -> None:
    """One line says which, and what to do; with the flag the report says what was let pass."""
    said = found({"a": examined(0.1), "b": examined(0.05)})
    assert (said.promoted, said.winner, said.runner_up) == (False, None, None)
    assert said.leader == "a"
    assert "\n" not in said.reason
    assert "nothing is promoted: the best candidate, a, has F1 0.1" in said.reason
    assert "the overlap sentence (0.500)" in said.reason
    assert "select.allow_below_reference: true" in said.reason
    allowed = found({"a": examined(0.1), "b": examined(0.05)}, allow_below_reference=True)
    assert (allowed.promoted, allowed.below) == (True, allowed.candidates["a"].below)
    assert "overlap_sentence" in allowed.below
    assert "allows it, although it is not above" in allowed.reason


def test_above_a_reference_point_within_the_noise() -> None:
    """The first sentence says so; `must_beat_clearly` refuses, and says what to do."""
    near = {"a": examined(0.46)}
    said = found(near)
    assert 0.5 < said.score("a").value < 0.53
    assert (said.promoted, said.unclear) == (True, ("overlap_sentence",))
    assert said.reason.startswith(
        "a is promoted, though not clearly above the overlap sentence (0.500): "
    )
    refused = found(near, must_beat_clearly=True)
    assert (refused.promoted, refused.leader) == (False, "a")
    assert "not clearly above the overlap sentence (0.500)" in refused.reason
    assert "select.must_beat_clearly: false" in refused.reason
    assert refused.candidates["a"].status == "unclear"
    assert found({"a": examined(0.9)}, must_beat_clearly=True).winner == "a"


def test_as_good_as_a_reference_point_is_not_above_it() -> None:
    """No right answer is no more than the empty answer has."""
    said = found({"a": examined(0.0)}, metric="exact_match", must_beat=("empty_answer",))
    assert (said.promoted, said.candidates["a"].below) == (False, ("empty_answer",))


def test_the_untouched_base_counts_with_its_first_line() -> None:
    """A base that answers right and rambles on is a reference point to be beaten."""
    plain = examined(0.6)
    rambling = [
        replace(
            row,
            before=row.before.model_copy(
                update={"first_line": FirstLine(exact_match=float(place % 3 > 0), f1=0.9)}
            ),
        )
        for place, row in enumerate(plain.rows)
    ]
    said = found({"a": replace(plain, rows=rambling)}, must_beat=("untouched_base",))
    row = said.candidates["a"]
    assert (row.before.exact_match.value, row.before.f1.value) == (pytest.approx(2 / 3), 0.9)
    assert (said.promoted, row.below) == (False, ("untouched_base",))
    assert "the untouched base (0.900)" in said.reason


@pytest.mark.parametrize(
    ("limit", "measured"),
    [
        ({"max_peak_memory_bytes": 4999}, 5000),
        ({"max_latency_p95_seconds": 0.1}, 0.2),
        ({"min_answers_per_second": 51.0}, 50),
        ({"max_model_bytes": 999}, 1000),
        ({"max_trainable_parameters": 9}, 10),
    ],
    ids=lambda value: str(value),
)
def test_a_candidate_beyond_a_constraint_stays_in_the_table(
    limit: dict[str, float], measured: float
) -> None:
    """The reason names the limit and what was measured; a candidate within it wins."""
    said = found({"a": examined(0.9)}, constraints=Constraints(**limit))
    (key,) = limit
    assert said.candidates["a"].constraints == {
        key: Limit(limit=limit[key], measured=measured, met=False)
    }
    assert (said.promoted, said.leader) == (False, None)
    assert key in said.reason
    assert key in said.candidates["a"].why
    good = {
        "peak_process_bytes": 1,
        "latency_p95": 0.01,
        "questions_per_second": 99.0,
        "model_bytes": 1,
    }
    if key != "max_trainable_parameters":
        both = {"a": examined(0.9), "b": examined(0.7, **good)}
        said = found(both, constraints=Constraints(**limit))
        assert said.winner == "b"
        assert said.candidates["a"].status == "constraint"


def test_an_accelerators_memory_counts_where_there_is_one() -> None:
    """On a CPU it is the process's."""
    measured = {"peak_process_bytes": 9, "questions_per_second": 4.0}
    cost = cost_of(exam_details(), exam_cost(**measured, peak_device_bytes=7))
    assert (cost["peak_memory_bytes"], cost["seconds_per_answer"]) == (7, 0.25)
    cost = cost_of(exam_details(), exam_cost(**measured, peak_device_bytes=0))
    assert cost["peak_memory_bytes"] == 9


def test_what_was_not_measured_here_is_unknown() -> None:
    """Operations, bytes and parameters are the same everywhere; the rest is null."""
    cost = cost_of(exam_details(), None)
    known = {key for key, value in cost.items() if value is not None}
    assert known == {
        "flops_per_answer",
        "model_bytes",
        "trainable_parameters",
        "total_parameters",
    }
    said = found({"a": examined(0.9, measured=False), "b": examined(0.5, measured=False)})
    assert said.winner == "a"


@pytest.mark.parametrize(
    ("changes", "setting", "cost"),
    [
        ({"cost": "seconds"}, "select.cost", "seconds_per_answer"),
        *(
            ({"constraints": Constraints(**{key: 1})}, f"select.constraints.{key}", cost)
            for key, cost in (
                ("max_peak_memory_bytes", "peak_memory_bytes"),
                ("max_latency_p95_seconds", "latency_p95_seconds"),
                ("min_answers_per_second", "answers_per_second"),
            )
        ),
    ],
    ids=str,
)
def test_a_rule_on_what_was_not_measured_is_refused(
    changes: dict[str, Any], setting: str, cost: str
) -> None:
    """One line: the setting, the cost, the candidate, and the command that measures it."""
    both = {"a": examined(0.9), "b": examined(0.5, measured=False)}
    with pytest.raises(DataError) as error:
        found(both, **changes)
    said = str(error.value)
    assert said.startswith(f"params.yaml: {setting}: needs the {cost} of b")
    assert "dvc repro --force --single-item evaluate@b" in said
    assert "\n" not in said


@pytest.mark.parametrize(("cost", "winner"), [("flops", "a"), ("seconds", "b"), ("bytes", "b")])
def test_what_is_cheap_is_a_setting(cost: str, winner: str) -> None:
    """Operations, seconds or bytes."""
    candidates = {
        "a": examined(0.80, 1, model_bytes=9, questions_per_second=1.0, alike=True),
        "b": examined(0.81, 2, model_bytes=8, questions_per_second=2.0, alike=True),
    }
    assert found(candidates, cost=cost, margin=0.05).winner == winner


def test_the_published_rule() -> None:
    """The plain sort; the sentence says so, and no limit counts."""
    both = {"a": examined(0.40, 50), "b": examined(0.41, 100)}
    said = found(both, rule="published", constraints=Constraints(max_model_bytes=1))
    assert (said.winner, said.metric) == ("b", "exact_match")
    assert "plain sort" in said.reason
    assert said.candidates["a"].why == "ranked behind b by the plain sort"
    assert said.cost_say is None


def test_unequal_budgets_are_named() -> None:
    """With each candidate's own value."""
    unequal = unequal_settings(
        {
            "a": {"epochs": 3, "lora": {"r": 8}, "logging_steps": 5},
            "b": {"epochs": 20, "lora": {"r": 8}, "logging_steps": 9},
        }
    )
    assert [one.setting for one in unequal] == ["epochs"]
    both = {"a": examined(0.5), "b": examined(0.9)}
    said = select_candidate(QUESTIONS, both, SETTINGS, PORTUGUESE, 1, 0, unequal)
    assert (
        "Unequal budgets: the candidates were trained with different settings (epochs 3 (a), "
        "20 (b))." in said.reasons
    )
    assert unequal_settings({"a": {"epochs": 3}, "b": {"epochs": 3}}) == ()


def test_seeds_are_averaged_in_the_choice() -> None:
    """Each question over the seeds, their noise in the bound; the file for production is one's."""
    one, other = examined(0.5), examined(0.55)
    further = [[row.after for row in other.rows]]
    said = found(
        {"a": replace(one, further_answers=further), "b": replace(other, further_answers=further)}
    )
    assert said.questions.seeds == 2
    assert said.candidates["a"].scores.exact_match.value == pytest.approx((0.5 + 0.55) / 2)
    assert "Each score is the mean of 2 seeds" in "\n".join(said.reasons)
    alone = found({"a": one, "b": other})
    widths = [
        each.candidates["a"].gain.exact_match.high - each.candidates["a"].gain.exact_match.low
        for each in (alone, said)
    ]
    assert widths[1] > widths[0]
    with pytest.raises(DataError, match="dvc repro evaluate@a"):
        found({"a": replace(one, further_answers=[further[0][1:]])})


def test_of_equals_both_are_on_the_pareto_front() -> None:
    """No other scores more than either, or costs less; the rank between them is by name."""
    rows = found({"a": examined(0.5), "b": examined(0.5)}).candidates
    assert (rows["a"].pareto, rows["b"].pareto) == (True, True)
    assert rows["b"].why == "a scores no less and costs no more"


def test_equal_runs_give_equal_files() -> None:
    """In any order of the candidates."""
    both = {"a": examined(0.5, 50), "b": examined(0.9, 100)}
    assert found(both).to_text() == found(dict(reversed(both.items()))).to_text()


def test_answers_to_other_questions_are_refused() -> None:
    """Left over from another dataset, say."""
    stale = examined(0.5)
    with pytest.raises(DataError, match="dvc repro evaluate@a"):
        found({"a": Examined(stale.rows[1:], stale.cost, {})})


def test_annotators_can_be_beaten_only_where_there_are_several() -> None:
    """With one reference a question the setting has no meaning."""
    alone = [Question(q.id, q.title, q.context, q.question, q.answers[:1], (0,)) for q in QUESTIONS]
    settings = SETTINGS.model_copy(update={"must_beat": ("annotators",)})
    with pytest.raises(ParamsError, match=r"select\.must_beat: annotators"):
        select_candidate(alone, {"a": examined(0.5)}, settings, PORTUGUESE, 1, 0)
    settings = SETTINGS.model_copy(update={"must_beat": ()})
    said = select_candidate(alone, {"a": examined(0.5)}, settings, PORTUGUESE, 1, 0)
    assert "annotators" not in said.reference_points


def test_seeds_show_their_spread() -> None:
    """Mean, least, most and standard deviation, beside the interval between questions."""
    plain = examined(0.5)
    seeds = {"1": {"exact_match": 0.4, "f1": 0.5}, "2": {"exact_match": 0.6, "f1": 0.5}}
    means = {seed: Scores(**scores) for seed, scores in seeds.items()}
    row = found({"a": Examined(plain.rows, plain.cost, means)}).candidates["a"].seeds
    assert row.values == means
    spread = row.exact_match
    assert (spread.mean, spread.low, spread.high) == (0.5, 0.4, 0.6)
    assert spread.standard_deviation == pytest.approx(0.141421)


def test_settings_are_as_they_were() -> None:
    """The rule stands in the file as in params.yaml."""
    said = found({"a": examined(0.5)})
    assert said.rule == SETTINGS
    assert SelectSettings.model_validate(json.loads(said.to_text())["rule"]) == SETTINGS


def test_p_values_are_printed_as_they_are() -> None:
    """In as many places as it takes to tell them from zero, down to a millionth."""
    said = [p_value_words(value) for value in (0.5, 0.0364, 0.0004, 0.00002, 1e-9)]
    assert said == ["p = 0.500", "p = 0.036", "p = 0.0004", "p = 0.00002", "p < 0.000001"]
