"""`vestibular plan`: for each candidate, what it will take here, and what would make it fit."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from vestibular.core.base_models import configuration_folder, longest_input
from vestibular.core.errors import BaseModelError, VestibularError
from vestibular.core.questions import Question
from vestibular.data.dataset import load_dataset
from vestibular.modeling import capability, counting
from vestibular.modeling.encoding import EncodedQuestion, encode_for_training
from vestibular.modeling.memory import TensorBytes, available_bytes
from vestibular.modeling.memory_estimates import USABLE_MEMORY, answering_bytes, weight_bytes
from vestibular.modeling.models import load_tokenizer, pick_device, pick_precision, without_weights
from vestibular.modeling.tensors import label_loss
from vestibular.params.project import Params

# not used: what a training has imported when it plans is part of the memory that it plans with
from vestibular.training import planning, schedule, training  # noqa: F401
from vestibular.training.settings import TrainSettings
from vestibular.training.ways import settled

UTILIZATION = 0.4
"""Share of the machine's matrix-multiply peak that training reaches, roughly (bench/README.md)."""
ASSUMED_ANSWER = 16
"""Tokens of an answer, where neither data nor tokenizer is there to count them."""
MATRIX = 1024
"""Rows and columns of the matrices that the machine's speed is measured with."""


@dataclass(frozen=True)
class Forecast:
    """What one candidate will take."""

    parameters: int
    """Of the base and the adapter, as the leaderboard counts them."""
    trained_share: float
    """Parameters that are trained, as a fraction of all."""
    weights: int
    """Bytes of the base's weights at the chosen precision."""
    training_peak: int
    """Bytes, the process itself included; of several, what each takes."""
    answering_peak: int
    """Bytes, the process itself included."""
    training_seconds: float
    settings: TrainSettings
    """With every `auto` resolved."""
    ways: capability.Ways
    """How it is taught and asked, and why not in a faster way."""
    warnings: tuple[str, ...]
    """Settings that cannot work with so few steps."""
    counted: bool
    """Whether the tokens are the data's own; if not, examples of full length are assumed."""
    fits: bool
    remedy: str
    """If it does not fit: settings with which it would."""


def forecast(params: Params, name: str, device: torch.device, free: int) -> Forecast:
    """Rehearse a candidate's training and exam without its weights.

    Args:
        params: all settings.
        name: the candidate.
        device: where it would run.
        free: bytes of memory that may be taken.

    Raises:
        BaseModelError: the model's configuration cannot be had, it can be neither trained nor
            examined, or an option cannot be honoured.
    """
    candidate = params.candidate(name)
    folder = configuration_folder(name, candidate)
    limit = longest_input(folder, candidate.train.max_length)
    ways = capability.ways(folder)
    settings = settled(candidate.train, ways)
    encoded, counted = _encode(params, folder, limit, settings)
    stated = settings.model_copy(update={"max_length": limit})
    resolved = True
    try:
        plan = planning.plan_training(folder, settings, limit, encoded, params.seed, device)
    except BaseModelError:
        least = {"max_tokens_per_batch": limit, "gradient_checkpointing": True}
        smallest = {key: value for key, value in least.items() if getattr(stated, key) == "auto"}
        plan = planning.estimate_training_memory(
            folder, stated.model_copy(update=smallest), encoded, params.seed, device
        )
        resolved = False
    dtype = pick_precision(settings.precision, device, folder)
    model = planning.trainable_shape(folder, plan.settings, dtype)
    numbers = counting.count_parameters(folder, model)
    answering = answering_bytes(
        folder,
        plan.settings.quantization,
        plan.settings.precision,
        plan.settings.max_length,
        params.evaluate.max_tokens_per_batch,
        device,
    )
    remedy = ""
    # as `auto` does: the estimate is not exact
    room = free * USABLE_MEMORY
    share = room / planning.sharing(settings, device)
    if not resolved or plan.peak_bytes - plan.process > share:
        remedy = _remedy(folder, stated, encoded, params.seed, device, share)
    elif answering - plan.process > room:
        remedy = "a smaller evaluate.max_tokens_per_batch"
    return Forecast(
        parameters=numbers["total"],
        trained_share=numbers["trainable"] / numbers["total"],
        weights=weight_bytes(without_weights(folder), settings.quantization, dtype),
        training_peak=plan.held_bytes(share),
        answering_peak=answering,
        training_seconds=training_operations(folder, plan.settings, encoded, params.seed)
        / (UTILIZATION * operations_per_second(device, dtype))
        # a CPU's cores are all busy with one process
        * (planning.sharing(settings, device) / settings.processes),
        settings=plan.settings,
        ways=ways,
        warnings=tuple(schedule.warnings(settings, len(encoded))) if counted else (),
        counted=counted,
        fits=not remedy,
        remedy=remedy,
    )


def forecasts(params: Params) -> tuple[dict[str, Forecast], int]:
    """Return a forecast for each candidate, and the bytes of memory that are free."""
    device = pick_device()
    free = available_bytes(device)
    return {name: forecast(params, name, device, free) for name in params.candidates}, free


def training_operations(
    folder: Path, settings: TrainSettings, encoded: Sequence[EncodedQuestion], seed: int
) -> float:
    """Return the floating-point operations of a whole training, counted by torch.

    One heavy step is counted and scaled by tokens. Source: torch.utils.flop_counter.
    """
    batch = planning.heaviest(encoded, settings, seed)[0]
    # in half precision: the experts of a layer cannot be rehearsed in another one
    model = planning.trainable_shape(folder, settings, torch.bfloat16)
    inputs = planning.step_shapes(batch, settings)
    counter = FlopCounterMode(
        display=False, custom_mapping={torch.ops.aten._grouped_mm: _grouped_operations}
    )
    with counter, TensorBytes(model):
        torch.autograd.backward(label_loss(model, inputs))
    tokens = sum(row.length for row in batch)
    every = planning.epoch_tokens(encoded, settings, seed) * settings.epochs
    return float(counter.get_total_flops()) / tokens * every


def _grouped_operations(left: Sequence[int], right: Sequence[int], *_: Any, **__: Any) -> int:
    """Return the operations of the product of all experts of a layer, which torch leaves out.

    Each row of `left` goes through one of the matrices in `right`; if that is no stack of them,
    it is the gradient of one.
    """
    return 2 * left[0] * left[1] * right[-1]


def operations_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the machine's matrix multiplication: the best of a few, each of milliseconds."""
    left, right = (torch.rand(MATRIX, MATRIX, device=device).to(dtype) for _ in range(2))
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = max(best, 2 * MATRIX**3 / (time.perf_counter() - start))
    return best


def _encode(
    params: Params, folder: Path, limit: int, settings: TrainSettings
) -> tuple[list[EncodedQuestion], bool]:
    try:
        tokenizer = load_tokenizer(folder)
        questions: list[Question] = load_dataset(
            params.data, params.evaluate.rules, params.seed
        ).questions["train"]
    except VestibularError:
        body, end = (1,) * (limit - ASSUMED_ANSWER), (1,) * ASSUMED_ANSWER
        return [
            EncodedQuestion(str(number), body, end, str(number), False)
            for number in range(settings.batch_size)
        ], False
    return [
        encode_for_training(tokenizer, params.prompt, question, limit) for question in questions
    ], True


def _remedy(
    folder: Path,
    settings: TrainSettings,
    encoded: Sequence[EncodedQuestion],
    seed: int,
    device: torch.device,
    room: float,
) -> str:
    """Return the mildest change of settings with which the training would fit."""
    quantizations = ["none", "8bit", "4bit"] if settings.method == "lora" else ["none"]
    start = quantizations.index(settings.quantization)
    for quantization, recompute in product(quantizations[start:], (False, True)):
        for budget in planning.TOKEN_BUDGETS:
            changes = {
                "quantization": quantization,
                "gradient_checkpointing": recompute,
                "max_tokens_per_batch": max(budget, settings.max_length),
            }
            tried = settings.model_copy(update=changes)
            plan = planning.estimate_training_memory(folder, tried, encoded, seed, device)
            if plan.peak_bytes - plan.process <= room:
                changed = {k: v for k, v in changes.items() if v != getattr(settings, k)}
                return ", ".join(f"{k}: {str(v).lower()}" for k, v in changed.items())
    smaller = "no setting of this model; a smaller one"
    return smaller if settings.method == "lora" else f"{smaller}, or method: lora"
