"""Key-value cache with preallocated buffers: a step writes its own tokens and copies no others.

The dynamic layers of transformers concatenate instead: each token costs a copy of all earlier ones.
"""

import copy
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer


class BufferedLayer(DynamicLayer):
    """A layer's keys and values, (rows, heads, tokens, size), as views of larger buffers."""

    def __init__(self, tokens: int) -> None:
        """Reserve `tokens` columns per row; the buffers grow if more are needed."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._room = tokens
        self._buffers: tuple[Tensor, Tensor] | None = None

    def put(self, rows: int, places: Sequence[int], keys: Tensor, values: Tensor) -> None:
        """Copy the keys and values of one text, (1, heads, tokens, size), to given rows.

        Args:
            rows: number of rows in the whole batch.
            places: the rows that receive the text.
            keys: keys for the front of these rows.
            values: values for the front of these rows.
        """
        if self._buffers is None:
            self._make(rows, keys, values)
        for buffer, states in zip(self._made(), (keys, values), strict=True):
            for place in places:
                buffer[place, :, : states.shape[-2]] = states[0]

    def show(self, tokens: int) -> None:
        """Make the first `tokens` columns of every row the content of the layer."""
        if self._buffers is not None:
            self.keys, self.values = (buffer[:, :, :tokens] for buffer in self._buffers)

    def part(self, rows: range, tokens: int) -> "BufferedLayer":
        """Return a layer over some rows with `tokens` filled columns, without copying."""
        layer = BufferedLayer(self._room)
        if self._buffers is not None:
            keys, values = (buffer[rows.start : rows.stop] for buffer in self._buffers)
            layer.lazy_initialization(keys, values)
            layer._buffers = keys, values
            layer.show(tokens)
        return layer

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append the states of further tokens; return all states."""
        if self._buffers is None:
            self._make(key_states.shape[0], key_states, value_states)
        before = self.get_seq_length()
        after = before + key_states.shape[-2]
        if after > self._room:
            self._room = 2 * after
            held = self._made()
            self._make(key_states.shape[0], key_states, value_states)
            for buffer, states in zip(self._made(), held, strict=True):
                buffer[:, :, :before] = states[:, :, :before]
        for buffer, states in zip(self._made(), (key_states, value_states), strict=True):
            buffer[:, :, before:after] = states
        self.show(after)
        return self.keys, self.values  # type: ignore[return-value]

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Move row `beam_idx[i]` to row `i`; drop rows that are not listed."""
        if self._buffers is None:
            return
        order = beam_idx.tolist()
        moved = [(to, origin) for to, origin in enumerate(order) if to != origin]
        if any(origin < len(order) for _, origin in moved):
            # a row would be overwritten before it is read
            self._buffers = tuple(buffer[beam_idx] for buffer in self._made())  # type: ignore[assignment]
        else:
            for buffer in self._made():
                for to, origin in moved:
                    buffer[to] = buffer[origin]
            self._buffers = tuple(buffer[: len(order)] for buffer in self._made())  # type: ignore[assignment]
        self.show(self.get_seq_length())

    def _made(self) -> tuple[Tensor, Tensor]:
        assert self._buffers is not None  # noqa: S101 -- whoever calls has made them
        return self._buffers

    def _make(self, rows: int, keys: Tensor, values: Tensor) -> None:
        self.lazy_initialization(keys, values)
        # zeros, because masked values are still multiplied by 0
        self._buffers = tuple(  # type: ignore[assignment]
            states.new_zeros(rows, states.shape[1], self._room, states.shape[-1])
            for states in (keys, values)
        )


def unlimited_cache(model: Any) -> DynamicCache:
    """Return an empty cache in which sliding windows keep all keys: only masks limit attention."""
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    cache.layers = [
        DynamicLayer() if isinstance(layer, DynamicSlidingWindowLayer) else layer
        for layer in cache.layers
    ]
    return cache


def buffered_cache(model: Any, tokens: int) -> DynamicCache | None:
    """Return an empty cache with room for `tokens` per row.

    Returns:
        None if a layer holds anything but keys and values.
    """
    cache = unlimited_cache(model)
    if any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    cache.layers = [BufferedLayer(tokens) for _ in cache.layers]
    return cache


def part_of(cache: DynamicCache, rows: range, tokens: int) -> DynamicCache:
    """Return some rows of a buffered cache as a cache that writes to the same buffers.

    Args:
        cache: from `buffered_cache`, with room for everything that will be written.
        rows: the rows, ascending.
        tokens: number of columns already filled.
    """
    part = copy.copy(cache)
    part.layers = [layer.part(rows, tokens) for layer in _buffered(cache)]
    return part


def show(cache: DynamicCache, tokens: int) -> None:
    """Make the first `tokens` columns of every row the content of a buffered cache."""
    for layer in _buffered(cache):
        layer.show(tokens)


def _buffered(cache: DynamicCache) -> list[BufferedLayer]:
    layers = [layer for layer in cache.layers if isinstance(layer, BufferedLayer)]
    if len(layers) < len(cache.layers):
        raise TypeError("a layer of the cache has no buffer: it does not come from buffered_cache")
    return layers


def fill(cache: DynamicCache, rows: int, places: Sequence[int], text: DynamicCache) -> None:
    """Copy the cached states of one text to rows of a buffered cache.

    Args:
        cache: from `buffered_cache`.
        rows: number of rows in the whole batch.
        places: the rows that receive the text.
        text: a cache of one row.
    """
    for layer, one in zip(_buffered(cache), text.layers, strict=True):
        if not isinstance(one, DynamicLayer):
            raise TypeError(
                f"text: must have a DynamicLayer for each layer, not {type(one).__name__}"
            )
        # layers that share another layer's keys hold none
        if one.keys is not None and one.values is not None:
            layer.put(rows, places, one.keys, one.values)
