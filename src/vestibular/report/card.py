"""The model card of the candidate in production: metadata for the hub, and facts for people.

The card is in the model's folder, so that it accompanies the model. It contains no time, no machine
and no path except those in the settings.
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
        selection: the choice and what supports it.
        pin: the winner's base model.
        audit: figures of `prepare` about the data.
        questions: the questions that every candidate has answered.
        rows: the winner's answers, in the order of the questions.
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
            in_header=params.data.hub is not None,
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
        return "no articles dropped"
    return f"{language.name} articles dropped"


def _literal(text: str) -> str:
    """Return a text as a Python string on one line that cannot end the card's code block."""
    # JSON strings are also Python strings
    return json.dumps(text, ensure_ascii=False).replace("`", "\\u0060")


def _notice(selection: Selection) -> str | None:
    """Return what a reader must know first; None if there is nothing."""
    if selection.below:
        points = listed([f"the {point}" for point in selection.below])
        return (
            f"Promoted below a reference point: this model does not exceed {points}; it was "
            f"promoted because `{permission(selection)}` is set."
        )
    if selection.unclear:
        points = listed([f"the {point}" for point in selection.unclear])
        return (
            f"Above {points} only within the noise: these questions cannot show that this model "
            "is better."
        )
    return None


def _metadata(params: Params, selection: Selection, pin: Pin) -> ModelCardData:
    """Return the header; only what is on the hub is named, by its hub id.

    The hub would take a folder for the id of a model or dataset, and an entry with scores has to
    name its dataset: without a hub id of the data, the scores are in the text alone.
    """
    name = selection.shown
    full = params.candidate(name).train.method == "full"
    found, hub = selection.candidates[name], params.data.hub
    results = [
        EvalResult(
            task_type="question-answering",
            task_name="Question answering",
            dataset_type=hub.id,
            dataset_name=hub.id,
            dataset_revision=hub.revision,
            dataset_config=hub.config,
            dataset_split=selection.questions.basis,
            metric_type=metric,
            metric_name=label,
            # in percent, as on the cards of SQuAD models
            metric_value=round(100 * found.scores.of(metric).value, 4),
        )
        for metric, label in METRICS.items()
        if hub is not None
    ]
    return ModelCardData(
        language=params.data.language,
        license=params.data.license,
        base_model=pin.base_model if pin.revision is not None else None,
        datasets=[hub.id] if hub else None,
        library_name="transformers" if full else "peft",
        pipeline_tag="text-generation",
        tags=["question-answering", "extractive-qa", *([] if full else ["lora"]), "vestibular"],
        model_name=name if hub else None,
        eval_results=results or None,
    )


def _scores(selection: Selection, name: str) -> list[list[str]]:
    """Return the rows of the table of scores: the model, its base, the reference points."""
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
    """Return context and question of a correct answer, a short one if there is any."""
    question, _ = min(
        zip(questions, rows, strict=True),
        key=lambda both: (-both[1].after.exact_match, len(both[0].context), both[0].id),
    )
    return question.context, question.question
