"""What `metrics/selection.json` says of invented candidates, and how it says it."""

import random
from pathlib import Path
from typing import Any

import pytest
from results import answered, exam_cost, exam_details, prediction

from vestibular.core.errors import DataError, ParamsError
from vestibular.core.exam_results import Parameters, Scores
from vestibular.core.files import to_json
from vestibular.core.questions import Question
from vestibular.params.project import load_params
from vestibular.selection.comparison import Examined
from vestibular.selection.settings import Constraints, SelectSettings
from vestibular.selection.uncertainty import mcnemar
from vestibular.selection.verdict import cost_of, verdict

SETTINGS = load_params(Path(__file__).parents[1] / "params.yaml").select
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
    right: float, cost: float = 100.0, model_bytes: int = 1000, measured: bool = True, **costs: Any
) -> Examined:
    """A candidate with a share of right answers, which ones drawn by `right` itself."""
    chosen = set(random.Random(right).sample(range(COUNT), round(right * COUNT)))
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


def found(
    candidates: dict[str, Examined], seeds: int = 1, folds: int = 0, **changes: Any
) -> dict[str, Any]:
    settings = SETTINGS.model_copy(update=changes)
    result = verdict(QUESTIONS, candidates, settings, "pt", seeds, folds)
    # it must be JSON, without infinities
    assert to_json(result)
    return result


def test_a_surely_better_candidate() -> None:
    """Scores, comparison and words say the same."""
    said = found({"a": examined(0.5, 50), "b": examined(0.9, 100)})
    assert (said["promoted"], said["winner"], said["runner_up"]) == (True, "b", "a")
    assert list(said["candidates"]) == ["b", "a"]
    b, a = said["candidates"]["b"], said["candidates"]["a"]
    assert b["scores"]["f1"]["low"] < b["scores"]["f1"]["value"] < b["scores"]["f1"]["high"]
    assert (a["status"], a["pareto"], b["against_leader"]) == ("worse", True, None)
    against = a["against_leader"]
    matched = against["exact_match"]
    assert matched["p_value"] == pytest.approx(
        mcnemar(matched["only_this"], matched["only_leader"]), rel=1e-5
    )
    assert matched["value"] * COUNT == pytest.approx(
        matched["only_this"] - matched["only_leader"], abs=1e-3
    )
    assert against["f1"]["p_holm"] < 0.05
    assert against["f1"]["high"] < 0
    assert said["reason"].startswith("b is promoted: its F1 0.9")
    assert said["questions"] == {
        "basis": "validation",
        "count": COUNT,
        "documents": 20,
        "effective_documents": 20,
        "folds": 0,
    }
    assert said["smallest_detectable"]["exact_match"] == {"questions": 6, "difference": 0.05}
    assert 0 < said["smallest_detectable"]["f1"]["difference"] < 0.5
    assert "a: significantly worse than b in F1" in "\n".join(said["reasons"])


def test_the_reference_points_stand_beside_the_candidates() -> None:
    """Each with its scores; a candidate's lead over each has an interval and a p-value."""
    said = found({"a": examined(0.5)})
    points = said["reference_points"]
    assert list(points) == ["empty_answer", "whole_context", "overlap_sentence", "annotators"]
    assert points["empty_answer"]["scores"]["f1"] == {"value": 0, "low": 0, "high": 0}
    # 'ana 7' against 'por ana 7': 2 of 2 words, 2 of 3
    assert points["annotators"]["scores"]["f1"]["value"] == pytest.approx(0.8)
    assert points["annotators"]["questions"] == COUNT
    # ana, n: of the sentence's programa n é dirigido por ana n desde ontem
    expected = 2 * (3 / 9) * 1 / (3 / 9 + 1)
    assert points["overlap_sentence"]["scores"]["f1"]["value"] == pytest.approx(expected)
    lead = said["candidates"]["a"]["against"]["overlap_sentence"]["f1"]
    score = said["candidates"]["a"]["scores"]["f1"]["value"]
    assert lead["value"] == pytest.approx(score - expected, abs=1e-5)


def test_of_two_that_are_tied_the_cheaper_is_promoted() -> None:
    """The sentence says how much it saves."""
    said = found({"a": examined(0.80, 50), "b": examined(0.81, 100)})
    best = max(
        said["candidates"], key=lambda name: said["candidates"][name]["scores"]["f1"]["value"]
    )
    assert (best, said["leader"], said["winner"]) == ("b", "b", "a")
    assert "not significantly worse than b's" in said["reason"]
    assert "needs 50% fewer floating-point operations an answer" in said["reason"]
    assert "the best by F1, but a" in said["candidates"]["b"]["why"]
    best = found(
        {"a": examined(0.80, 50), "b": examined(0.81, 100)}, when_tied="best_point_estimate"
    )
    assert best["winner"] == "b"
    assert "a cannot be told apart from it" in best["reason"]


def test_below_a_reference_point_nothing_is_promoted() -> None:
    """One line says which, and what to do; with the flag the report says what was let pass."""
    said = found({"a": examined(0.1), "b": examined(0.05)})
    assert (said["promoted"], said["winner"], said["runner_up"]) == (False, None, None)
    assert said["leader"] == "a"
    assert "\n" not in said["reason"]
    assert "nothing is promoted: the best candidate, a, has F1 0.1" in said["reason"]
    assert "the overlap sentence (0.500)" in said["reason"]
    assert "select.allow_below_reference: true" in said["reason"]
    allowed = found({"a": examined(0.1), "b": examined(0.05)}, allow_below_reference=True)
    assert (allowed["promoted"], allowed["below"]) == (True, allowed["candidates"]["a"]["below"])
    assert "overlap_sentence" in allowed["below"]
    assert "lets it pass although it is not above" in allowed["reason"]


def test_as_good_as_a_reference_point_is_not_above_it() -> None:
    """No right answer is no more than the empty answer has."""
    said = found({"a": examined(0.0)}, metric="exact_match", must_beat=("empty_answer",))
    assert (said["promoted"], said["candidates"]["a"]["below"]) == (False, ["empty_answer"])


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
    assert said["candidates"]["a"]["constraints"] == {
        key: {"limit": limit[key], "measured": measured, "met": False}
    }
    assert (said["promoted"], said["leader"]) == (False, None)
    assert key in said["reason"]
    assert key in said["candidates"]["a"]["why"]
    good = {
        "peak_process_bytes": 1,
        "latency_p95": 0.01,
        "questions_per_second": 99.0,
        "model_bytes": 1,
    }
    if key != "max_trainable_parameters":
        both = {"a": examined(0.9), "b": examined(0.7, **good)}
        said = found(both, constraints=Constraints(**limit))
        assert said["winner"] == "b"
        assert said["candidates"]["a"]["status"] == "constraint"


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
    assert said["winner"] == "a"


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
        "a": examined(0.80, 1, model_bytes=9, questions_per_second=1.0),
        "b": examined(0.81, 2, model_bytes=8, questions_per_second=2.0),
    }
    assert found(candidates, cost=cost)["winner"] == winner


def test_the_published_rule() -> None:
    """The plain sort; the sentence says so."""
    said = found({"a": examined(0.80, 50), "b": examined(0.81, 100)}, rule="published")
    assert said["winner"] == "b"
    assert "plain sort" in said["reason"]
    assert said["candidates"]["a"]["why"] == "the plain sort puts it behind b"


def test_of_equals_both_are_on_the_pareto_front() -> None:
    """No other scores more than either, or costs less; the rank between them is by name."""
    rows = found({"a": examined(0.5), "b": examined(0.5)})["candidates"]
    assert (rows["a"]["pareto"], rows["b"]["pareto"]) == (True, True)


def test_equal_runs_give_equal_files() -> None:
    """In any order of the candidates."""
    both = {"a": examined(0.5, 50), "b": examined(0.9, 100)}
    assert to_json(found(both)) == to_json(found(dict(reversed(both.items()))))


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
        verdict(alone, {"a": examined(0.5)}, settings, "pt", 1, 0)
    settings = SETTINGS.model_copy(update={"must_beat": ()})
    assert (
        "annotators"
        not in verdict(alone, {"a": examined(0.5)}, settings, "pt", 1, 0)["reference_points"]
    )


def test_seeds_show_their_spread() -> None:
    """Mean, least, most and standard deviation, beside the interval between questions."""
    plain = examined(0.5)
    seeds = {"1": {"exact_match": 0.4, "f1": 0.5}, "2": {"exact_match": 0.6, "f1": 0.5}}
    means = {seed: Scores(**scores) for seed, scores in seeds.items()}
    row = found({"a": Examined(plain.rows, plain.cost, means)})["candidates"]["a"]["seeds"]
    assert row["values"] == seeds
    assert row["exact_match"] == {
        "mean": 0.5,
        "low": 0.4,
        "high": 0.6,
        "standard_deviation": pytest.approx(0.141421),
    }


def test_settings_are_as_they_were() -> None:
    """The rule stands in the file as in params.yaml."""
    rule = found({"a": examined(0.5)})["rule"]
    assert SelectSettings.model_validate(rule) == SETTINGS
