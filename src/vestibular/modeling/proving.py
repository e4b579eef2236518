"""Tests on a miniature of an architecture that decide which ways are correct for it.

In this order: a token must not see later ones; the exam, sharing contexts or else padded, must give
the logits of one question at a time at every step; and a training step must give the loss and
gradients of single questions. A way that raises an error is rejected, and the error is kept as the
reason. If an error might be a fault or rounding, everything is repeated in double precision, which
reduces only rounding.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers.pytorch_utils import Conv1D

from vestibular.core.errors import first_line, out_of_memory
from vestibular.modeling.answers import Way
from vestibular.modeling.capability import Ways
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.equivalence import (
    TOLERANCE,
    Exam,
    exam_error,
    learn,
    lesson_error,
    lesson_rows,
    looks_ahead,
    right_answers,
    trial_questions,
)
from vestibular.modeling.miniature import CANNOT_BE_BUILT, cut, miniature, skeleton
from vestibular.modeling.targets import Targets, narrowed, usual_targets

SMALL = 50_000_000
"""Number of parameters up to which a miniature's feed-forward blocks keep their width."""
LARGEST = 1_000_000_000
"""Maximum number of parameters of a miniature: 4 GB."""
INNER_WIDTH = 256
"""Width of the feed-forward blocks of larger miniatures."""
DIFFERENT_ANSWERS = 3
"""Minimum number of different answers for a conclusive trial of the exam."""
FAULT = 1e-2
"""A larger error is never rounding; the largest rounding error was 5e-4."""
UPDATE = 0.1
"""Standard deviation of the trial adapter's second matrices; in a new adapter they are 0."""


def try_out(config: Any) -> Ways:
    """Try all ways on a miniature of the architecture that `config` describes."""
    if config.is_encoder_decoder:
        return _refused(
            "is an encoder-decoder, whose answers do not continue the prompt; name a causal "
            "language model"
        )
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.simplefilter("ignore")
            return _prove(config)
    finally:
        transformers.logging.set_verbosity(verbosity)


def _refused(reason: str) -> Ways:
    return Ways("single", "single", "", (), refused=reason)


def _prove(config: Any) -> Ways:
    sizes = list(_sizes(config))
    failed: list[str] = []
    for inner, per_kind in sizes:
        model = miniature(config, inner, per_kind)
        questions = trial_questions(model.config.get_text_config(decoder=True).vocab_size)
        ahead, said = _attempt(lambda: looks_ahead(model, questions))  # noqa: B023
        if ahead is not None and ahead > TOLERANCE:
            return _refused(
                f"is not a causal language model: a token changes earlier outputs (by {ahead:.1g} "
                "of the largest), so that it would see the answer that it should give; name one "
                "that was trained to continue texts"
            )
        if ahead is not None:
            exam, said = _attempt(lambda: right_answers(model, questions))  # noqa: B023
            if exam is not None:
                found = _ways(model, exam, questions)
                if not found.doubtful:
                    return found.ways
                return _precisely(miniature(config, inner, per_kind), questions) or found.ways
        failed.append(said)
    if failed:
        return _refused(f"cannot answer a question of text alone ({failed[0]})")
    return _unproven(config)


def _precisely(model: Any, questions: list[EncodedQuestion]) -> Ways | None:
    """Return the result in double precision, or None if the model does not support it."""
    model = model.double()
    exam, _ = _attempt(lambda: right_answers(model, questions))
    return None if exam is None else _ways(model, exam, questions).ways


def _sizes(config: Any) -> Iterator[tuple[int | None, int]]:
    """Yield the sizes of miniatures to try, best first: inner width, layers per kind."""
    for inner, per_kind, most in (
        (None, 2, SMALL),
        (INNER_WIDTH, 2, LARGEST),
        (INNER_WIDTH, 1, LARGEST),
        (None, 1, LARGEST),
    ):
        try:
            small = skeleton(cut(config, inner, per_kind))
        except CANNOT_BE_BUILT:
            continue
        if sum(each.numel() for each in small.parameters()) <= most:
            yield inner, per_kind


def _unproven(config: Any) -> Ways:
    """Return the simplest ways, for an architecture without a miniature."""
    try:
        targets = usual_targets(skeleton(config))
    except CANNOT_BE_BUILT as error:
        return _refused(f"cannot be built from its configuration ({first_line(error)})")
    return Ways("single", "single", "no small model of it can be tested", targets)


@dataclass(frozen=True)
class _Found:
    ways: Ways
    doubtful: bool
    """Whether a way was rejected for an error that may be rounding."""


def _ways(model: Any, exam: Exam, questions: list[EncodedQuestion]) -> _Found:
    reasons: list[str] = []
    errors: list[float] = []
    if len({answer.tokens for answer in exam.answers}) < DIFFERENT_ANSWERS:
        answering: Way = "single"
        reasons.append("exam: a small model's answers are all the same")
    else:
        answering = _first_right("exam", lambda way: exam_error(model, exam, way), reasons, errors)
    targets = usual_targets(model)
    right, adapted = None, None
    for _ in range(2):
        adapted, said = _attempt(lambda: _adapted(model, targets))  # noqa: B023
        if adapted is None:
            break
        right, said = _attempt(lambda: learn(adapted, lesson_rows(questions, "single")))  # noqa: B023
        if right is None:
            break
        idle = _idle(adapted)
        if not idle:
            break
        # such as a weight that a kernel reads without calling the module
        adapted.unload()
        targets = narrowed(targets, idle, model)
    if right is None:
        return _Found(_refused(f"cannot be trained on text alone ({said})"), False)
    training = _first_right(
        "training", lambda way: lesson_error(adapted, questions, right, way), reasons, errors
    )
    ways = Ways(training, answering, "; ".join(reasons), targets)
    return _Found(ways, any(error <= FAULT for error in errors))


def _first_right(
    what: str, error: Callable[[Way], float], reasons: list[str], errors: list[float]
) -> Way:
    """Return the fastest way whose error is rounding; note why faster ones are not correct."""
    for way in ("shared", "padded"):
        found, said = _attempt(lambda: error(way))  # noqa: B023
        if found is not None and found <= TOLERANCE:
            return way
        if found is not None:
            errors.append(found)
            said = "different answers" if found == float("inf") else f"off by {found:.1g}"
        reasons.append(f"{what}, {way}: {said}")
    return "single"


def _attempt(work: Callable[[], Any]) -> tuple[Any, str]:
    """Return the result of some work, or None and its error."""
    try:
        return work(), ""
    except Exception as error:  # whatever a library raises is shown as the reason
        if out_of_memory(error):
            raise
        return None, f"{type(error).__name__}: {first_line(error)}"


def _adapted(model: Any, targets: Targets) -> Any:
    """Attach an adapter that already changes the model's outputs."""
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=4,
        target_modules=targets if isinstance(targets, str) else list(targets),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )
    adapted: Any = get_peft_model(model, config)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, UPDATE)
    return adapted.train()


def _idle(adapted: Any) -> set[str]:
    """Return the modules whose adapter received no gradient."""
    trained = [(name, each) for name, each in adapted.named_parameters() if each.requires_grad]
    return {
        name.removeprefix("base_model.model.").split(".lora_")[0]
        for name, each in trained
        if each.grad is None or not bool(each.grad.any())
    }
