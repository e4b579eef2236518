"""Which ways are right for an architecture, found out on a miniature of it.

In this order: a token must not see those after it; the exam, sharing contexts and else padded,
must give the logits of one question at a time at every step; and so must a training step give the
loss and the gradients of single questions. What raises an error is not a way, and the error is
the reason that is kept. Where an error might be a fault or rounding, all is done again with twice
the digits, which only rounding is smaller with.
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
from vestibular.modeling.miniature import CANNOT_BE_BUILT, cut, miniature, skeleton
from vestibular.modeling.targets import Targets, narrowed, usual_targets
from vestibular.modeling.trials import (
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

SMALL = 50_000_000
"""Parameters of a miniature up to which its feed-forward blocks keep their width."""
LARGEST = 1_000_000_000
"""Parameters of a miniature that is still tried out: 4 GB."""
INNER_WIDTH = 256
"""Width of the feed-forward blocks of larger ones."""
DIFFERENT_ANSWERS = 3
"""Without as many, a trial of the exam has shown nothing."""
FAULT = 1e-2
"""An error that is larger is never rounding; the largest from rounding was 5e-4."""
UPDATE = 0.1
"""Standard deviation of the trial adapter's second matrices; those of a new one are 0."""


def try_out(config: Any) -> Ways:
    """Try all ways on a miniature of the architecture that `config` describes."""
    if config.is_encoder_decoder:
        return _refused(
            "is an encoder-decoder: its answers are no continuation of the prompt; name a causal "
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
                "is no causal language model: a token moves the outputs before it (by "
                f"{ahead:.1g} of the largest), so that it would see the answer that it is to give; "
                "name one that was trained to continue texts"
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
    """Return what is found with twice the digits, or None if the model knows no such numbers."""
    model = model.double()
    exam, _ = _attempt(lambda: right_answers(model, questions))
    return None if exam is None else _ways(model, exam, questions).ways


def _sizes(config: Any) -> Iterator[tuple[int | None, int]]:
    """Yield the sizes of miniatures to try, the most telling first: inner width, layers a kind."""
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
    """Return the plainest ways, for what no miniature can be made of."""
    try:
        targets = usual_targets(skeleton(config))
    except CANNOT_BE_BUILT as error:
        return _refused(f"cannot be built from its configuration ({first_line(error)})")
    return Ways("single", "single", "no small model of it can be tried out", targets)


@dataclass(frozen=True)
class _Found:
    ways: Ways
    doubtful: bool
    """Whether a way was left for an error that may be rounding."""


def _ways(model: Any, exam: Exam, questions: list[EncodedQuestion]) -> _Found:
    reasons: list[str] = []
    errors: list[float] = []
    if len({answer.tokens for answer in exam.answers}) < DIFFERENT_ANSWERS:
        answering: Way = "single"
        reasons.append("exam: a small model's answers are all alike")
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
        # such as a weight that a kernel reads without asking the module
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
    """Return the fastest way whose error is rounding, and note why faster ones are not right."""
    for way in ("shared", "padded"):
        found, said = _attempt(lambda: error(way))  # noqa: B023
        if found is not None and found <= TOLERANCE:
            return way
        if found is not None:
            errors.append(found)
            said = "other answers" if found == float("inf") else f"off by {found:.1g}"
        reasons.append(f"{what}, {way}: {said}")
    return "single"


def _attempt(work: Callable[[], Any]) -> tuple[Any, str]:
    """Return what some work gives, or None and the error that it ended in."""
    try:
        return work(), ""
    except Exception as error:  # whatever a library raises: it is the reason that is shown
        if out_of_memory(error):
            raise
        return None, f"{type(error).__name__}: {first_line(error)}"


def _adapted(model: Any, targets: Targets) -> Any:
    """Put an adapter on a model that already changes something."""
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
    """Return the modules whose adapter got no gradient at all."""
    trained = [(name, each) for name, each in adapted.named_parameters() if each.requires_grad]
    return {
        name.removeprefix("base_model.model.").split(".lora_")[0]
        for name, each in trained
        if each.grad is None or not bool(each.grad.any())
    }
