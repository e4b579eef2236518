"""Predicted memory of a model and its exam, from the model's configuration alone.

A pass is rehearsed on torch's meta device, where tensors have shapes but no storage, and the bytes
alive at a time are counted. No weights are read.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from vestibular.core.settings import Precision, Quantization, TokenBudget
from vestibular.modeling.counting import cached_numbers
from vestibular.modeling.memory import TensorBytes, available_bytes, process_bytes
from vestibular.modeling.miniature import skeleton
from vestibular.modeling.models import pick_precision, without_weights
from vestibular.modeling.tensors import logits_at

USABLE_MEMORY = 0.8
"""Share of the free memory that a plan may use."""
BYTES_PER_WEIGHT = {"8bit": 1.0, "4bit": 0.5}
"""Bytes per weight of a quantized matrix; its scales are additional and small."""
ANSWERING_BUDGETS = (4096, 65536)
"""Minimum and maximum number of tokens for `evaluate.max_tokens_per_batch: auto`."""


def weight_bytes(model: Any, quantization: Quantization, dtype: torch.dtype) -> int:
    """Return the bytes of a model's weights and buffers, as counted by transformers.

    bitsandbytes packs the matrices of all linear modules except the output head; everything else
    stays in `dtype`.

    Args:
        model: a model without an adapter, on any device.
        quantization: how the matrices are stored.
        dtype: number format of everything that is not quantized.
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


def usable_bytes(device: torch.device) -> float:
    """Return how many bytes of the free memory on `device` a plan may use."""
    return available_bytes(device) * USABLE_MEMORY


def answering_budget(
    config: Any, dtype: torch.dtype, stated: TokenBudget, length: int, device: torch.device
) -> int:
    """Return how many tokens of prompts and answers to hold on `device` at a time.

    Args:
        config: configuration of the model that answers.
        dtype: number format of its computation.
        stated: `evaluate.max_tokens_per_batch`.
        length: maximum length of prompt and answer together, in tokens.
        device: where it answers.
    """
    if stated != "auto":
        return stated
    free = usable_bytes(device)
    least, most = ANSWERING_BUDGETS
    # while a cache grows, its old copy still exists
    a_token = 2 * cache_bytes(config, dtype) + encoding_bytes(config, dtype, 1, length) / length
    return max(least, min(most, int(free / a_token)))


def cache_bytes(config: Any, dtype: torch.dtype) -> int:
    """Return the size of one token in the cache, in bytes."""
    return cached_numbers(config.get_text_config(decoder=True)) * dtype.itemsize


def encoding_bytes(config: Any, dtype: torch.dtype, rows: int, length: int) -> int:
    """Return the peak memory of encoding prompts, including their cache, in bytes.

    Args:
        config: the model's configuration.
        dtype: number format of its computation.
        rows: number of prompts at a time.
        length: number of tokens in each.
    """

    def encode(numbers: torch.dtype) -> int:
        model = skeleton(config).to(numbers).eval()
        ids = torch.zeros(rows, length, dtype=torch.long, device="meta")
        nowhere = torch.zeros(0, dtype=torch.long, device="meta")
        with torch.inference_mode(), TensorBytes(model) as counted:
            logits_at(model, nowhere, nowhere, input_ids=ids, use_cache=True)
        return int(counted.peak)

    return rehearsed(encode, dtype)


def rehearsed(count: Callable[[torch.dtype], int], dtype: torch.dtype) -> int:
    """Return a number of bytes for numbers of `dtype`, counted on the meta device.

    Operations that cannot be rehearsed in this format (all experts of a layer in one product) are
    rehearsed in bfloat16 and scaled.
    """
    try:
        return count(dtype)
    except RuntimeError:
        if dtype == torch.bfloat16:
            raise
        return count(torch.bfloat16) * dtype.itemsize // torch.bfloat16.itemsize


def answering_bytes(
    folder: Path,
    quantization: Quantization,
    precision: Precision,
    max_length: int,
    max_tokens_per_batch: TokenBudget,
    device: torch.device,
) -> int:
    """Return the exam's peak memory in bytes: weights, cache, and the rest of one batch."""
    dtype = pick_precision(precision, device, folder)
    model = without_weights(folder).to(dtype)
    config = model.config
    budget = answering_budget(config, dtype, max_tokens_per_batch, max_length, device)
    length = min(budget, max_length)
    peak = encoding_bytes(config, dtype, max(1, budget // length), length)
    held = max(peak, 2 * budget * cache_bytes(config, dtype))
    process = process_bytes() if device.type == "cpu" else 0
    return weight_bytes(model, quantization, dtype) + held + process
