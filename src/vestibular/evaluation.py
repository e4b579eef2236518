"""The exam: the untouched base and the fine-tuned model answer the same questions."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from peft import PeftModel

from vestibular.encoding import EncodedQuestion, encode_for_answering
from vestibular.flops import Shape, flops_per_answer
from vestibular.generation import Answer, answer_questions
from vestibular.measuring import stopwatch
from vestibular.models import longest_input
from vestibular.params import EvaluateSettings, PromptSettings, TrainSettings
from vestibular.questions import Question
from vestibular.squad_metric import SquadMetric

LATENCY_QUESTIONS = 20
"""Questions asked one at a time to measure how long one answer takes."""


def encode_exam(
    model: Any,
    tokenizer: Any,
    prompt: PromptSettings,
    train: TrainSettings,
    evaluate: EvaluateSettings,
    questions: Sequence[Question],
) -> list[EncodedQuestion]:
    """Encode questions so that prompt and answer together fit the model.

    Raises:
        DataError: a question does not fit even without its context.
    """
    limit = longest_input(model, train.max_length) - evaluate.max_new_tokens
    return [encode_for_answering(tokenizer, prompt, question, limit) for question in questions]


def answer_texts(tokenizer: Any, answers: Sequence[Answer]) -> list[str]:
    """Turn generated tokens into text, without the white space around it."""
    return [tokenizer.decode(answer.tokens, skip_special_tokens=True).strip() for answer in answers]


def examine(
    model: PeftModel,
    tokenizer: Any,
    encoded: Sequence[EncodedQuestion],
    settings: EvaluateSettings,
    shape: Shape,
    on_answered: Callable[[int], object],
) -> tuple[list[str], list[str], dict[str, float]]:
    """Let the base (adapter switched off) and the fine-tuned model answer.

    Returns:
        the answers before, the answers after, and what the fine-tuned model's took: `seconds`,
        `questions_per_second`, `tokens_per_second` (prompts and answers), the median and 95th
        percentile of `latency` in seconds, one question at a time, and `flops_per_answer`.
    """

    def ask(questions: Sequence[EncodedQuestion]) -> list[Answer]:
        return answer_questions(
            model,
            questions,
            tokenizer.eos_token_id,
            settings.max_new_tokens,
            settings.max_tokens_per_batch,
            on_answered,
        )

    with model.disable_adapter():
        before = ask(encoded)
    elapsed = stopwatch()
    after = ask(encoded)
    seconds = elapsed()
    tokens = sum(len(question.prompt) for question in encoded)
    tokens += sum(len(answer.tokens) for answer in after)
    latencies = []
    for question in encoded[:: max(1, len(encoded) // LATENCY_QUESTIONS)]:
        elapsed = stopwatch()
        answer_questions(
            model,
            [question],
            tokenizer.eos_token_id,
            settings.max_new_tokens,
            settings.max_tokens_per_batch,
        )
        latencies.append(elapsed())
    cost = {
        "seconds": seconds,
        "questions_per_second": len(encoded) / seconds,
        "tokens_per_second": tokens / seconds,
        "latency_p50": statistics.median(latencies),
        "latency_p95": sorted(latencies)[max(0, round(0.95 * len(latencies)) - 1)],
        "flops_per_answer": flops_per_answer(
            shape,
            (
                (len(question.prompt), len(answer.tokens))
                for question, answer in zip(encoded, after, strict=True)
            ),
        ),
    }
    return answer_texts(tokenizer, before), answer_texts(tokenizer, after), cost


def score(
    questions: Sequence[Question], answers: Sequence[str], articles: str
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Score answers against all references.

    Returns:
        the two means, and each answer with its own scores.
    """
    metric = SquadMetric(config_name=articles, keep_in_memory=True)
    result = metric.compute(
        predictions=list(answers), references=[list(question.answers) for question in questions]
    )
    each = [
        {"answer": answer, "exact_match": match, "f1": overlap}
        for answer, match, overlap in zip(
            answers, result["exact_matches"], result["f1s"], strict=True
        )
    ]
    return {"exact_match": result["exact_match"], "f1": result["f1"]}, each


def predictions(
    questions: Sequence[Question],
    encoded: Sequence[EncodedQuestion],
    before: Sequence[dict[str, Any]],
    after: Sequence[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Return one row a question: what was asked, the references, both answers with scores."""
    return [
        {
            "id": question.id,
            "title": question.title,
            "question": question.question,
            "references": list(question.answers),
            "shortened": asked.shortened,
            "before": earlier,
            "after": later,
        }
        for question, asked, earlier, later in zip(questions, encoded, before, after, strict=True)
    ]
