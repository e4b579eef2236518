"""The exam: the untouched base and the fine-tuned model answer the same questions."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vestibular.core.base_models import longest_input
from vestibular.core.documents import context_name
from vestibular.core.params import EvaluateSettings, PromptSettings, TrainSettings
from vestibular.core.questions import Question
from vestibular.examination.asking import Windows
from vestibular.modeling.answers import Answer
from vestibular.modeling.encoding import EncodedQuestion, encode_answer, encode_for_answering
from vestibular.modeling.flops import Shape, flops_per_answer
from vestibular.scoring.scoring import mean, published_exact_match, published_f1
from vestibular.scoring.squad_metric import SquadMetric
from vestibular.tracking.measuring import stopwatch

LATENCY_QUESTIONS = 20
"""Questions asked one at a time to measure how long one answer takes."""
PUBLISHED_TOKENS = 5
"""Tokens of an answer that the published recipe looks at."""


def encode_exam(
    base: Path,
    tokenizer: Any,
    prompt: PromptSettings,
    train: TrainSettings,
    evaluate: EvaluateSettings,
    questions: Sequence[Question],
) -> list[list[EncodedQuestion]]:
    """Encode questions so that prompt and answer together fit the model.

    Raises:
        DataError: a question does not fit even without its context.
    """
    limit = longest_input(base, train.max_length) - evaluate.max_new_tokens
    return encode_for_answering(tokenizer, prompt, questions, limit, evaluate.window_overlap)


def cost_of(
    asked: Sequence[Windows],
    answers: Sequence[Answer],
    seconds: float,
    shape: Shape,
    ask_one: Callable[[Windows], object],
) -> dict[str, float]:
    """Return what answering took, and measure how long one question alone takes.

    Returns:
        `seconds`, `questions_per_second`, `tokens_per_second` (prompts and answers), the median
        and 95th percentile of `latency` in seconds, one question at a time, and
        `flops_per_answer`.
    """
    tokens = sum(len(window.prompt) for windows in asked for window in windows)
    tokens += sum(len(answer.tokens) for answer in answers)
    latencies = []
    for windows in asked[:: max(1, len(asked) // LATENCY_QUESTIONS)]:
        elapsed = stopwatch()
        ask_one(windows)
        latencies.append(elapsed())
    return {
        "seconds": seconds,
        "questions_per_second": len(asked) / seconds,
        "tokens_per_second": tokens / seconds,
        "latency_p50": statistics.median(latencies),
        "latency_p95": sorted(latencies)[max(0, round(0.95 * len(latencies)) - 1)],
        # every window of a long context is asked, and answers are about as long everywhere
        "flops_per_answer": flops_per_answer(
            shape,
            (
                (len(window.prompt), len(answer.tokens))
                for windows, answer in zip(asked, answers, strict=True)
                for window in windows
            ),
        )
        * sum(len(windows) for windows in asked)
        / len(asked),
    }


def score(
    questions: Sequence[Question],
    answers: Sequence[str],
    articles: str,
    unanswerable: str | None,
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Score answers against all references.

    Returns:
        the two means, and each answer with its own scores.
    """
    metric = SquadMetric(config_name=articles, keep_in_memory=True)
    result = metric.compute(
        predictions=list(answers),
        references=[list(question.answers) for question in questions],
        unanswerable=unanswerable,
    )
    each = [
        {"answer": answer, "exact_match": match, "f1": overlap}
        for answer, match, overlap in zip(
            answers, result["exact_matches"], result["f1s"], strict=True
        )
    ]
    return {"exact_match": result["exact_match"], "f1": result["f1"]}, each


def details(
    tokenizer: Any,
    prompt: PromptSettings,
    questions: Sequence[Question],
    answers: Sequence[Answer],
    rows: Sequence[dict[str, Any]],
) -> dict[str, float | None]:
    """Return other views of the same answers.

    Returns:
        `published_exact_match` and `published_f1`, the scores of the published recipe (first
        reference alone, five tokens); `clean_exact_match` and `clean_f1`, the usual ones over
        the questions that training does not give away (None if there is no such question).
    """
    firsts = [answer.tokens[:PUBLISHED_TOKENS] for answer in answers]
    wanted = [encode_answer(tokenizer, prompt, question.answers[0])[:-1] for question in questions]
    clean = [row for question, row in zip(questions, rows, strict=True) if not question.leaked]
    return {
        "published_exact_match": mean(
            [
                published_exact_match(
                    tokenizer.decode(tokens, skip_special_tokens=True), question.answers[0]
                )
                for tokens, question in zip(firsts, questions, strict=True)
            ]
        ),
        "published_f1": mean([published_f1(*pair) for pair in zip(firsts, wanted, strict=True)]),
        "clean_exact_match": mean([row["exact_match"] for row in clean]) if clean else None,
        "clean_f1": mean([row["f1"] for row in clean]) if clean else None,
    }


def predictions(
    questions: Sequence[Question],
    asked: Sequence[Windows],
    before: Sequence[dict[str, Any]],
    after: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return one row a question: what was asked, the references, both answers with scores.

    `title` and `context`, a hash, tell which questions belong together (see `documents.py`).
    """
    return [
        {
            "id": question.id,
            "title": question.title,
            "context": context_name(question.context),
            "question": question.question,
            "references": list(question.answers),
            "windows": len(windows),
            "leaked": question.leaked,
            "before": earlier,
            "after": later,
        }
        for question, windows, earlier, later in zip(questions, asked, before, after, strict=True)
    ]
