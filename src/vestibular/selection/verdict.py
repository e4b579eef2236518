"""What the choice rests on, as `metrics/selection.json` says it.

A score is `{"value", "low", "high"}`: the mean and its 95 % interval. A difference is
`{"value", "low", "high", "p_value"}`, the one named first less the other, on the same questions.
Both stand under `exact_match` and `f1`. The file holds:

    promoted            whether a model has been put into production
    reason              one sentence: why this one, or why none
    reasons             all of it, a list of sentences
    winner              the promoted candidate, or null
    runner_up           the best of the others by score, or null
    leader              the best by score of those that may win, or null
    below               reference points of `select.must_beat` that the winner is not above;
                        none but for `select.allow_below_reference` or `rule: published`
    rule                the settings under `select`
    questions           {"basis": "validation" or "out_of_fold", "count", "documents",
                        "effective_documents", "folds"}
    method              {"level", "resamples", "seed", "power"}
    smallest_detectable {"level": 0.05 divided by the comparisons that decide (Holm's first step),
                        "exact_match": {"questions", "difference"}: so many questions, all one
                        way, are the fewest that McNemar's test calls a difference,
                        "f1": {"difference"} or null: what is detected with the probability
                        `method.power`, from the spread between leader and runner-up}
    candidates          by name, in the order of their rank:
        rank            place by score: `select.metric`, then `select.tie_breakers`
        status          "winner"; "tied": not significantly worse than the leader; "worse";
                        "dominated": another one scores no less and costs no more;
                        "below_reference"; "constraint"; "outranked": by the plain sort
        why             one sentence
        scores, before  scores after and before fine-tuning (before: the untouched base)
        gain            differences: after less before
        against_leader  null for the leader, else {"exact_match": a difference with `p_holm`,
                        `only_this` and `only_leader` (questions that one alone has right),
                        "f1": a difference with `p_holm`}; of the candidate less the leader.
                        `p_value` is McNemar's for exact match, the paired bootstrap's for F1;
                        the intervals are the bootstrap's. `p_holm` is corrected for all that
                        are still in the running and this one
        against         by reference point: differences of the candidate less the point
        below           reference points of `select.must_beat` that it is not above
        constraints     by key: {"limit", "measured", "met"}
        cost            {"flops_per_answer", "model_bytes", "trainable_parameters",
                        "total_parameters"}, and "seconds_per_answer" if `select.cost` asks for
                        it. What is measured differs from run to run, and stands in
                        `metrics/costs.json`
        pareto          whether no other scores more at no higher cost, or as much at lower
        seeds           null, or {"values": {seed: {"exact_match", "f1"}}, and for each metric
                        "exact_match"/"f1": {"mean", "low", "high", "standard_deviation"}};
                        low and high are the least and the most of the seeds
    reference_points    by name ("empty_answer", "whole_context", "overlap_sentence",
                        "annotators" where some question has several references; a candidate's
                        untouched base stands with it): {"questions", "scores"}

Nothing here imports torch.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vestibular.core.costs import ExamCost
from vestibular.core.errors import DataError, ParamsError
from vestibular.core.exam_results import ExamDetails, Scores
from vestibular.core.layout import PARAMS
from vestibular.core.metrics import METRICS, Metric
from vestibular.core.questions import Question
from vestibular.scoring.scoring import mean
from vestibular.selection.comparison import Comparison, Examined, probability, rounded
from vestibular.selection.reference_points import ANNOTATORS
from vestibular.selection.rule import Choice, Standing, choose, correct, pareto_front
from vestibular.selection.settings import SelectSettings
from vestibular.selection.uncertainty import LEVEL, POWER, RESAMPLES, fewest_questions, mcnemar
from vestibular.selection.wording import COST_KEYS, reason, reasons, why

CONSTRAINTS = {
    "max_peak_memory_bytes": "peak_memory_bytes",
    "max_latency_p95_seconds": "latency_p95_seconds",
    "min_answers_per_second": "answers_per_second",
    "max_model_bytes": "model_bytes",
    "max_trainable_parameters": "trainable_parameters",
}
"""The cost that each of `select.constraints` limits."""

LASTING = ("flops_per_answer", "model_bytes", "trainable_parameters", "total_parameters")
"""Costs that are the same on every machine; the others are measured."""


def cost_of(details: ExamDetails, measured: ExamCost | None) -> dict[str, float | None]:
    """Return what an answer costs and needs; None for what was not measured here.

    Args:
        details: what the exam found, the same on every machine.
        measured: what the exam took on this one.
    """
    return {
        "flops_per_answer": details.flops_per_answer,
        "model_bytes": details.model_bytes,
        "trainable_parameters": details.parameters.trainable,
        "total_parameters": details.parameters.total,
        "seconds_per_answer": 1 / measured.questions_per_second if measured else None,
        "peak_memory_bytes": measured.peak_memory_bytes if measured else None,
        "latency_p95_seconds": measured.latency_p95 if measured else None,
        "answers_per_second": measured.questions_per_second if measured else None,
    }


def _known(name: str, cost: Mapping[str, float | None], key: str, setting: str) -> float:
    """Return a cost that the settings ask for.

    Raises:
        DataError: it was not measured here.
    """
    value = cost[key]
    if value is None:
        raise DataError(
            f"{PARAMS}: {setting}: needs the {key} of {name}, and its exam was not run on this "
            f"machine; run `dvc repro --force --single-item evaluate@{name}`, or use a cost that "
            "is the same everywhere"
        )
    return value


def verdict(
    questions: Sequence[Question],
    candidates: Mapping[str, Examined],
    settings: SelectSettings,
    articles: str,
    seed: int,
    folds: int,
) -> dict[str, Any]:
    """Compare, choose, and return what `metrics/selection.json` holds.

    Args:
        questions: those that every candidate has answered.
        candidates: what is known of each.
        settings: the rule.
        articles: language whose articles do not count.
        seed: seed of the resampling.
        folds: folds of the cross-validation that the answers are from; 0 for none.

    Raises:
        DataError: a candidate has been examined on other questions.
        ParamsError: the annotators must be beaten where there is one reference a question.
    """
    compared = Comparison(questions, candidates, articles, seed)
    if ANNOTATORS in settings.must_beat and not compared.annotators:
        raise ParamsError(
            f"{PARAMS}: select.must_beat: annotators: no question has several references, so "
            "their agreement is unknown; take it out"
        )
    decisive = COST_KEYS[settings.cost]
    metric: Metric = "exact_match" if settings.rule == "published" else settings.metric
    limits = {name: _limits(name, each.cost, settings) for name, each in candidates.items()}
    below = {
        name: [p for p in settings.must_beat if compared.is_below(name, p, metric)]
        for name in candidates
    }
    standings = [
        Standing(
            name=name,
            scores={each: mean(compared.scores["after", name][each]) for each in METRICS},
            cost=_known(name, examined.cost, decisive, "select.cost"),
            violated=tuple(key for key, limit in limits[name].items() if not limit["met"]),
            below=tuple(below[name]),
        )
        for name, examined in candidates.items()
    ]
    choice = choose(standings, lambda one, two: compared.p_value(one, two, metric), settings)
    found: dict[str, Any] = {
        "promoted": choice.winner is not None,
        "reason": "",
        "reasons": [],
        "winner": choice.winner,
        "runner_up": choice.runner_up,
        "leader": choice.leader,
        "below": below[choice.winner] if choice.winner is not None else [],
        "rule": settings.model_dump(mode="json"),
        "questions": {
            "basis": "out_of_fold" if folds else "validation",
            "count": len(questions),
            "documents": compared.bootstraps[metric].documents,
            "effective_documents": round(compared.bootstraps[metric].effective_documents, 2),
            "folds": folds,
        },
        "method": {"level": LEVEL, "resamples": RESAMPLES, "seed": seed, "power": POWER},
        "smallest_detectable": _smallest(compared, choice),
        "candidates": {},
        "reference_points": {
            name: {
                "questions": len(compared.several) if name == ANNOTATORS else len(questions),
                "scores": compared.score("point", name),
            }
            for name in compared.points()
        },
    }
    against_leader = _against_leader(compared, choice)
    front = pareto_front({one.name: (one.cost, one.scores[metric]) for one in standings})
    for rank, name in enumerate(choice.order, start=1):
        found["candidates"][name] = {
            "rank": rank,
            "status": choice.status[name],
            "why": "",
            "scores": compared.score("after", name),
            "before": compared.score("before", name),
            "gain": compared.against(name, "before", name),
            "against_leader": against_leader.get(name),
            "against": {p: compared.against(name, "point", p) for p in compared.points()},
            "below": below[name],
            "constraints": limits[name],
            "cost": {key: candidates[name].cost[key] for key in (*LASTING, decisive)},
            "pareto": name in front,
            "seeds": _spread(candidates[name].seeds),
        }
    for name, row in found["candidates"].items():
        row["why"] = why(found, name)
    found["reason"] = reason(found)
    found["reasons"] = reasons(found)
    return found


def _limits(
    name: str, cost: Mapping[str, float | None], settings: SelectSettings
) -> dict[str, Any]:
    found = {}
    for key, limit in settings.constraints.model_dump(exclude_none=True).items():
        measured = _known(name, cost, CONSTRAINTS[key], f"select.constraints.{key}")
        met = measured >= limit if key.startswith("min_") else measured <= limit
        found[key] = {"limit": limit, "measured": measured, "met": met}
    return found


def _against_leader(compared: Comparison, choice: Choice) -> dict[str, dict[str, Any]]:
    """Return every other candidate's differences from the leader."""
    if choice.leader is None:
        return {}
    found = {}
    for name in choice.order:
        if name != choice.leader:
            only_this, only_leader = compared.split(name, choice.leader)
            found[name] = compared.against(name, "after", choice.leader)
            found[name]["exact_match"] |= {
                "p_value": probability(mcnemar(only_this, only_leader)),
                "only_this": only_this,
                "only_leader": only_leader,
            }
    for metric in METRICS:
        raw = {name: differences[metric]["p_value"] for name, differences in found.items()}
        for name, corrected in correct(raw, choice.running).items():
            found[name][metric]["p_holm"] = probability(corrected)
    return found


def _smallest(compared: Comparison, choice: Choice) -> dict[str, Any]:
    # the first step of Holm's correction
    level = LEVEL / max(1, len(choice.running) - 1)
    fewest = fewest_questions(level)
    found: dict[str, Any] = {
        "level": round(level, 6),
        "exact_match": {
            "questions": fewest,
            "difference": round(fewest / len(compared.questions), 6),
        },
        "f1": None,
    }
    others = [name for name in choice.order if name != choice.leader]
    if choice.leader is not None and others:
        spread = compared.difference(choice.leader, "after", others[0], "f1").standard_error
        smallest = compared.bootstraps["f1"].detectable(spread, level)
        found["f1"] = {"difference": round(smallest, 6)}
    return found


def _spread(seeds: Mapping[str, Scores]) -> dict[str, Any] | None:
    if not seeds:
        return None
    found: dict[str, Any] = {
        "values": {
            seed: {metric: scores.score(metric) for metric in METRICS}
            for seed, scores in seeds.items()
        }
    }
    for metric in METRICS:
        values = [scores.score(metric) for scores in seeds.values()]
        middle = sum(values) / len(values)
        squares = sum((value - middle) ** 2 for value in values)
        found[metric] = rounded(
            {
                "mean": middle,
                "low": min(values),
                "high": max(values),
                "standard_deviation": (squares / max(1, len(values) - 1)) ** 0.5,
            }
        )
    return found
