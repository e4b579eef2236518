"""Ways of answering: one question at a time, and each context once for all its questions."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from bench.arithmetic import NOTHING, Work, causal, forward_flops
from bench.base import autocast, load_model, load_tokenizer, pick_device
from bench.questions import exam
from bench.settings import Settings
from bench.shapes import END
from bench.ways import Way
from vestibular.examination.net import deviation
from vestibular.modeling.answers import Answer
from vestibular.modeling.encoding import EncodedQuestion, shared_prefix
from vestibular.modeling.generation import answer_questions
from vestibular.modeling.memory_estimates import answering_bytes

Answers = list[list[int]]


def generate(model: Any, question: EncodedQuestion, end: int | None, new_tokens: int) -> list[int]:
    """Answer greedily with transformers' own `generate`; return the tokens before the end.

    Without an `end`, every answer has `new_tokens` tokens.
    """
    ids = torch.tensor([question.prompt], device=model.device)
    output = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=new_tokens,
        eos_token_id=end,
        pad_token_id=END,
    )[0, ids.shape[1] :].tolist()
    return output[: output.index(end)] if end in output else output


def grown(question: EncodedQuestion, answer: Sequence[int], shared: int) -> Work:
    """Return the work of a question whose first `shared` tokens are already encoded."""
    length = len(question.prompt) + len(answer)
    whole, before = causal(length, len(answer) + 1), causal(shared, 0)
    return Work(whole.tokens - before.tokens, whole.keys - before.keys, whole.outputs)


def way(
    settings: Settings,
    answer: Callable[[Any, list[EncodedQuestion], int], Answers],
    configuration: str,
    once: bool,
    findings: Callable[[Any, list[EncodedQuestion]], dict[str, Any]] = lambda model, asked: {},
) -> Way:
    """Return a way of answering the exam; with `once`, each context is encoded only once."""
    tokenizer = load_tokenizer(settings)
    questions = exam(settings, tokenizer)
    model = load_model(settings).eval()
    found: Answers = []

    def run() -> None:
        with torch.inference_mode(), autocast(settings, model.device):
            found[:] = answer(model, questions, tokenizer.eos_token_id)

    def warm_up() -> None:
        with torch.inference_mode(), autocast(settings, model.device):
            answer(model, questions[:2], tokenizer.eos_token_id)

    groups: dict[str, list[EncodedQuestion]] = {}
    for question in questions:
        groups.setdefault(question.context if once else question.id, []).append(question)
    # the largest length of an answer; the actual length is only known afterwards
    longest = [0] * settings.new_tokens
    needed = NOTHING
    for group in groups.values():
        shared = shared_prefix([question.prompt for question in group]) if once else 0
        needed += causal(shared, 0)
        needed += sum((grown(question, longest, shared) for question in group), NOTHING)
    return Way(
        questions=len(questions),
        tokens=sum(len(question.prompt) for question in questions),
        configuration=configuration,
        warm_up=warm_up,
        run=run,
        model_flops=forward_flops(settings.shape, needed),
        hardware_flops=0,
        answers=lambda: tokenizer.batch_decode(found, skip_special_tokens=True),
        findings=lambda: findings(model, questions),
    )


def one_at_a_time(settings: Settings) -> Way:
    """Return the way of transformers' `generate`, one question at a time."""

    def answer(model: Any, questions: list[EncodedQuestion], end: int) -> Answers:
        return [generate(model, question, end, settings.new_tokens) for question in questions]

    return way(settings, answer, "transformers' generate, one question per batch", once=False)


def shared_context(settings: Settings) -> Way:
    """Return the pipeline's own way of answering."""
    given: list[Answer] = []

    def answer(model: Any, questions: list[EncodedQuestion], end: int) -> Answers:
        given[:] = answer_questions(
            model, questions, (end,), settings.new_tokens, settings.answering_tokens, "shared"
        )
        return [list(answer.tokens) for answer in given]

    def findings(model: Any, questions: list[EncodedQuestion]) -> dict[str, Any]:
        with autocast(settings, model.device):
            gone_over = deviation(model, questions, given, (END,))
        longest = max(len(question.prompt) for question in questions) + settings.new_tokens
        return {
            "contexts": len({question.context for question in questions}),
            "log_probabilities_off": gone_over.mean,
            "likelier_by": gone_over.from_best,
            "planned_bytes": answering_bytes(
                settings.base,
                settings.quantization,
                "float32",
                longest,
                settings.answering_tokens,
                pick_device(settings),
            ),
        }

    held = f"at most {settings.answering_tokens} tokens held at a time"
    return way(settings, answer, held, once=True, findings=findings)
