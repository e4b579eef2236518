"""Reading of a batch's prompts: each prefix once, followed by the questions' own tokens.

A question's prompt consists of the prefix, shared by all questions of its context, and a rest of
its own. A prefix's keys and values are copied to the row of each of its questions. On a CPU, the
rests of a few contexts are read at a time, so that they are padded to each other's length and not
to the batch's.
"""

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad as pad_columns
from transformers import DynamicCache

from vestibular.modeling.attention import layer_kinds, masks
from vestibular.modeling.caching import buffered_cache, fill, part_of, show, unlimited_cache
from vestibular.modeling.decoding import OpenRows, pad
from vestibular.modeling.tensors import logits_at

TOKENS_ON_CPU = 192
"""Number of tokens in a pass from which larger matrix products are no faster per token on a CPU."""


@dataclass(frozen=True)
class SplitPrompt:
    """A question's index in the caller's list, its prefix, and the rest of its prompt."""

    place: int
    prefix: tuple[int, ...]
    rest: tuple[int, ...]


@dataclass(frozen=True)
class _Read:
    """Rows after their prompts have been read."""

    logits: Tensor
    """Logits after each prompt, (rows, vocabulary)."""
    seen: Tensor
    """As in `OpenRows`, like the next two; the columns are those of this reading only."""
    key_positions: Tensor
    positions: Tensor


def read_prompts(model: Any, batch: Sequence[SplitPrompt], room: int) -> tuple[OpenRows, Tensor]:
    """Read the prompts of a batch.

    Args:
        model: a causal language model.
        batch: the questions, those of one prefix in sequence.
        room: number of tokens that will follow the longest prompt.

    Returns:
        the rows, and the logits after each prompt, (rows, vocabulary).
    """
    readings = list(_readings(batch, _tokens_together(model, batch)))
    columns = max(
        _longest(each.prefix for each in asked) + _longest(each.rest for each in asked)
        for _, asked in readings
    )
    cache = buffered_cache(model, columns + room)
    if cache is None:
        cache = _encoded_together(model, batch)
        read = [_read_rests(model, batch, cache)]
    else:
        for rows, asked in _by_prefix(batch):
            if asked[0].prefix:
                fill(cache, len(batch), rows, _encoded(model, [asked[0].prefix]))
        read = []
        for rows, asked in readings:
            longest = _longest(each.prefix for each in asked)
            show(cache, longest)
            part = cache if len(readings) == 1 else part_of(cache, rows, longest)
            read.append(_read_rests(model, asked, part))
        show(cache, columns)
    columns = max(each.seen.shape[1] for each in read)
    opened = OpenRows(
        model,
        [asked.place for asked in batch],
        cache,
        torch.cat([_widened(each.seen, columns) for each in read]),
        torch.cat([_widened(each.key_positions, columns) for each in read]),
        torch.cat([each.positions for each in read]),
    )
    return opened, torch.cat([each.logits for each in read])


def _tokens_together(model: Any, batch: Sequence[SplitPrompt]) -> int:
    """Return how many tokens of rests make a pass; all if the number of passes is what costs."""
    # without any prefix the cache is still empty and cannot be split
    apart = model.device.type == "cpu" and any(asked.prefix for asked in batch)
    return TOKENS_ON_CPU if apart else sys.maxsize


def _by_prefix(batch: Sequence[SplitPrompt]) -> Iterator[tuple[range, Sequence[SplitPrompt]]]:
    """Yield the rows of each prefix."""
    for _, rows in itertools.groupby(range(len(batch)), key=lambda row: batch[row].prefix):
        places = list(rows)
        yield range(places[0], places[-1] + 1), batch[places[0] : places[-1] + 1]


def _readings(
    batch: Sequence[SplitPrompt], tokens: int
) -> Iterator[tuple[range, Sequence[SplitPrompt]]]:
    """Yield the rows whose rests are read together: whole prefixes, at least `tokens` tokens."""
    first = 0
    for rows, _ in _by_prefix(batch):
        asked = batch[first : rows.stop]
        if sum(len(each.rest) for each in asked) >= tokens or rows.stop == len(batch):
            yield range(first, rows.stop), asked
            first = rows.stop


def _read_rests(model: Any, batch: Sequence[SplitPrompt], cache: DynamicCache) -> _Read:
    """Read the tokens after the prefixes.

    Args:
        model: a causal language model.
        batch: the questions.
        cache: one row per question, with its prefix at the front; the rests are added after the
            longest prefix.
    """
    device = model.device
    lengths = torch.tensor([len(asked.prefix) for asked in batch], device=device)
    longest = _longest(asked.prefix for asked in batch)
    prefix_positions = torch.arange(longest, device=device).expand(len(batch), -1)
    seen = prefix_positions < lengths[:, None]
    rests, rest_lengths = pad([asked.rest for asked in batch], device)
    width = rests.shape[1]
    columns = torch.arange(width, device=device)
    position_ids = lengths[:, None] + torch.minimum(columns, rest_lengths[:, None] - 1)
    key_positions = torch.cat([prefix_positions, position_ids], dim=1)
    # (questions, rest, prefix + rest): the prefix, then the rest up to the token itself
    inside = (columns[None, :, None] >= columns[None, None, :]).expand(len(batch), -1, -1)
    visible = torch.cat([seen[:, None, :].expand(-1, width, -1), inside], dim=2)
    logits, _ = logits_at(
        model,
        torch.arange(len(batch), device=device),
        rest_lengths - 1,
        input_ids=rests,
        position_ids=position_ids,
        attention_mask=masks(
            layer_kinds(model.config), visible, position_ids, key_positions, model.dtype
        ),
        past_key_values=cache,
        use_cache=True,
    )
    seen = torch.cat([seen, columns < rest_lengths[:, None]], dim=1)
    return _Read(logits, seen, key_positions, lengths + rest_lengths)


def _encoded_together(model: Any, batch: Sequence[SplitPrompt]) -> DynamicCache:
    """Encode the prefixes as a batch, for layers that hold more than keys and values."""
    prefixes = [asked[0].prefix for _, asked in _by_prefix(batch)]
    owner = [number for number, (rows, _) in enumerate(_by_prefix(batch)) for _ in range(len(rows))]
    cache = _encoded(model, prefixes)
    # handles repeated rows, and the states of layers without keys
    cache.reorder_cache(torch.tensor(owner, device=model.device))  # type: ignore[arg-type]
    return cache


def _encoded(model: Any, prefixes: Sequence[tuple[int, ...]]) -> DynamicCache:
    """Return a cache with one row per prefix."""
    cache = unlimited_cache(model)
    ids, _ = pad(prefixes, model.device)
    if ids.shape[1]:
        nowhere = torch.zeros(0, dtype=torch.long, device=model.device)
        logits_at(
            model,
            nowhere,
            nowhere,
            input_ids=ids,
            position_ids=torch.arange(ids.shape[1], device=model.device).expand_as(ids),
            # padding is on the right, where the causal mask hides it
            attention_mask=torch.ones_like(ids),
            past_key_values=cache,
            use_cache=True,
        )
    return cache


def _longest(texts: Iterable[tuple[int, ...]]) -> int:
    return max(map(len, texts))


def _widened(values: Tensor, columns: int) -> Tensor:
    """Append empty columns: zeros, or False."""
    return pad_columns(values, (0, columns - values.shape[1]))
