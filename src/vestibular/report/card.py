"""The model card of the candidate in production: the hub's metadata, and the facts for people.

The card stands in the model's folder, so that it goes wherever the model goes. It names no
time, no machine and no path but those of the settings.
"""

import json
from collections.abc import Sequence

from huggingface_hub import EvalResult, ModelCardData

from vestibular.core.base_models import Pin
from vestibular.core.data_metrics import DataMetrics
from vestibular.core.exam_results import Prediction
from vestibular.core.metrics import METRICS
from vestibular.core.paths import BASE_FOLDER, MODEL_FILE
from vestibular.core.questions import Question
from vestibular.params.project import Params
from vestibular.report.formatting import cost_words, plain, score_range, sentence
from vestibular.report.page import templates
from vestibular.scoring.languages import languages
from vestibular.selection.explanation import permission
from vestibular.selection.phrases import listed
from vestibular.selection.result import Selection


def model_card(
    params: Params,
    selection: Selection,
    pin: Pin,
    audit: DataMetrics,
    questions: Sequence[Question],
    rows: Sequence[Prediction],
) -> str:
    """Return the card of the selection's winner.

    Args:
        params: all settings.
        selection: what the choice rests on.
        pin: the winner's base model.
        audit: what `prepare` found out about the data.
        questions: those that every candidate has answered.
        rows: the winner's answers, in the questions' order.
    """
    name = selection.shown
    found = selection.candidates[name]
    candidate = params.candidate(name)
    local, full = pin.sha256 is not None, candidate.train.method == "full"
    precision = candidate.train.precision
    base = (
        f"the local base model `{pin.base_model}`"
        if local
        else f"[{pin.base_model}](https://hf.co/{pin.base_model})"
    )
    version = f"SHA-256 of its files {pin.sha256}" if local else f"revision {pin.revision}"
    quantization = candidate.train.quantization
    context, question = _example(questions, rows)
    code = (
        templates()
        .get_template("load.py.jinja")
        .render(
            base=json.dumps("." if full else BASE_FOLDER if local else pin.base_model),
            revision=None if full else pin.revision,
            full=full,
            dtype="float32" if precision == "auto" else precision,
            chat=params.prompt.chat,
            quantization=None if quantization == "none" else quantization,
            context=_literal(context),
            question=_literal(question),
        )
    )
    return (
        templates()
        .get_template("card.md.jinja")
        .render(
            header=_metadata(params, selection, pin).to_yaml(),
            name=name,
            language=params.data.language,
            notice=_notice(selection),
            base=base,
            version=version,
            copied=local,
            full=full,
            unanswerable=params.data.unanswerable,
            quantization=quantization,
            parameters=found.cost,
            cost=cost_words(selection, name),
            asked=selection.questions,
            table=_scores(selection, name),
            articles=_articles(params),
            scoring=params.evaluate.normalization,
            reasons=[sentence(reason) for reason in selection.reasons],
            audit=audit.splits(),
            license=params.data.license,
            max_length=candidate.train.max_length,
            max_new_tokens=params.evaluate.max_new_tokens,
            model_file=MODEL_FILE,
            code=code,
        )
    )


def _articles(params: Params) -> str:
    language = languages().get(params.evaluate.articles)
    if language is None or not language.has_articles:
        return "no articles left out"
    return f"{language.name} articles left out"


def _literal(text: str) -> str:
    """Return a text as a Python string, on one line, that cannot end the card's code block."""
    # JSON's strings are Python's too
    return json.dumps(text, ensure_ascii=False).replace("`", "\\u0060")


def _notice(selection: Selection) -> str | None:
    """Return what the reader has to know first; None if there is nothing."""
    if selection.below:
        points = listed([f"the {point}" for point in selection.below])
        return (
            f"Promoted below a reference point: this model is not above {points}, and is here "
            f"because `{permission(selection)}` was set."
        )
    if selection.unclear:
        points = listed([f"the {point}" for point in selection.unclear])
        return (
            f"Above {points} only within the noise: with these questions nobody can be sure that "
            "this model is better."
        )
    return None


def _metadata(params: Params, selection: Selection, pin: Pin) -> ModelCardData:
    """Return the header: only what is on the hub is named as the hub names it, and so linked."""
    name = selection.shown
    full = params.candidate(name).train.method == "full"
    found, hub = selection.candidates[name], params.data.hub
    data = hub.id if hub else params.data.source
    return ModelCardData(
        language=params.data.language,
        license=params.data.license,
        base_model=pin.base_model if pin.revision is not None else None,
        datasets=[hub.id] if hub else None,
        library_name="transformers" if full else "peft",
        pipeline_tag="text-generation",
        tags=["question-answering", "extractive-qa", *([] if full else ["lora"]), "vestibular"],
        model_name=name,
        eval_results=[
            EvalResult(
                task_type="question-answering",
                task_name="Question answering",
                dataset_type=data,
                dataset_name=data,
                dataset_revision=hub.revision if hub else None,
                dataset_config=hub.config if hub else None,
                dataset_split=selection.questions.basis,
                metric_type=metric,
                metric_name=label,
                # as SQuAD's cards write it, from 0 to 100
                metric_value=round(100 * found.scores.of(metric).value, 4),
            )
            for metric, label in METRICS.items()
        ],
    )


def _scores(selection: Selection, name: str) -> list[list[str]]:
    """Return the rows of the table: the model, its untouched base, the reference points."""
    found = selection.candidates[name]
    rows = [(f"**{name}**", found.scores), ("its untouched base", found.before)]
    rows += [
        (plain(point), reference.scores) for point, reference in selection.reference_points.items()
    ]
    return [
        [label]
        + [
            text
            for metric in METRICS
            for text in (f"{scores.of(metric).value:.3f}", score_range(scores.of(metric)))
        ]
        for label, scores in rows
    ]


def _example(questions: Sequence[Question], rows: Sequence[Prediction]) -> tuple[str, str]:
    """Return a context and a question that the model has right, if there is one, a short one."""
    question, _ = min(
        zip(questions, rows, strict=True),
        key=lambda both: (-both[1].after.exact_match, len(both[0].context), both[0].id),
    )
    return question.context, question.question
