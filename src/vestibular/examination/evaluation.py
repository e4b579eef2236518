"""Parts of an exam: encoding of the questions, scores, speed and other figures."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vestibular.core.base_models import longest_input
from vestibular.core.documents import context_name
from vestibular.core.exam_results import (
    AnsweredQuestion,
    ExamDetails,
    FirstLine,
    Parameters,
    Scores,
    mean_scores,
)
from vestibular.core.questions import Question
from vestibular.core.settings import PromptSettings
from vestibular.examination.settings import EvaluateSettings
from vestibular.examination.windowed_answers import Windows
from vestibular.modeling.answers import Answer
from vestibular.modeling.encoding import EncodedQuestion, encode_answer, encode_for_answering
from vestibular.modeling.flops import Shape, flops_per_answer
from vestibular.scoring.metric import load_metric
from vestibular.scoring.normalization import Normalization
from vestibular.scoring.scoring import mean, published_exact_match, published_f1
from vestibular.tracking.metering import stopwatch

LATENCY_QUESTIONS = 5
"""Number of questions asked one at a time to measure latency: each costs as much as many
together."""
PUBLISHED_TOKENS = 5
"""Number of an answer's tokens used by the published recipe."""


def encode_exam(
    base: Path,
    tokenizer: Any,
    prompt: PromptSettings,
    max_length: int,
    evaluate: EvaluateSettings,
    questions: Sequence[Question],
) -> list[list[EncodedQuestion]]:
    """Encode questions so that prompt and answer together fit the model.

    Args:
        base: folder of the base model.
        tokenizer: the model's tokenizer.
        prompt: how a question is put.
        max_length: maximum length of prompt and answer together, in tokens.
        evaluate: settings of the exam.
        questions: the questions.

    Raises:
        DataError: a question does not fit even without its context.
    """
    limit = longest_input(base, max_length) - evaluate.max_new_tokens
    return encode_for_answering(tokenizer, prompt, questions, limit, evaluate.window_overlap)


def speed(asked: Sequence[Windows], answers: Sequence[Answer], seconds: float) -> dict[str, float]:
    """Return the speed of the exam: `seconds`, and questions and tokens per second."""
    tokens = sum(len(window.prompt) for windows in asked for window in windows)
    tokens += sum(len(answer.tokens) for answer in answers)
    return {
        "seconds": seconds,
        "questions_per_second": len(asked) / seconds,
        "tokens_per_second": tokens / seconds,
    }


def latency(asked: Sequence[Windows], ask_one: Callable[[Windows], object]) -> dict[str, float]:
    """Measure the time of a single question, in seconds: median and 95th percentile."""
    latencies = []
    for windows in asked[:: max(1, len(asked) // LATENCY_QUESTIONS)][:LATENCY_QUESTIONS]:
        elapsed = stopwatch()
        ask_one(windows)
        latencies.append(elapsed())
    return {
        "latency_p50": statistics.median(latencies),
        "latency_p95": sorted(latencies)[max(0, round(0.95 * len(latencies)) - 1)],
    }


def operations(shape: Shape, asked: Sequence[Windows], answers: Sequence[Answer]) -> float:
    """Return the number of floating-point operations per answer."""
    lengths: Iterator[tuple[int, int]] = (
        (len(window.prompt), len(answer.tokens))
        for windows, answer in zip(asked, answers, strict=True)
        for window in windows
    )
    # every window of a long context is asked, and answers are about equally long
    windows = sum(len(windows) for windows in asked)
    return flops_per_answer(shape, lengths) * windows / len(asked)


def score(
    questions: Sequence[Question],
    asked: Sequence[Windows],
    answers: Sequence[str],
    rules: Normalization,
    unanswerable: str | None,
    untouched: bool,
) -> list[AnsweredQuestion]:
    """Score answers against all references; return one row per question.

    `title` and `context`, a hash, tell which questions belong together (see `documents.py`).

    Args:
        questions: the questions.
        asked: the windows of each question.
        answers: the answers.
        rules: normalization of answers.
        unanswerable: the answer that stands for no answer.
        untouched: whether the answers are an untouched base's, whose first lines are scored too.
    """
    references = [question.answers for question in questions]
    result = _computed(answers, references, rules, unanswerable)
    firsts: list[FirstLine | None] = [None for _ in answers]
    if untouched:
        lines = [answer.partition("\n")[0].strip() for answer in answers]
        of_lines = _computed(lines, references, rules, unanswerable)
        firsts = [
            FirstLine(exact_match=match, f1=overlap)
            for match, overlap in zip(of_lines["exact_matches"], of_lines["f1s"], strict=True)
        ]
    scored = zip(
        questions, asked, answers, result["exact_matches"], result["f1s"], firsts, strict=True
    )
    return [
        AnsweredQuestion(
            id=question.id,
            title=question.title,
            context=context_name(question.context),
            question=question.question,
            references=question.answers,
            windows=len(windows),
            leaked=question.leaked,
            answer=answer,
            exact_match=match,
            f1=overlap,
            first_line=first,
        )
        for question, windows, answer, match, overlap, first in scored
    ]


def official_scores(
    rows: Sequence[AnsweredQuestion], rules: Normalization, unanswerable: str | None
) -> Scores:
    """Return the scores of the official script."""
    found = _computed(
        [row.answer for row in rows],
        [row.references for row in rows],
        rules,
        unanswerable,
        official=True,
    )
    return Scores(exact_match=found["exact_match"], f1=found["f1"])


def _computed(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    rules: Normalization,
    unanswerable: str | None,
    official: bool = False,
) -> dict[str, Any]:
    metric = load_metric(f"{rules.rules}-{rules.articles}")
    found: dict[str, Any] = metric.compute(
        predictions=list(answers),
        references=[list(each) for each in references],
        unanswerable=unanswerable,
        official=official,
    )
    return found


def published_scores(
    tokenizer: Any,
    prompt: PromptSettings,
    questions: Sequence[Question],
    answers: Sequence[Answer],
) -> Scores:
    """Return the scores of the published recipe: first reference only, five tokens."""
    firsts = [answer.tokens[:PUBLISHED_TOKENS] for answer in answers]
    wanted = [encode_answer(tokenizer, prompt, question.answers[0])[:-1] for question in questions]
    texts = [tokenizer.decode(tokens, skip_special_tokens=True) for tokens in firsts]
    return Scores(
        exact_match=mean(
            [
                published_exact_match(text, question.answers[0])
                for text, question in zip(texts, questions, strict=True)
            ]
        ),
        f1=mean([published_f1(*pair) for pair in zip(firsts, wanted, strict=True)]),
    )


def longer_references(
    tokenizer: Any, prompt: PromptSettings, questions: Sequence[Question], max_new_tokens: int
) -> int:
    """Return how many questions no answer can match: all references have more tokens."""
    return sum(
        all(
            # without the end token, which needs no room
            len(encode_answer(tokenizer, prompt, answer)) - 1 > max_new_tokens
            for answer in question.answers
        )
        for question in questions
    )


def details(
    rows: Sequence[AnsweredQuestion],
    base_scores: Scores | None,
    official: Scores,
    published: Scores,
    parameters: Parameters,
    model_bytes: int,
    flops: float,
    recurrent_layers: int,
    way: str,
    cut: int,
    longer: int,
) -> ExamDetails:
    """Return the further results of an exam, such as other scores of the same answers."""
    clean = [row for row in rows if not row.leaked]
    return ExamDetails(
        scores=mean_scores(rows),
        base_scores=base_scores,
        official=official,
        published=published,
        clean=mean_scores(clean) if clean else None,
        questions=len(rows),
        clean_questions=len(clean),
        windowed_questions=sum(row.windows > 1 for row in rows),
        windows=sum(row.windows for row in rows),
        parameters=parameters,
        model_bytes=model_bytes,
        flops_per_answer=flops,
        recurrent_layers=recurrent_layers,
        way=way,
        cut_answers=cut,
        longer_references=longer,
    )
