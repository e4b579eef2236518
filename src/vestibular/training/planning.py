"""Predicted memory of a training, from a model's configuration alone, and settings that fit.

A step is rehearsed on torch's meta device, where tensors have shapes but no storage, and the bytes
alive at a time are counted. No weights are read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vestibular.core.errors import BaseModelError, first_line
from vestibular.modeling.batching import Row, by_length, epoch_batches, rows
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.memory import TensorBytes, process_bytes
from vestibular.modeling.memory_estimates import rehearsed, usable_bytes, weight_bytes
from vestibular.modeling.models import pick_precision, without_weights
from vestibular.modeling.tensors import Inputs, collate, label_loss
from vestibular.training.adapters import make_trainable
from vestibular.training.settings import TrainSettings

TOKEN_BUDGETS = (16384, 8192, 4096, 2048, 1024, 512)
"""Values that `max_tokens_per_batch: auto` tries, in order."""
LOOSE = 2
"""Factor on a step's tensors if freed memory stays with the C library. Measured with Gemma 3 270M:
1.4 in float32, 2.0 in bfloat16 (docs/results/faquad-real)."""
TRAINED_COPIES = 3
"""Copies of a trained weight: its gradient and AdamW's two moments, in float32 each."""


@dataclass(frozen=True)
class TrainingPlan:
    """Memory of a training, in bytes."""

    settings: TrainSettings
    """The settings with every `auto` resolved."""
    weights: int
    """The model's weights and buffers, including the adapter's."""
    states: int
    """Gradients and the optimizer's moments."""
    activations: int
    """Peak of a step's other tensors."""
    process: int
    """Memory of the process before the model is loaded; 0 on a GPU."""

    @property
    def peak_bytes(self) -> int:
        """Peak memory of everything that is alive."""
        return self.weights + self.states + self.activations + self.process

    def is_tight(self, room: float) -> bool:
        """Return whether freed memory must be returned at once to fit into `room` bytes."""
        return self.peak_bytes - self.process + (LOOSE - 1) * self.activations > room

    def held_bytes(self, room: float) -> int:
        """Return the peak memory if `room` bytes are free at the start."""
        # torch's own allocator on a GPU reuses freed memory
        loose = bool(self.process) and not self.is_tight(room)
        return self.peak_bytes + ((LOOSE - 1) * self.activations if loose else 0)


def plan_training(
    folder: Path,
    settings: TrainSettings,
    limit: int,
    encoded: Sequence[EncodedQuestion],
    seed: int,
    device: torch.device,
) -> TrainingPlan:
    """Resolve `auto` to values that fit `device`, and predict the memory of the training.

    Recomputing activations takes a third more time, so that smaller micro-batches are tried first.
    Settings without `auto` are kept, whether they fit or not.

    Args:
        folder: folder of the model's configuration.
        settings: the candidate's settings.
        limit: length of the longest example, in tokens.
        encoded: the training questions.
        seed: seed of their order.
        device: where to train.

    Raises:
        BaseModelError: no value for `auto` fits.
    """
    room = room_of_a_process(settings, device)
    stated = "auto" not in (settings.max_tokens_per_batch, settings.gradient_checkpointing)
    taken = 0
    for resolved in _resolutions(settings, limit):
        plan = estimate_training_memory(folder, resolved, encoded, seed, device)
        taken = plan.peak_bytes - plan.process
        if stated or taken <= room:
            return plan
    raise BaseModelError(
        "train.max_tokens_per_batch, train.gradient_checkpointing: whatever value `auto` takes, "
        f"the training needs at least {taken:,} bytes, but only {room:,.0f} are "
        f"free{' for each process' if settings.processes > 1 else ''}; run `vestibular plan` to "
        "see which settings would fit"
    )


def sharing(settings: TrainSettings, device: torch.device) -> int:
    """Return how many of a training's processes share a memory: all on a CPU, one on a GPU."""
    return settings.processes if device.type == "cpu" else 1


def room_of_a_process(settings: TrainSettings, device: torch.device) -> float:
    """Return how many bytes of the free memory one process of a training may use."""
    return usable_bytes(device) / sharing(settings, device)


def _resolutions(settings: TrainSettings, limit: int) -> Iterator[TrainSettings]:
    """Return the settings with `auto` resolved in every way, the fastest first."""
    # explicit values are kept, except a limit above the model's own
    settings = settings.model_copy(update={"max_length": limit})
    budgets: Sequence[int] = (
        [*[budget for budget in TOKEN_BUDGETS if budget > limit], limit]
        if settings.max_tokens_per_batch == "auto"
        else [settings.max_tokens_per_batch]
    )
    checkpointing = settings.gradient_checkpointing
    for recompute in [False, True] if checkpointing == "auto" else [checkpointing]:
        for budget in budgets:
            yield settings.model_copy(
                update={"max_tokens_per_batch": budget, "gradient_checkpointing": recompute}
            )


def estimate_training_memory(
    folder: Path,
    settings: TrainSettings,
    encoded: Sequence[EncodedQuestion],
    seed: int,
    device: torch.device,
) -> TrainingPlan:
    """Run the heaviest step of the first epoch without any numbers.

    One of several processes takes at most what a single one would: it computes a part of each step.
    Quantized matrices are rehearsed unquantized: their inputs and outputs are the same.

    Raises:
        BaseModelError: a step cannot be computed with these modules and options of the adapter.
    """
    full = settings.method == "full"
    dtype = torch.float32 if full else pick_precision(settings.precision, device, folder)
    weights = weight_bytes(without_weights(folder), settings.quantization, dtype)
    model = trainable_shape(folder, settings, dtype)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    adapter = 0 if settings.method == "full" else trained * torch.float32.itemsize

    def heaviest_step(numbers: torch.dtype) -> int:
        shape = trainable_shape(folder, settings, numbers)
        batches = heaviest(encoded, settings, seed)
        return max(step_bytes(shape, batch, settings) for batch in batches)

    try:
        activations = rehearsed(heaviest_step, dtype)
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise BaseModelError(
            f"{folder}: no training step can be computed with these settings under train "
            f"({first_line(error)}); check lora first: target_modules "
            f"{settings.lora.target_modules}, options {settings.lora.options}"
        ) from error
    return TrainingPlan(
        settings=settings,
        weights=weights + adapter,
        states=TRAINED_COPIES * trained * torch.float32.itemsize,
        activations=activations,
        process=process_bytes() if device.type == "cpu" else 0,
    )


def trainable_shape(folder: Path, settings: TrainSettings, dtype: torch.dtype) -> Any:
    """Build a trainable model without weights on the meta device."""
    with torch.device("meta"):
        model = without_weights(folder).to(dtype)
        plain = settings.model_copy(update={"quantization": "none"})
        return make_trainable(model, plain, bool(settings.gradient_checkpointing)).train()


def epoch_groups(
    encoded: Sequence[EncodedQuestion], settings: TrainSettings, seed: int
) -> list[list[Row]]:
    """Return the micro-batches of the first epoch, as rows."""
    budget = int(settings.max_tokens_per_batch)
    return [
        group
        for batch in epoch_batches(encoded, settings.batch_size, seed, 0)
        for group in by_length(
            rows(batch, settings.batching, settings.loss, budget), budget, least_width(settings)
        )
    ]


def epoch_tokens(encoded: Sequence[EncodedQuestion], settings: TrainSettings, seed: int) -> int:
    """Return the number of tokens that go through the model in an epoch, padding included."""
    return sum(padded_tokens(group, settings) for group in epoch_groups(encoded, settings, seed))


def least_width(settings: TrainSettings) -> int:
    """Return the minimum number of tokens to which every row is padded."""
    return settings.max_length if settings.batching == "padded_to_max_length" else 0


def padded_tokens(group: Sequence[Row], settings: TrainSettings) -> int:
    """Return the number of tokens in a micro-batch, padding included."""
    return len(group) * max(least_width(settings), *(row.length for row in group))


def heaviest(
    encoded: Sequence[EncodedQuestion], settings: TrainSettings, seed: int
) -> list[list[Row]]:
    """Return the first epoch's micro-batches with the most tokens and the most attention."""
    groups = epoch_groups(encoded, settings, seed)
    return [
        max(groups, key=lambda group: padded_tokens(group, settings)),
        max(groups, key=lambda group: padded_tokens(group, settings) ** 2 / len(group)),
    ]


def step_bytes(model: Any, batch: Sequence[Row], settings: TrainSettings) -> int:
    """Return the peak memory of one forward and backward pass, weights excluded, in bytes."""
    inputs = step_shapes(batch, settings)
    with TensorBytes(model) as counted:
        torch.autograd.backward(label_loss(model, inputs))
    return int(counted.peak)


def step_shapes(batch: Sequence[Row], settings: TrainSettings) -> Inputs:
    """Return the tensors of a micro-batch on the meta device."""
    laid_out = collate(batch, width=least_width(settings))
    return {name: tensor.to("meta") for name, tensor in laid_out.items()}
