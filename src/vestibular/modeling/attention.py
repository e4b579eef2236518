"""Attention masks: the earlier tokens that each kind of layer attends to.

Visibility follows a token's position in its own text, not its column in a batch: next to other
questions in a shared row, or after padding, a window or chunk covers the same tokens as it would
alone.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
"""Names of the kinds of layers in transformers, the keys of a dictionary of masks."""


@dataclass(frozen=True)
class Reach:
    """How far back a kind of layer looks; without limits, to the first token."""

    window: int | None = None
    """Maximum number of tokens that a token sees, itself included."""
    chunk: int | None = None
    """Tokens per chunk; a token sees only those of its own chunk."""


def layer_kinds(config: Any) -> dict[str, Reach]:
    """Return the kinds of layers in a model's decoder.

    An unknown kind is treated as full attention; the check in `capability.py` tells whether that is
    right.
    """
    text = config.get_text_config(decoder=True)
    window = getattr(text, "sliding_window", None)
    chunk = getattr(text, "attention_chunk_size", None)
    named = getattr(text, "layer_types", None)
    if not named:
        named = [SLIDING if window else CHUNKED if chunk else FULL]
    return {
        name: Reach(window if name == SLIDING else None, chunk if name == CHUNKED else None)
        for name in sorted(set(named))
    }


def masks(
    kinds: dict[str, Reach],
    seen: Tensor,
    query_positions: Tensor,
    key_positions: Tensor,
    dtype: torch.dtype,
) -> Tensor | dict[str, Tensor]:
    """Return additive attention masks (rows, 1, queries, keys), one for each kind of layer.

    A single mask if all layers are of one kind, otherwise a dictionary.

    Args:
        kinds: the model's kinds of layers.
        seen: which keys a query may see at all, (rows, queries, keys).
        query_positions: position of each query in its own text, (rows, queries).
        key_positions: position of each key in its own text, (rows, keys).
        dtype: number format of the model's computation.
    """
    query, key = query_positions[:, :, None], key_positions[:, None, :]
    built = {}
    for name, reach in kinds.items():
        allowed = seen
        if reach.window is not None:
            allowed = allowed & (query - key < reach.window)
        if reach.chunk is not None:
            allowed = allowed & (query // reach.chunk == key // reach.chunk)
        mask = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
        built[name] = mask.masked_fill_(~allowed, torch.finfo(dtype).min)[:, None]
    return built if len(built) > 1 else next(iter(built.values()))
