"""The report: the choice and what supports it, as one page for people.

It is built only from the files of the earlier stages (no clock, no git), so that equal inputs give
equal bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vestibular.core.base_models import Pin
from vestibular.core.costs import CandidateCosts
from vestibular.core.data_metrics import DataMetrics
from vestibular.core.metrics import METRICS
from vestibular.core.questions import Question
from vestibular.params.project import Params
from vestibular.report import origins, sections, slices
from vestibular.report.data_notices import data_notices
from vestibular.report.epochs import epoch_chart
from vestibular.report.formatting import (
    DASH,
    EXPLANATIONS,
    deciding_cost,
    figure,
    plain,
    sentence,
    signed,
    signed_range,
)
from vestibular.report.page import as_script_data, write_page
from vestibular.report.summary import summarize
from vestibular.scoring.languages import languages
from vestibular.selection.answer_costs import COSTS
from vestibular.selection.phrases import p_value_words
from vestibular.selection.result import Selection
from vestibular.selection.status import Status

BADGES = {
    Status.WINNER: ("in production", "good"),
    Status.UNDERCUT: ("best score", "good"),
    Status.WITHIN_MARGIN: ("within the margin", "good"),
    Status.UNCLEAR: ("within the noise", "bad"),
    Status.CONSTRAINT: ("beyond a constraint", "bad"),
    Status.BELOW_REFERENCE: ("below reference", "bad"),
}
"""Label of each status next to a candidate's name in the leaderboard."""


def write_report(
    path: Path,
    params: Params,
    selection: Selection,
    costs: Mapping[str, CandidateCosts],
    curves: Mapping[str, sections.Curve],
    questions: Sequence[Question],
    predictions: sections.Predictions,
    audit: DataMetrics,
    pins: Mapping[str, Pin],
) -> None:
    """Write the page.

    Args:
        path: target file.
        params: all settings.
        selection: the choice and what supports it.
        costs: measured costs of each candidate.
        curves: each candidate's loss curve, as rows of texts.
        questions: the questions that every candidate has answered.
        predictions: each candidate's answers, in the order of the questions.
        audit: figures of `prepare` about the data.
        pins: each candidate's base model.
    """
    names = list(selection.candidates)
    summary = summarize(selection, costs)
    summary["notices"] += data_notices(audit)
    ordered = {name: predictions[name] for name in names}
    metric = selection.metric
    language = params.data.language
    words = slices.by_question_word(questions, language) if language in languages() else []
    write_page(
        path,
        {
            "subject": _subject(selection),
            "summary": summary,
            "candidates": names,
            "board": board(selection),
            "cost_title": COSTS[selection.rule.cost].unit.capitalize(),
            "leaderboard_note": "Bar: 95 % interval; line: after fine-tuning; ring: the untouched "
            "base. EM is the share of answers that equal a reference, F1 the "
            "overlap in words.",
            "references": [
                {"name": plain(point).capitalize(), "text": EXPLANATIONS[point]}
                for point in selection.reference_points
            ],
            "reasons": [sentence(reason) for reason in selection.reasons],
            "comparisons": comparisons(selection),
            "charts": [
                sections.cost_chart(selection, costs),
                sections.loss_chart(curves, names),
                *filter(None, [epoch_chart(costs, names)]),
            ],
            "kinds_note": f"{METRICS[metric]} after fine-tuning, with 95 % intervals; small "
            "groups have wide ones.",
            "kinds": sections.kinds(questions, ordered, language, metric),
            "words": [part.label for part in words],
            "origins": {
                "tables": [
                    origins.data_table(audit),
                    origins.bases_table(pins, selection),
                    origins.machines_table(costs),
                ],
                "settings": origins.settings(params),
            },
            "questions_note": sections.shown_note(len(questions), len(names)),
            "questions_data": as_script_data(sections.questions_data(questions, ordered, language)),
        },
    )


def _subject(selection: Selection) -> str:
    asked = selection.questions
    basis = "validation questions"
    if asked.folds:
        basis = (
            f"questions, each answered by the model of the fold (of {asked.folds}) that did not "
            "learn it"
        )
    candidates = len(selection.candidates)
    return (
        f"{candidates} candidate{'s' if candidates > 1 else ''}, {asked.count:,} {basis}, "
        f"{asked.documents:,} document{'s' if asked.documents > 1 else ''}"
    )


def board(selection: Selection) -> list[dict[str, Any]]:
    """Return the rows of the leaderboard: the candidates by rank, then the reference points."""
    rows: list[dict[str, Any]] = []
    for place, (name, found) in enumerate(selection.candidates.items()):
        notes = [] if found.status is Status.WINNER else [_note(selection, name)]
        if found.seeds:
            spread = found.seeds.of(selection.metric)
            notes.append(f"{len(found.seeds.values)} seeds: {spread.low:.3f} to {spread.high:.3f}")
        rows.append(
            {
                "name": name,
                "place": place,
                "promoted": selection.promoted and name == selection.winner,
                "badge": BADGES.get(found.status),
                "notes": notes,
                "before": {each: found.before.of(each).value for each in METRICS},
                "scores": found.scores,
                "cost": figure(deciding_cost(selection, name)),
            }
        )
    for point, reference in selection.reference_points.items():
        few = reference.questions < selection.questions.count
        rows.append(
            {
                "name": plain(point).capitalize(),
                "place": None,
                "promoted": False,
                "badge": None,
                "notes": [f"on {reference.questions:,} questions"] if few else [],
                "before": None,
                "scores": reference.scores,
                "cost": None,
            }
        )
    return rows


def _note(selection: Selection, name: str) -> str:
    """Return briefly why a candidate is not the winner."""
    found = selection.candidates[name]
    near = (Status.WITHIN_MARGIN, Status.BEYOND_MARGIN)
    if found.status not in near or found.against_leader is None:
        return found.why
    gap = found.against_leader.of(selection.metric)
    bound = "" if gap.lower is None else f", lower bound {signed(gap.lower)}"
    words = found.status.replace("_", " ")
    return f"{words} ({METRICS[selection.metric]} {signed(gap.value)}{bound})"


def comparisons(selection: Selection) -> list[dict[str, Any]]:
    """Return the tables of the differences: against the leader, the points, the limits."""
    label = METRICS[selection.metric]
    candidates = selection.candidates
    tables = []
    rows = [
        [
            name,
            *(
                cell
                for gap in (found.against_leader.exact_match, found.against_leader.f1)
                for cell in (signed(gap.value), signed_range(gap), _bare(gap.p_value))
            ),
            _signed(found.against_leader.of(selection.metric).lower),
        ]
        for name, found in candidates.items()
        if found.against_leader is not None
    ]
    if rows:
        tables.append(
            {
                "caption": f"Minus the leader, {selection.leader}, on the same questions: random "
                "effects by document. p is the smallest level at which the interval "
                f"excludes zero; select.margin is compared with the lower bound in {label}.",
                "titles": [
                    "Candidate",
                    *("EM", "95 % interval", "p", "F1", "95 % interval", "p", "Lower bound"),
                ],
                "rows": rows,
            }
        )
    points = ["untouched_base", *next(iter(candidates.values())).against]
    tables.append(
        {
            "caption": f"{label} minus that of each reference point, on the same questions, with "
            "the lower bound in parentheses.",
            "titles": ["Candidate"] + [plain(point).capitalize() for point in points],
            "rows": [
                [name]
                + [
                    f"{signed(gap.value)} ({_signed(gap.lower)})"
                    for point in points
                    for gap in [selection.advantage(name, point)]
                ]
                for name in candidates
            ],
        }
    )
    limits = list(next(iter(candidates.values())).constraints)
    if limits:
        tables.append(
            {
                "caption": "Constraints: measured value and limit.",
                "titles": ["Candidate", *limits],
                "rows": [
                    [name]
                    + [
                        f"{figure(limit.measured)} of {figure(limit.limit)}"
                        f"{'' if limit.met else ', not met'}"
                        for limit in found.constraints.values()
                    ]
                    for name, found in candidates.items()
                ],
            }
        )
    return tables


def _bare(p_value: float | None) -> str:
    if p_value is None:
        return DASH
    return p_value_words(p_value).removeprefix("p = ").removeprefix("p ")


def _signed(value: float | None) -> str:
    return DASH if value is None else signed(value)
