"""What a training would take, from a model's configuration alone, and settings that fit.

A step is rehearsed on torch's meta device, where tensors have shapes but no bytes; what would
have been alive at a time is counted. No weights are read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from vestibular.core.errors import BaseModelError
from vestibular.core.params import EvaluateSettings, Quantization, TrainSettings
from vestibular.modeling.batching import Row, by_length, epoch_batches, rows
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.memory import TensorBytes, available_bytes, process_bytes
from vestibular.modeling.adapters import make_trainable
from vestibular.modeling.models import pick_precision, without_weights
from vestibular.modeling.tensors import Inputs, collate, label_loss, logits_at

TOKEN_BUDGETS = (16384, 8192, 4096, 2048, 1024, 512)
"""What `max_tokens_per_batch: auto` tries, the largest first."""
USABLE_MEMORY = 0.8
"""Share of the free memory that a plan may fill."""
BYTES_PER_WEIGHT = {"8bit": 1.0, "4bit": 0.5}
"""Of a quantized matrix; its scales come on top and are small."""
TRAINED_COPIES = 3
"""Beside a trained weight: its gradient, and AdamW's two means; float32 each."""
ANSWERING_BUDGETS = (4096, 65536)
"""Least and most tokens that `evaluate.max_tokens_per_batch: auto` holds at a time."""


@dataclass(frozen=True)
class TrainingPlan:
    """What a training takes, in bytes."""

    settings: TrainSettings
    """The settings with every `auto` resolved."""
    weights: int
    """The model's weights and buffers, the adapter's included."""
    states: int
    """Gradients and the optimizer's means."""
    activations: int
    """Most that a step's other tensors hold at a time."""
    process: int
    """What the process holds before the model is loaded; 0 on a GPU."""

    @property
    def peak_bytes(self) -> int:
        """Most memory at a time."""
        return self.weights + self.states + self.activations + self.process


def plan_training(
    folder: Path,
    settings: TrainSettings,
    limit: int,
    encoded: Sequence[EncodedQuestion],
    seed: int,
    device: torch.device,
) -> TrainingPlan:
    """Resolve `auto` to what fits `device`, and say what memory the training will take.

    Recomputing activations costs a third more time, so that smaller micro-batches come first.
    Settings that leave nothing open stand, whether they fit or not.

    Args:
        folder: where the model's configuration is.
        settings: the candidate's settings.
        limit: longest example, in tokens.
        encoded: the training questions.
        seed: seed of their order.
        device: where to train.

    Raises:
        BaseModelError: nothing that the settings leave open fits.
    """
    room = available_bytes(device) * USABLE_MEMORY
    stated = "auto" not in (settings.max_tokens_per_batch, settings.gradient_checkpointing)
    taken = 0
    for resolved in _resolutions(settings, limit):
        plan = rehearse_training(folder, resolved, encoded, seed, device)
        taken = plan.peak_bytes - plan.process
        if stated or taken <= room:
            return plan
    raise BaseModelError(
        f"train.max_tokens_per_batch, train.gradient_checkpointing: whatever is taken for `auto`, "
        f"the training takes {taken:,} bytes or more, and {room:,.0f} are free; run `vestibular "
        "plan` to see what would make it fit"
    )


def _resolutions(settings: TrainSettings, limit: int) -> Iterator[TrainSettings]:
    """Return the settings with `auto` resolved in every way, the fastest first."""
    # what is stated stands, a limit above the model's own aside
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


def rehearse_training(
    folder: Path,
    settings: TrainSettings,
    encoded: Sequence[EncodedQuestion],
    seed: int,
    device: torch.device,
) -> TrainingPlan:
    """Go through the heaviest step of the first epoch without any numbers.

    Quantized matrices are rehearsed as plain ones: their inputs and outputs are the same.
    """
    dtype = (
        torch.float32 if settings.method == "full" else pick_precision(settings.precision, device)
    )
    weights = weight_bytes(without_weights(folder), settings.quantization, dtype)
    model = trainable_shape(folder, settings, dtype)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    adapter = 0 if settings.method == "full" else trained * torch.float32.itemsize
    return TrainingPlan(
        settings=settings,
        weights=weights + adapter,
        states=TRAINED_COPIES * trained * torch.float32.itemsize,
        activations=max(
            step_bytes(model, batch, settings) for batch in heaviest(encoded, settings, seed)
        ),
        process=process_bytes() if device.type == "cpu" else 0,
    )


def trainable_shape(folder: Path, settings: TrainSettings, dtype: torch.dtype) -> Any:
    """Build a model ready for training, without its weights, on the meta device."""
    with torch.device("meta"):
        model = without_weights(folder).to(dtype)
        plain = settings.model_copy(update={"quantization": "none"})
        return make_trainable(model, plain, bool(settings.gradient_checkpointing)).train()


def weight_bytes(model: Any, quantization: Quantization, dtype: torch.dtype) -> int:
    """Return the bytes of a model's weights and buffers, as transformers counts them.

    bitsandbytes packs the matrices of all linear modules but the output head's; everything else
    stays in `dtype`.

    Args:
        model: a model without an adapter, on any device.
        quantization: how the matrices are to be stored.
        dtype: numbers of what is not quantized.
    """
    packed = {}
    if quantization != "none":
        head = model.get_output_embeddings()
        packed = {
            id(module.weight): BYTES_PER_WEIGHT[quantization]
            for module in model.modules()
            if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
        }
    total = sum(
        parameter.numel() * packed.get(id(parameter), dtype.itemsize)
        for parameter in model.parameters()
    )
    buffers = sum(buffer.numel() * buffer.itemsize for buffer in model.buffers())
    return int(total + buffers)


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
    """Return the tokens that go through the model in an epoch, padding included."""
    return sum(padded_tokens(group, settings) for group in epoch_groups(encoded, settings, seed))


def least_width(settings: TrainSettings) -> int:
    """Return the tokens that every row is padded to at least."""
    return settings.max_length if settings.batching == "padded_to_max_length" else 0


def padded_tokens(group: Sequence[Row], settings: TrainSettings) -> int:
    """Return the tokens of a micro-batch, padding included."""
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
    """Return the most bytes that one forward and backward pass holds beside the weights."""
    inputs = step_shapes(batch, settings)
    with TensorBytes(model) as counted:
        torch.autograd.backward(label_loss(model, inputs))
    return int(counted.peak)


def step_shapes(batch: Sequence[Row], settings: TrainSettings) -> Inputs:
    """Return the tensors of a micro-batch on the meta device."""
    laid_out = collate(batch, width=least_width(settings))
    return {name: tensor.to("meta") for name, tensor in laid_out.items()}


def answering_budget(model: Any, settings: EvaluateSettings, device: torch.device) -> int:
    """Return how many tokens of prompts and answers to hold on `device` at a time.

    While a cache grows, so does its copy, and as much again is left for the rest.
    """
    if settings.max_tokens_per_batch != "auto":
        return settings.max_tokens_per_batch
    free = available_bytes(device) * USABLE_MEMORY
    least, most = ANSWERING_BUDGETS
    return max(least, min(most, int(free / (3 * cache_bytes(model)))))


def cache_bytes(model: Any) -> int:
    """Return what one token takes in the cache: a key and a value in every layer."""
    shape = model.config.get_text_config()
    heads = shape.num_attention_heads
    head_size = getattr(shape, "head_dim", None) or shape.hidden_size // heads
    kept = getattr(shape, "num_key_value_heads", None) or heads
    return int(2 * shape.num_hidden_layers * kept * head_size * model.dtype.itemsize)


def answering_bytes(
    folder: Path, train: TrainSettings, evaluate: EvaluateSettings, device: torch.device
) -> int:
    """Return the most memory that the exam takes, in bytes: weights, cache, one batch's rest."""
    dtype = pick_precision(train.precision, device)
    model = without_weights(folder).to(dtype).eval()
    budget = answering_budget(model, evaluate, device)
    length = min(budget, train.max_length)
    ids = torch.zeros(max(1, budget // length), length, dtype=torch.long, device="meta")
    nowhere = torch.zeros(0, dtype=torch.long, device="meta")
    with torch.inference_mode(), TensorBytes(model) as counted:
        logits_at(model, nowhere, nowhere, input_ids=ids, use_cache=True)
    held = max(counted.peak, 2 * budget * cache_bytes(model))
    process = process_bytes() if device.type == "cpu" else 0
    return weight_bytes(model, train.quantization, dtype) + int(held) + process
