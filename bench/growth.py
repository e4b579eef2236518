"""Growth of a question's cost with the model, context, questions per context, and answer."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from bench.answering_ways import generate
from bench.base import load_model, make_base, pick_device
from bench.settings import Settings
from bench.shapes import END, PUBLISHED_LENGTH
from bench.training_ways import optimizer_of, own_backward, published_backward, train
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.generation import answer_questions

Ways = dict[str, Callable[[list[EncodedQuestion]], int]]
"""Functions by name; each processes questions and returns the number of those processed."""

REPEATS = 3
QUESTION_TOKENS = 24
ANSWER_TOKENS = 8
CONTEXT_TOKENS = 384
QUESTIONS = 4
"""Values that are not varied are close to FaQuAD's, with prompts of 370 tokens and 4 questions per
context."""
CONTEXT_LENGTHS = (128, 256, 512, 960)
QUESTIONS_A_CONTEXT = (1, 2, 4, 8, 16)
ANSWER_LENGTHS = (8, 16, 32, 64)
ASKED = 32
"""Number of questions in an exam."""
ASKED_ALONE = 4
"""Number of them that are asked one at a time; fewer are enough, since each costs the same."""
SHAPES_ON_CPU = ("tiny", "mini", "small")
SHAPES_ON_GPU = ("small", "gpt2", "gpt2-medium")


def draw(context_tokens: int, questions: int, contexts: int = 1) -> list[EncodedQuestion]:
    """Return questions of random tokens, the same number for each context."""
    source = random.Random(0)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(source.randrange(END + 1) for _ in range(count))

    drawn = []
    for name in range(contexts):
        context = tokens(context_tokens)
        drawn += [
            EncodedQuestion(
                f"{name}-{number}",
                context + tokens(QUESTION_TOKENS),
                tokens(ANSWER_TOKENS),
                str(name),
                False,
            )
            for number in range(questions)
        ]
    return drawn


def training_ways(settings: Settings) -> Ways:
    """Return ways of taking one optimizer step; all share one model in memory."""
    model = load_model(settings)
    optimizer = optimizer_of(model)
    recipe = published_backward(model, settings)

    def published(questions: list[EncodedQuestion]) -> int:
        base: Any = model.get_base_model()
        base.gradient_checkpointing_enable({"use_reentrant": False})
        base.enable_input_require_grads()
        train(model, optimizer, [questions], recipe)
        base.gradient_checkpointing_disable()
        base.disable_input_require_grads()
        return len(questions)

    def own(batching: Any) -> Callable[[list[EncodedQuestion]], int]:
        backward = own_backward(model, settings, batching)

        def step(questions: list[EncodedQuestion]) -> int:
            train(model, optimizer, [questions], backward)
            return len(questions)

        return step

    return {
        "published": published,
        "padded": own("padded"),
        "shared_context": own("shared_context"),
    }


def answering_ways(settings: Settings) -> Ways:
    """Return ways of answering; all share one model in memory, and answers have full length."""
    model = load_model(settings).eval()

    def one_at_a_time(questions: list[EncodedQuestion]) -> int:
        alone = questions[:ASKED_ALONE]
        with torch.inference_mode():
            for question in alone:
                generate(model, question, None, settings.new_tokens)
        return len(alone)

    def shared_context(questions: list[EncodedQuestion]) -> int:
        tokens = settings.answering_tokens
        answer_questions(model, questions, (), settings.new_tokens, tokens, "shared")
        return len(questions)

    return {"one_at_a_time": one_at_a_time, "shared_context": shared_context}


def seconds_a_question(ways: Ways, questions: list[EncodedQuestion]) -> dict[str, float]:
    """Return each way's median seconds per question, measured in turn after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(REPEATS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            count = way(questions)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if repeat:
                times[name].append((time.perf_counter() - start) / count)
    return {name: statistics.median(taken) for name, taken in times.items()}


def growth(settings: Settings) -> list[dict[str, Any]]:
    """Measure each axis; the published recipe, which pads to one length, only for the model's size.

    Returns:
        a row for each measurement: `task`, `axis`, `value` (for the model, its shape's name), `way`
        and `seconds_per_question`.
    """
    found: list[dict[str, Any]] = []

    def measure(task: str, axis: str, value: int | str, ways: Ways, *drawn: int) -> None:
        for way, seconds in seconds_a_question(ways, draw(*drawn)).items():
            print(f"growth  {task} {axis} {value}  {way}  {seconds:.3f} s/question", flush=True)
            found.append(
                {
                    "task": task,
                    "axis": axis,
                    "value": value,
                    "way": way,
                    "seconds_per_question": seconds,
                }
            )

    on_cpu = pick_device(settings).type == "cpu"
    contexts = ASKED // QUESTIONS
    shapes = SHAPES_ON_CPU if on_cpu else SHAPES_ON_GPU
    for shape in ("toy",) if settings.shape == "toy" else shapes:
        with TemporaryDirectory(prefix="bench-") as folder:
            sized = replace(settings, base=Path(folder), shape=shape)
            make_base(sized)
            taught, asked = training_ways(sized), answering_ways(sized)
        measure("training", "model", shape, taught, CONTEXT_TOKENS, QUESTIONS)
        measure("answering", "model", shape, asked, CONTEXT_TOKENS, QUESTIONS, contexts)
    taught, asked = training_ways(settings), answering_ways(settings)
    del taught["published"]
    for length in CONTEXT_LENGTHS:
        measure("training", "context_tokens", length, taught, length, QUESTIONS)
        # leave room for the question and the answer
        length = min(length, PUBLISHED_LENGTH - QUESTION_TOKENS - settings.new_tokens)
        measure("answering", "context_tokens", length, asked, length, QUESTIONS, contexts)
    for count in QUESTIONS_A_CONTEXT:
        axis = "questions_per_context"
        measure("training", axis, count, taught, CONTEXT_TOKENS, count)
        measure("answering", axis, count, asked, CONTEXT_TOKENS, count, ASKED // count)
    for length in ANSWER_LENGTHS:
        asked = answering_ways(replace(settings, new_tokens=length))
        drawn = (CONTEXT_TOKENS, QUESTIONS, contexts)
        measure("answering", "answer_tokens", length, asked, *drawn)
    return found
