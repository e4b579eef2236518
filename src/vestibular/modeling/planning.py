"""What a model and its exam take in memory, from the model's configuration alone.

A pass is rehearsed on torch's meta device, where tensors have shapes but no bytes; what would
have been alive at a time is counted. No weights are read.
"""

from pathlib import Path
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from vestibular.core.settings import Precision, Quantization, TokenBudget
from vestibular.modeling.memory import TensorBytes, available_bytes, process_bytes
from vestibular.modeling.models import pick_precision, without_weights
from vestibular.modeling.tensors import logits_at

USABLE_MEMORY = 0.8
"""Share of the free memory that a plan may fill."""
BYTES_PER_WEIGHT = {"8bit": 1.0, "4bit": 0.5}
"""Of a quantized matrix; its scales come on top and are small."""
ANSWERING_BUDGETS = (4096, 65536)
"""Least and most tokens that `evaluate.max_tokens_per_batch: auto` holds at a time."""


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


def answering_budget(model: Any, stated: TokenBudget, device: torch.device) -> int:
    """Return how many tokens of prompts and answers to hold on `device` at a time.

    Args:
        model: the model that answers.
        stated: `evaluate.max_tokens_per_batch`.
        device: where it answers.
    """
    # while a cache grows, so does its copy, and as much again is left for the rest
    if stated != "auto":
        return stated
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
    folder: Path,
    quantization: Quantization,
    precision: Precision,
    max_length: int,
    max_tokens_per_batch: TokenBudget,
    device: torch.device,
) -> int:
    """Return the most memory that the exam takes, in bytes: weights, cache, one batch's rest."""
    dtype = pick_precision(precision, device)
    model = without_weights(folder).to(dtype).eval()
    budget = answering_budget(model, max_tokens_per_batch, device)
    length = min(budget, max_length)
    ids = torch.zeros(max(1, budget // length), length, dtype=torch.long, device="meta")
    nowhere = torch.zeros(0, dtype=torch.long, device="meta")
    with torch.inference_mode(), TensorBytes(model) as counted:
        logits_at(model, nowhere, nowhere, input_ids=ids, use_cache=True)
    held = max(counted.peak, 2 * budget * cache_bytes(model))
    process = process_bytes() if device.type == "cpu" else 0
    return weight_bytes(model, quantization, dtype) + int(held) + process
