"""Sections of the report: the table of all questions, and the charts with their tables.

Predictions are one row per question, by candidate, in order of rank.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from vestibular.core.characters import end_of
from vestibular.core.costs import CandidateCosts
from vestibular.core.documents import document_numbers
from vestibular.core.exam_results import AnsweredQuestion, Prediction
from vestibular.core.metrics import METRICS, Metric
from vestibular.core.questions import Question
from vestibular.report import charts, slices
from vestibular.report.epochs import epoch_words
from vestibular.report.formatting import (
    COLOURS,
    NOT_MEASURED,
    deciding_cost,
    figure,
    score_words,
    seconds_alone,
    size,
)
from vestibular.scoring.languages import languages
from vestibular.selection.answer_costs import COSTS
from vestibular.selection.clusters import Clusters
from vestibular.selection.means import mean_interval
from vestibular.selection.result import Selection

Predictions = Mapping[str, Sequence[Prediction]]
Curve = Sequence[Mapping[str, str]]

MOST_ANSWERS = 40_000
"""Maximum number of answers in the table of questions: a browser shows these ten megabytes
immediately, but not hundreds of megabytes."""


def shown_questions(questions: int, candidates: int) -> Sequence[int]:
    """Return the positions of the questions in the page's table: all, or evenly spaced ones."""
    most = max(1, MOST_ANSWERS // candidates)
    if questions <= most:
        return range(questions)
    return [number * questions // most for number in range(most)]


def shown_note(questions: int, candidates: int) -> str:
    """Say which questions the table contains; empty if it contains all."""
    shown = len(shown_questions(questions, candidates))
    if shown == questions:
        return ""
    return (
        f" The table contains {shown:,} of the {questions:,} questions, evenly spaced, so that a "
        "browser can handle it; every figure above covers all questions, and metrics/predictions "
        "contains them."
    )


def questions_data(
    questions: Sequence[Question],
    predictions: Predictions,
    language: str | None,
) -> dict[str, Any]:
    """Return the data of the table of questions for the page's script.

    Contexts are stored once. An answer is a list of its text, exact match and F1.
    """
    places = shown_questions(len(questions), len(predictions))
    unique = _unique(questions[place].context for place in places)
    contexts = {text: number for number, text in enumerate(unique)}
    known = language in languages()
    rows = []
    for place in places:
        question = questions[place]
        answers = [predictions[name][place] for name in predictions]
        word = slices.question_word(question.question, str(language)) if known else ""
        start = question.answer_starts[0]
        leaked = answers[0].after.leaked
        tags = [question.title, "shares text with the training data" if leaked else ""]
        rows.append(
            {
                "id": question.id,
                "title": question.title,
                "question": question.question,
                "word": word,
                "tags": [tag for tag in tags if tag],
                "context": contexts[question.context],
                # the page counts in UTF-16 units
                "answer": [
                    _utf16(question.context[:start]) if start >= 0 else -1,
                    _utf16(
                        question.context[: end_of(question.answers[0], question.context, start)]
                    ),
                ],
                "references": _unique(question.answers),
                "before": [_scored(row.before) for row in answers],
                "after": [_scored(row.after) for row in answers],
            }
        )
    return {
        "candidates": list(predictions),
        "colours": [place % COLOURS for place in range(len(predictions))],
        "contexts": list(contexts),
        "questions": rows,
    }


def _scored(row: AnsweredQuestion) -> list[str | float]:
    return [row.answer, row.exact_match, round(row.f1, 4)]


def _unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def kinds(
    questions: Sequence[Question],
    predictions: Predictions,
    language: str | None,
    metric: Metric,
) -> list[dict[str, Any]]:
    """Return the scores by kind of question: title, drawing and table rows for each."""
    groupings = []
    if language in languages():
        groupings.append(("Question word", slices.by_question_word(questions, str(language))))
    groupings += [
        ("Length of the answer", slices.by_number(questions, slices.answer_words, "word")),
        ("Length of the context", slices.by_number(questions, slices.context_words, "word")),
        ("Position of the answer in the context", slices.by_position(questions)),
    ]
    leaked = [row.after.leaked for row in next(iter(predictions.values()))]
    if any(leaked):
        groupings.append(("Overlap with the training data", slices.by_leak(leaked)))
    documents = document_numbers(questions)
    result = []
    for number, (title, parts) in enumerate(groupings):
        rows, points = [], []
        for part in parts:
            clusters = Clusters([documents[place] for place in part.members])
            scores = []
            for name, answers in predictions.items():
                scores.append(
                    {
                        key: sum(answers[place].after.score(key) for place in part.members)
                        / len(part.members)
                        for key in METRICS
                    }
                )
                found = mean_interval(
                    np.array([answers[place].after.score(metric) for place in part.members]),
                    clusters,
                )
                words = f"{name}, {part.label}: {METRICS[metric]} {found.value:.3f}"
                if found.low is not None:
                    words += f" ({found.low:.3f} to {found.high:.3f})"
                points.append(
                    {
                        "slice": part.label,
                        "candidate": name,
                        "score": found.value,
                        # a group of one document has only a point
                        "low": found.value if found.low is None else found.low,
                        "high": found.value if found.high is None else found.high,
                        "words": f"{words}, {len(part.members)} questions",
                    }
                )
            rows.append({"label": part.label, "count": len(part.members), "scores": scores})
        chart = charts.slice_scores(points, parts, list(predictions), METRICS[metric])
        drawing = Markup(charts.draw(chart, f"kind{number}"))  # noqa: S704
        result.append({"title": title, "rows": rows, "drawing": drawing})
    return result


def loss_chart(curves: Mapping[str, Curve], candidates: Sequence[str]) -> dict[str, Any]:
    """Return the chart and table of all candidates' loss curves."""
    rows, table = [], []
    for name in candidates:
        cells = [name]
        for series, column in (("training", "loss"), ("validation", "validation_loss")):
            points = [row for row in curves[name] if row[column]]
            for row in charts.thinned(points):
                epoch, loss = float(row["epoch"]), float(row[column])
                words = f"{name}, {series}: loss {loss:.3g} after {epoch:.3g} epochs"
                # a logarithmic scale cannot show zero
                if loss > 0:
                    rows.append(
                        {"candidate": name, "series": series, "epoch": epoch, "loss": loss}
                        | {"words": words}
                    )
            losses = [float(row[column]) for row in points]
            cells += [f"{losses[-1]:.3g}", f"{min(losses):.3g}"] if losses else ["", ""]
        table.append(cells)
    return {
        **charts.both_widths("loss", lambda width: charts.loss_curves(rows, candidates, width)),
        "title": "Training loss",
        "text": "Solid: training questions; dashed: validation questions.",
        "table": {
            "titles": ["Candidate"]
            + [
                f"{series}, {which}"
                for series in ("training", "validation")
                for which in ("last", "lowest")
            ],
            "rows": table,
        },
    }


def cost_chart(selection: Selection, costs: Mapping[str, CandidateCosts]) -> dict[str, Any]:
    """Return the chart of score against cost, and the table of all costs."""
    metric, kind = selection.metric, selection.rule.cost
    rows, table = [], []
    for name, found in selection.candidates.items():
        score, cost = found.scores.of(metric), found.cost
        decisive = deciding_cost(selection, name)
        exam, training = costs[name].evaluate, costs[name].train
        rows.append(
            {
                "candidate": name,
                "cost": decisive,
                "score": score.value,
                "low": score.value if score.low is None else score.low,
                "high": score.value if score.high is None else score.high,
                "words": f"{name}: {METRICS[metric]} {score_words(score)}, "
                f"{figure(decisive)} {COSTS[kind].unit}",
                "pareto": found.pareto,
            }
        )
        table.append(
            [
                name,
                figure(cost.flops_per_answer),
                seconds_alone(exam.latency_p95) if exam else NOT_MEASURED,
                f"{exam.questions_per_second:.3g}" if exam else NOT_MEASURED,
                size(exam.peak_memory_bytes) if exam else NOT_MEASURED,
                size(cost.model_bytes),
                f"{cost.trainable_parameters:,}",
                seconds_alone(training.seconds) if training else NOT_MEASURED,
                epoch_words(training.epoch_seconds) if training else NOT_MEASURED,
                "yes" if found.pareto else "no",
            ]
        )
    names = list(selection.candidates)
    titles = (COSTS[kind].name, METRICS[metric])
    return {
        **charts.both_widths(
            "cost",
            lambda width: charts.score_against_cost(rows, names, titles, width),
        ),
        "title": "Score against cost",
        "text": "Dashed: the Pareto front, on which no other candidate scores more for less. Bars: "
        "95 % intervals.",
        "table": {
            "titles": [
                "Candidate",
                "Operations per answer",
                "p95 latency, s",
                "Answers per second",
                "Peak memory",
                "Base model",
                "Trained parameters",
                "Training, s",
                "One epoch, s",
                "On the front",
            ],
            "rows": table,
        },
    }
