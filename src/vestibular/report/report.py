"""The report: what the choice rests on, as one page for people.

It is made of the files that the stages before wrote, and of nothing else (no clock, no git), so
that equal inputs give equal bytes.
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
from vestibular.report import exhibits, origins, slices
from vestibular.report.figures import (
    EXPLANATIONS,
    SPACE,
    UNITS,
    figure,
    plain,
    sentence,
    signed,
    signed_range,
)
from vestibular.report.first_screen import first_screen
from vestibular.report.page import as_script_data, write_page
from vestibular.selection.wording import COST_KEYS, metric_of, probability

BADGES = {
    "winner": ("in production", "good"),
    "tied": ("tied", "good"),
    "constraint": ("beyond a constraint", "bad"),
    "below_reference": ("below reference", "bad"),
}
"""What the leaderboard says beside a candidate's name, by its status."""


def write_report(
    path: Path,
    params: Params,
    selection: Mapping[str, Any],
    costs: Mapping[str, CandidateCosts],
    curves: Mapping[str, exhibits.Curve],
    questions: Sequence[Question],
    predictions: exhibits.Predictions,
    audit: DataMetrics,
    pins: Mapping[str, Pin],
) -> None:
    """Write the page.

    Args:
        path: where to.
        params: all settings.
        selection: what the choice rests on; `verdict.py` describes it.
        costs: what was measured of each candidate.
        curves: each candidate's loss curve, rows of text.
        questions: those that every candidate has answered.
        predictions: each candidate's answers, in the questions' order.
        audit: what `prepare` found out about the data.
        pins: each candidate's base model.
    """
    names = list(selection["candidates"])
    ordered = {name: predictions[name] for name in names}
    metric = metric_of(selection)
    language = params.data.language
    words = (
        slices.by_question_word(questions, language) if language in slices.question_words() else []
    )
    write_page(
        path,
        {
            "subject": _subject(selection),
            "verdict": first_screen(selection, costs),
            "candidates": names,
            "board": board(selection),
            "cost_title": UNITS[selection["rule"]["cost"]].capitalize(),
            "leaderboard_note": "Bar: 95 % interval; line: after fine-tuning; ring: the untouched "
            "base. EM is the share of answers that equal a reference, F1 their overlap in words.",
            "references": [
                {"name": plain(point).capitalize(), "text": EXPLANATIONS[point]}
                for point in selection["reference_points"]
            ],
            "reasons": [sentence(reason) for reason in selection["reasons"]],
            "comparisons": comparisons(selection),
            "charts": [
                exhibits.cost_chart(selection, costs),
                exhibits.loss_chart(curves, names),
            ],
            "kinds_note": f"{METRICS[metric]} after fine-tuning, with 95 % intervals; small "
            "groups have wide ones.",
            "kinds": exhibits.kinds(questions, ordered, language, metric, params.seed),
            "words": [part.label for part in words],
            "origins": {
                "tables": [
                    origins.data_table(audit),
                    origins.bases_table(pins, selection),
                    origins.machines_table(costs),
                ],
                "settings": origins.settings(params),
            },
            "questions_data": as_script_data(exhibits.questions_data(questions, ordered, language)),
        },
    )


def _subject(selection: Mapping[str, Any]) -> str:
    asked = selection["questions"]
    basis = (
        "validation questions"
        if asked["basis"] == "validation"
        else f"questions, each answered by the model of the fold (of {asked['folds']}) that had "
        "not seen it"
    )
    candidates = len(selection["candidates"])
    return (
        f"{candidates} candidate{'s' if candidates > 1 else ''}, {asked['count']:,} {basis}, "
        f"{asked['documents']:,} documents"
    )


def board(selection: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the leaderboard: the candidates by rank, then the reference points."""
    key = COST_KEYS[selection["rule"]["cost"]]
    rows: list[dict[str, Any]] = []
    for place, (name, found) in enumerate(selection["candidates"].items()):
        notes = [] if found["status"] == "winner" else [_note(selection, name)]
        if found["seeds"]:
            spread = found["seeds"][metric_of(selection)]
            notes.append(
                f"{len(found['seeds']['values'])} seeds: {spread['low']:.3f} to "
                f"{spread['high']:.3f}"
            )
        rows.append(
            {
                "name": name,
                "place": place,
                "promoted": selection["promoted"] and name == selection["winner"],
                "badge": BADGES.get(found["status"]),
                "notes": notes,
                "before": {each: found["before"][each]["value"] for each in METRICS},
                "scores": found["scores"],
                "cost": figure(found["cost"][key]),
            }
        )
    for point, found in selection["reference_points"].items():
        few = found["questions"] < selection["questions"]["count"]
        rows.append(
            {
                "name": plain(point).capitalize(),
                "place": None,
                "promoted": False,
                "badge": None,
                "notes": [f"on {found['questions']:,} questions"] if few else [],
                "before": None,
                "scores": found["scores"],
                "cost": None,
            }
        )
    return rows


def _note(selection: Mapping[str, Any], name: str) -> str:
    """Return in few words why a candidate is not the one."""
    found = selection["candidates"][name]
    if found["status"] not in ("tied", "worse") or found["against_leader"] is None:
        return str(found["why"])
    metric = metric_of(selection)
    gap = found["against_leader"][metric]
    return (
        f"{METRICS[metric]} {signed(gap['value'])} against {selection['leader']}, "
        f"{probability(gap['p_holm']).replace(' ', SPACE)}"
    )


def comparisons(selection: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tables of the differences: against the leader, the points, the limits."""
    metric = metric_of(selection)
    label = METRICS[metric]
    candidates = selection["candidates"]
    tables = []
    rows = []
    for name, found in candidates.items():
        if found["against_leader"] is not None:
            match, overlap = (found["against_leader"][each] for each in METRICS)
            rows.append(
                [
                    name,
                    *(signed(match["value"]), signed_range(match)),
                    *(f"{match['only_this']} : {match['only_leader']}", _bare(match["p_holm"])),
                    *(signed(overlap["value"]), signed_range(overlap), _bare(overlap["p_holm"])),
                ]
            )
    if rows:
        tables.append(
            {
                "caption": f"Less the leader, {selection['leader']}. EM: McNemar's exact test on "
                "the questions that one alone has right (this : leader); F1: paired bootstrap by "
                "document. p after Holm's correction.",
                "titles": [
                    "Candidate",
                    *("EM", "95 % interval", "Alone right", "p"),
                    *("F1", "95 % interval", "p"),
                ],
                "rows": rows,
            }
        )
    points = list(next(iter(candidates.values()))["against"])
    tables.append(
        {
            "caption": f"{label} less each reference point's, and less the untouched base's; "
            "paired on the same questions.",
            "titles": ["Candidate", "Untouched base"]
            + [plain(point).capitalize() for point in points],
            "rows": [
                [name, signed(found["gain"][metric]["value"])]
                + [signed(found["against"][point][metric]["value"]) for point in points]
                for name, found in candidates.items()
            ],
        }
    )
    limits = list(next(iter(candidates.values()))["constraints"])
    if limits:
        tables.append(
            {
                "caption": "Constraints: measured, and the limit.",
                "titles": ["Candidate", *limits],
                "rows": [
                    [name]
                    + [
                        f"{figure(limit['measured'])} of {figure(limit['limit'])}"
                        f"{'' if limit['met'] else ', not met'}"
                        for limit in found["constraints"].values()
                    ]
                    for name, found in candidates.items()
                ],
            }
        )
    return tables


def _bare(p_value: float) -> str:
    return probability(p_value).removeprefix("p = ").removeprefix("p ")
