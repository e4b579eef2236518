"""Comparison, rule and findings in one call: from answers to the selection."""

import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from vestibular.core.errors import ParamsError
from vestibular.core.exam_results import Scores
from vestibular.core.metrics import Metric
from vestibular.core.paths import PARAMS
from vestibular.core.questions import Question
from vestibular.scoring.normalization import Normalization
from vestibular.selection.answer_costs import COSTS, LASTING, known, limits_of, met, pareto_front
from vestibular.selection.choice import Choice, Standing, choose
from vestibular.selection.clusters import Clusters
from vestibular.selection.comparison import Comparison, Examined, rounded
from vestibular.selection.contest import Contest
from vestibular.selection.correction import corrected_score
from vestibular.selection.decision import Rule
from vestibular.selection.detection import POWER
from vestibular.selection.explanation import explained
from vestibular.selection.means import LEVEL
from vestibular.selection.reference_points import ANNOTATORS, UNTOUCHED_BASE
from vestibular.selection.result import (
    Basis,
    CandidateCost,
    CandidateFinding,
    CorrectedFigures,
    CostMarginFigures,
    Limit,
    Method,
    PointFinding,
    Seeds,
    Selection,
    Spread,
    UnequalSetting,
    WorstDocument,
)
from vestibular.selection.settings import SelectSettings

BEGINNING = 60
"""Number of characters that name a text without a title."""


def select_candidate(
    questions: Sequence[Question],
    candidates: Mapping[str, Examined],
    settings: SelectSettings,
    rules: Normalization,
    seed: int,
    folds: int,
    unequal: Sequence[UnequalSetting] = (),
) -> Selection:
    """Compare, choose, and return the content of `metrics/selection.json`.

    Args:
        questions: the questions that every candidate has answered.
        candidates: what is known about each.
        settings: the rule.
        rules: normalization of answers.
        seed: seed of everything random.
        folds: number of folds of the cross-validation that the answers are from; 0 if there is
            none.
        unequal: training settings that were not the same for all candidates.

    Raises:
        DataError: a candidate has been examined on other questions, or a cost that the settings
            require was not measured here.
        ParamsError: the annotators must be beaten, but no question has several references.
    """
    compared = Comparison(questions, candidates, rules)
    if ANNOTATORS in settings.must_beat and ANNOTATORS not in compared.points:
        raise ParamsError(
            f"{PARAMS}: select.must_beat: annotators: no question has several references, so "
            "their agreement is unknown; remove it"
        )
    published = settings.rule == "published"
    metric: Metric = "exact_match" if published else settings.metric
    ties: tuple[Metric, ...] = ("f1",) if published else settings.tie_breakers
    limits = {name: limits_of(name, each.cost, settings) for name, each in candidates.items()}
    names = list(candidates)
    costs = {
        name: known(name, each.cost, COSTS[settings.cost].key, "select.cost")
        for name, each in candidates.items()
    }
    contest = Contest(
        [
            compared.contestant(name, metric, ties, costs[name], published or met(limits[name]))
            for name in names
        ],
        []
        if published
        else [compared.reference(point, names, metric) for point in settings.must_beat],
        compared.clusters,
    )
    rule = Rule(
        margin=None if published else settings.margin,
        minimum_saving=settings.minimum_saving,
        must_beat_clearly=settings.must_beat_clearly,
        allow_below_reference=settings.allow_below_reference,
    )
    choice = choose(contest, rule, seed)
    front = pareto_front({one.name: (one.cost, one.score) for one in choice.standings})
    found = {
        one.name: _finding(
            compared, choice, one, candidates[one.name], settings, limits[one.name], metric
        ).model_copy(update={"rank": rank, "pareto": one.name in front})
        for rank, one in enumerate(choice.standings, start=1)
    }
    corrected = corrected_score(contest, rule, seed)
    shown = found.get(choice.preferred or "")
    fitting = [one.name for one in choice.standings if published or met(limits[one.name])]
    others = [name for name in fitting if name != choice.winner]
    selection = Selection(
        promoted=choice.winner is not None,
        reason="",
        reasons=(),
        winner=choice.winner,
        leader=choice.leader,
        runner_up=others[0] if choice.winner and others else None,
        below=found[choice.winner].below if choice.winner else (),
        unclear=shown.unclear if shown and not published else (),
        metric=metric,
        rule=settings,
        questions=_basis(compared.clusters, folds, candidates),
        method=Method(level=LEVEL, power=POWER, seed=seed),
        smallest_detectable=choice.smallest_detectable and rounded(choice.smallest_detectable),
        cost_say=choice.cost
        and CostMarginFigures(
            rival=choice.cost.rival,
            half_width=rounded(choice.cost.half_width),
            margin_needed=rounded(choice.cost.margin_needed),
            has_say=choice.cost.can_decide,
        ),
        corrected=corrected
        and CorrectedFigures(
            measured=rounded(corrected.measured),
            corrected=rounded(corrected.corrected),
            optimism=rounded(corrected.optimism),
        ),
        worst_document=_worst_document(compared, choice, metric),
        unequal=tuple(unequal),
        candidates=found,
        reference_points={
            name: PointFinding(
                questions=int(compared.several.sum()) if name == ANNOTATORS else len(questions),
                scores=compared.estimate("point", name),
            )
            for name in compared.points
        },
    )
    return explained(selection)


def _finding(
    compared: Comparison,
    choice: Choice,
    standing: Standing,
    examined: Examined,
    settings: SelectSettings,
    limits: Mapping[str, Limit],
    metric: Metric,
) -> CandidateFinding:
    name, leader = standing.name, choice.leader
    gain = compared.gap(name, "before", name)
    against = {point: compared.gap(name, "point", point) for point in compared.points}
    gaps = {
        point: (gain if point == UNTOUCHED_BASE else against[point]).of(metric)
        for point in settings.must_beat
    }
    below = tuple(point for point, gap in gaps.items() if gap.value <= 0)
    cost = {key: examined.cost[key] for key in (*LASTING, COSTS[settings.cost].key)}
    return CandidateFinding(
        rank=0,
        status=standing.status,
        why="",
        scores=compared.estimate("after", name),
        before=compared.estimate("before", name),
        gain=gain,
        against_leader=compared.gap(name, "after", leader) if leader not in (None, name) else None,
        against=against,
        below=below,
        unclear=tuple(
            point
            for point, gap in gaps.items()
            if point not in below and (gap.lower is None or gap.lower <= 0)
        ),
        constraints=dict(limits),
        cost=CandidateCost.model_validate(cost),
        saving=None if standing.saving is None else rounded(standing.saving),
        pareto=False,
        seeds=_spread(examined.seeds),
    )


def _basis(clusters: Clusters, folds: int, candidates: Mapping[str, Examined]) -> Basis:
    return Basis(
        basis="out_of_fold" if folds else "validation",
        count=clusters.questions,
        documents=clusters.documents,
        effective_documents=round(clusters.effective_documents, 2),
        largest_share=round(clusters.largest_share, 4),
        few=clusters.few,
        dominated=clusters.dominated,
        folds=folds,
        seeds=1 + min(len(each.further_answers) for each in candidates.values()),
    )


def _worst_document(compared: Comparison, choice: Choice, metric: Metric) -> WorstDocument | None:
    """Return the document on which the winner is furthest below the leader; None if it leads."""
    name, leader = choice.preferred, choice.leader
    if name is None or leader is None or name == leader:
        return None
    apart = compared.by_document(name, leader, metric)
    worst = int(apart.argmin())
    first = compared.questions[int(np.flatnonzero(compared.clusters.index == worst)[0])]
    return WorstDocument(
        name=first.title or f"{first.context[:BEGINNING]}...",
        questions=int(compared.clusters.sizes[worst]),
        difference=rounded(apart[worst]),
    )


def _spread(seeds: Mapping[str, Scores]) -> Seeds | None:
    if not seeds:
        return None

    def one(metric: Metric) -> Spread:
        values = [scores.score(metric) for scores in seeds.values()]
        return Spread(
            mean=rounded(statistics.mean(values)),
            low=min(values),
            high=max(values),
            standard_deviation=rounded(statistics.stdev(values)),
        )

    return Seeds(values=dict(seeds), exact_match=one("exact_match"), f1=one("f1"))
