"""Greedy answers, a context encoded once for all its questions.

The trunk that the questions of a context share goes through the model once, alone and without
padding; its keys and values are then copied to each question's row. Rows that have ended leave the
batch. The answers are those of one question at a time wherever a token's attention and position are
all that it takes from the others.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from vestibular.modeling.answers import Answer, Watch
from vestibular.modeling.attention import layer_kinds, masks
from vestibular.modeling.caching import buffered_cache, fill, unlimited_cache
from vestibular.modeling.encoding import EncodedQuestion, shared_prefix
from vestibular.modeling.tensors import logits_at


@dataclass(frozen=True)
class _Asked:
    """A question's place in the caller's list, its trunk, and what follows the trunk."""

    place: int
    trunk: tuple[int, ...]
    rest: tuple[int, ...]


def answer_sharing(
    model: Any,
    questions: Sequence[EncodedQuestion],
    ends: Collection[int],
    max_new_tokens: int,
    max_tokens: int,
    on_answered: Callable[[int], object],
    watch: Watch,
) -> list[Answer]:
    """Answer every question greedily; see `generation.answer_questions`."""
    answers: dict[int, Answer] = {}
    for batch in _batches(questions, max_new_tokens, max_tokens):
        answers.update(_answer_batch(model, batch, ends, max_new_tokens, watch))
        on_answered(len(batch))
    return [answers[place] for place in range(len(questions))]


def _batches(
    questions: Sequence[EncodedQuestion], max_new_tokens: int, max_tokens: int
) -> Iterator[list[_Asked]]:
    """Group questions, those of a context together, the longest first, under the token budget."""
    contexts: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        contexts.setdefault(question.context, []).append(place)
    groups = []
    for places in contexts.values():
        prompts = [questions[place].prompt for place in places]
        trunk = shared_prefix(prompts)
        groups.append(
            [
                _Asked(place, prompt[:trunk], prompt[trunk:])
                for place, prompt in zip(places, prompts, strict=True)
            ]
        )
    groups.sort(key=lambda group: len(group[0].trunk), reverse=True)
    batch: list[_Asked] = []
    for asked in (asked for group in groups for asked in group):
        grown = [*batch, asked]
        width = max(len(each.trunk) for each in grown) + max(len(each.rest) for each in grown)
        if batch and (width + max_new_tokens) * len(grown) > max_tokens:
            yield batch
            grown = [asked]
        batch = grown
    if batch:
        yield batch


def _answer_batch(
    model: Any, batch: Sequence[_Asked], ends: Collection[int], max_new_tokens: int, watch: Watch
) -> dict[int, Answer]:
    device = model.device
    kinds = layer_kinds(model.config)
    rests, rest_lengths = _pad([asked.rest for asked in batch], device)
    room = rests.shape[1] + max_new_tokens
    cache, trunk_lengths, seen = _encode_trunks(model, batch, room)
    width = rests.shape[1]
    columns = torch.arange(width, device=device)
    # padding repeats the last position: one further on may be beyond the model's last
    position_ids = trunk_lengths[:, None] + torch.minimum(columns, rest_lengths[:, None] - 1)
    trunk_positions = torch.arange(seen.shape[1], device=device).expand_as(seen)
    key_positions = torch.cat([trunk_positions, position_ids], dim=1)
    # (questions, rest, trunk + rest): the trunk, then the rest up to the token itself
    inside = (columns[None, :, None] >= columns[None, None, :]).expand(len(batch), -1, -1)
    visible = torch.cat([seen[:, None, :].expand(-1, width, -1), inside], dim=2)
    logits, _ = logits_at(
        model,
        torch.arange(len(batch), device=device),
        rest_lengths - 1,
        input_ids=rests,
        position_ids=position_ids,
        attention_mask=masks(kinds, visible, position_ids, key_positions, model.dtype),
        past_key_values=cache,
        use_cache=True,
    )
    seen = torch.cat([seen, columns < rest_lengths[:, None]], dim=1)
    positions = trunk_lengths + rest_lengths
    places = [asked.place for asked in batch]
    tokens: dict[int, list[int]] = {place: [] for place in places}
    gains: dict[int, list[float]] = {place: [] for place in places}
    for step in range(max_new_tokens):
        watch(places, logits)
        best = logits.argmax(dim=-1)
        gained = logits.float().log_softmax(dim=-1).gather(1, best[:, None])[:, 0]
        going = []
        for row, (token, gain) in enumerate(zip(best.tolist(), gained.tolist(), strict=True)):
            gains[places[row]].append(gain)
            if token not in ends:
                tokens[places[row]].append(token)
                going.append(row)
        if not going or step == max_new_tokens - 1:
            break
        if len(going) < len(places):
            order = _closed_up(going)
            kept = torch.tensor(order, device=device)
            cache.reorder_cache(kept)  # type: ignore[arg-type]
            best, seen, positions = best[kept], seen[kept], positions[kept]
            key_positions = key_positions[kept]
            places = [places[row] for row in order]
        seen = torch.cat([seen, seen.new_ones(len(places), 1)], dim=1)
        query_positions = positions[:, None]
        key_positions = torch.cat([key_positions, query_positions], dim=1)
        logits = model(
            input_ids=best[:, None],
            position_ids=query_positions,
            attention_mask=masks(
                kinds, seen[:, None, :], query_positions, key_positions, model.dtype
            ),
            past_key_values=cache,
            use_cache=True,
        ).logits[:, -1]
        positions = positions + 1
    return {place: Answer(tuple(ids), tuple(gains[place])) for place, ids in tokens.items()}


def _closed_up(going: Sequence[int]) -> list[int]:
    """Return the rows that go on, ascending in `going`, so that few change their place.

    A row that has ended gives its place to one from the end; all others stay where they are.
    """
    count = len(going)
    staying = {row for row in going if row < count}
    moving = iter(row for row in going if row >= count)
    return [place if place in staying else next(moving) for place in range(count)]


def _encode_trunks(
    model: Any, batch: Sequence[_Asked], room: int
) -> tuple[DynamicCache, Tensor, Tensor]:
    """Encode each trunk of a batch once.

    Args:
        model: a causal language model.
        batch: what is asked.
        room: tokens that will follow the longest trunk.

    Returns:
        the cache with a row for each question, the trunks' lengths (questions,), and which of
        the cache's columns hold a token of the question's trunk, (questions, columns).
    """
    trunks: dict[tuple[int, ...], list[int]] = {}
    for row, asked in enumerate(batch):
        trunks.setdefault(asked.trunk, []).append(row)
    lengths = torch.tensor([len(asked.trunk) for asked in batch], device=model.device)
    longest = max(map(len, trunks))
    seen = torch.arange(longest, device=model.device) < lengths[:, None]
    cache = buffered_cache(model, longest + room)
    if cache is None:
        return _encoded_together(model, batch, list(trunks)), lengths, seen
    for trunk, rows in trunks.items():
        if trunk:
            fill(cache, len(batch), rows, _encoded(model, [trunk]))
    for layer in cache.layers:
        layer.show(longest)  # type: ignore[union-attr]
    return cache, lengths, seen


def _encoded_together(
    model: Any, batch: Sequence[_Asked], trunks: list[tuple[int, ...]]
) -> DynamicCache:
    """Encode the trunks beside one another, for layers that hold more than keys and values."""
    owner = torch.tensor([trunks.index(asked.trunk) for asked in batch], device=model.device)
    cache = _encoded(model, trunks)
    # takes repeated rows, and the states of layers without keys
    cache.reorder_cache(owner)  # type: ignore[arg-type]
    return cache


def _encoded(model: Any, trunks: Sequence[tuple[int, ...]]) -> DynamicCache:
    """Return what is left of trunks in a cache with a row for each."""
    cache = unlimited_cache(model)
    ids, _ = _pad(trunks, model.device)
    if ids.shape[1]:
        nowhere = torch.zeros(0, dtype=torch.long, device=model.device)
        logits_at(
            model,
            nowhere,
            nowhere,
            input_ids=ids,
            position_ids=torch.arange(ids.shape[1], device=model.device).expand_as(ids),
            # padding stands on the right, where the causal mask alone hides it
            attention_mask=torch.ones_like(ids),
            past_key_values=cache,
            use_cache=True,
        )
    return cache


def _pad(sequences: Sequence[tuple[int, ...]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return token ids (sequences, tokens), padded on the right, and the lengths."""
    lengths = [len(sequence) for sequence in sequences]
    ids = torch.zeros(len(sequences), max(lengths), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
    return ids.to(device), torch.tensor(lengths, device=device)
