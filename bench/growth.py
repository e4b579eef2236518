"""How the cost of training grows with the model, the context, and the questions a context."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from bench.base import load_model, make_base, pick_device
from bench.settings import Settings
from bench.shapes import END
from bench.training_ways import optimizer_of, own_backward, published_backward, train
from vestibular.modeling.encoding import EncodedQuestion

REPEATS = 3
QUESTION_TOKENS = 24
ANSWER_TOKENS = 8
CONTEXT_TOKENS = 384
QUESTIONS = 4
"""What is not varied is about as in FaQuAD, whose prompts have 370 tokens and contexts 4
questions."""
CONTEXT_LENGTHS = (128, 256, 512, 960)
QUESTIONS_A_CONTEXT = (1, 2, 4, 8, 16)
SHAPES_ON_CPU = ("tiny", "mini", "small")
SHAPES_ON_GPU = ("small", "gpt2", "gpt2-medium")


def draw(context_tokens: int, questions: int) -> list[EncodedQuestion]:
    """Return questions of random tokens on one context."""
    source = random.Random(0)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(source.randrange(END + 1) for _ in range(count))

    context = tokens(context_tokens)
    return [
        EncodedQuestion(
            str(number), context + tokens(QUESTION_TOKENS), tokens(ANSWER_TOKENS), "context", False
        )
        for number in range(questions)
    ]


def ways_of(settings: Settings) -> dict[str, Callable[[list[EncodedQuestion]], None]]:
    """Return ways of taking one optimizer step, all with one model in memory."""
    model = load_model(settings)
    optimizer = optimizer_of(model)
    recipe = published_backward(model, settings)

    def published(questions: list[EncodedQuestion]) -> None:
        base: Any = model.get_base_model()
        base.gradient_checkpointing_enable({"use_reentrant": False})
        base.enable_input_require_grads()
        train(model, optimizer, [questions], recipe)
        base.gradient_checkpointing_disable()
        base.disable_input_require_grads()

    def own(batching: Any) -> Callable[[list[EncodedQuestion]], None]:
        backward = own_backward(model, settings, batching)
        return lambda questions: train(model, optimizer, [questions], backward)

    return {
        "published": published,
        "padded": own("padded"),
        "shared_context": own("shared_context"),
    }


def seconds_a_question(
    ways: dict[str, Callable[[list[EncodedQuestion]], None]], questions: list[EncodedQuestion]
) -> dict[str, float]:
    """Return the median seconds a question of each way, measured in turn after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(REPEATS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way(questions)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if repeat:
                times[name].append((time.perf_counter() - start) / len(questions))
    return {name: statistics.median(taken) for name, taken in times.items()}


def growth(settings: Settings) -> list[dict[str, Any]]:
    """Measure each axis; the published recipe, which pads all alike, along the model's size only.

    Returns:
        a row a measurement: `axis`, `value` (of the model: its shape's name), `way`, and
        `seconds_per_question`.
    """
    found: list[dict[str, Any]] = []

    def add(axis: str, value: int | str, measured: dict[str, float]) -> None:
        for way, seconds in measured.items():
            print(f"growth  {axis} {value}  {way}  {seconds:.3f} s a question", flush=True)
            found.append(
                {"axis": axis, "value": value, "way": way, "seconds_per_question": seconds}
            )

    on_cpu = pick_device(settings).type == "cpu"
    questions = draw(CONTEXT_TOKENS, QUESTIONS)
    shapes = SHAPES_ON_CPU if on_cpu else SHAPES_ON_GPU
    for shape in ("toy",) if settings.shape == "toy" else shapes:
        with TemporaryDirectory(prefix="bench-") as folder:
            sized = replace(settings, base=Path(folder), shape=shape)
            make_base(sized)
            ways = ways_of(sized)
        add("model", shape, seconds_a_question(ways, questions))
    ways = ways_of(settings)
    del ways["published"]
    for length in CONTEXT_LENGTHS:
        measured = seconds_a_question(ways, draw(length, QUESTIONS))
        add("context_tokens", length, measured)
    for count in QUESTIONS_A_CONTEXT:
        measured = seconds_a_question(ways, draw(CONTEXT_TOKENS, count))
        add("questions_per_context", count, measured)
    return found
