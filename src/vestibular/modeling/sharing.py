"""Greedy answers, a context encoded once for all its questions.

The trunk that the questions of a context share goes through the model once, alone and without
padding; its keys and values are then copied to each question's row. Rows that have ended leave the
batch; once few are left, several tokens are guessed at a time (`drafting.py`). The answers are
those of one question at a time wherever a token's attention and position are all that it takes from
the others.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from vestibular.modeling.answers import Answer, Watch
from vestibular.modeling.attention import layer_kinds, masks
from vestibular.modeling.caching import buffered_cache, fill, unlimited_cache
from vestibular.modeling.decoding import GrowingAnswer, OpenRows, pad
from vestibular.modeling.drafting import taken
from vestibular.modeling.encoding import EncodedQuestion, shared_prefix
from vestibular.modeling.tensors import logits_at

ROWS_ON_CPU = 48
"""Most questions of a pass on a CPU: with more a question gets no cheaper, and rows of less similar
length are padded."""


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
    most_rows = ROWS_ON_CPU if model.device.type == "cpu" else max(1, len(questions))
    for batch in _batches(questions, max_new_tokens, max_tokens, most_rows):
        answers.update(_answer_batch(model, batch, ends, max_new_tokens, watch))
        on_answered(len(batch))
    return [answers[place] for place in range(len(questions))]


def _batches(
    questions: Sequence[EncodedQuestion], max_new_tokens: int, max_tokens: int, most_rows: int
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
    # as many in each, so that no pass is for a few that were left over
    passes = max(1, math.ceil(len(questions) / most_rows))
    share = math.ceil(len(questions) / passes)
    batch: list[_Asked] = []
    for each in (asked for group in groups for asked in group):
        grown = [*batch, each]
        width = max(len(one.trunk) for one in grown) + max(len(one.rest) for one in grown)
        full = len(batch) == share or (width + max_new_tokens) * len(grown) > max_tokens
        if batch and full:
            yield batch
            grown = [each]
        batch = grown
    if batch:
        yield batch


def _answer_batch(
    model: Any, batch: Sequence[_Asked], ends: Collection[int], max_new_tokens: int, watch: Watch
) -> dict[int, Answer]:
    texts = {
        asked.place: GrowingAnswer(asked.trunk + asked.rest, ends, max_new_tokens)
        for asked in batch
    }
    rows, logits = _read_prompts(model, batch, max_new_tokens)
    logits = logits[:, None]
    guesses: list[tuple[int, ...]] = [()] * len(batch)
    while True:
        counts = _take(logits, [texts[place] for place in rows.places], guesses, ends)
        for column in range(max(counts)):
            right = [row for row, count in enumerate(counts) if count > column]
            watch([rows.places[row] for row in right], logits[right, column])
        rows.settle(counts)
        going = [row for row, place in enumerate(rows.places) if not texts[place].is_over]
        if not going:
            return {place: text.answer() for place, text in texts.items()}
        if len(going) < len(rows.places):
            rows.keep(going)
        most = rows.most_guesses
        guesses = [texts[place].guess(most) if most else () for place in rows.places]
        logits = rows.read([texts[place].last for place in rows.places], guesses)


def _take(
    logits: Tensor,
    texts: Sequence[GrowingAnswer],
    guesses: Sequence[tuple[int, ...]],
    ends: Collection[int],
) -> list[int]:
    """Add to each row's text the likeliest tokens that are sure; return how many those are.

    Args:
        logits: behind each row's last sure token and its guesses, (rows, tokens, vocabulary).
        texts: the rows'.
        guesses: the rows'.
        ends: the tokens that end an answer.
    """
    said = logits.argmax(dim=-1)
    gained = logits.float().log_softmax(dim=-1).gather(2, said[:, :, None])[:, :, 0]
    counts = []
    for text, guess, tokens, gains in zip(
        texts, guesses, said.tolist(), gained.tolist(), strict=True
    ):
        sure = taken(tokens, guess, ends)
        text.add(sure, gains)
        counts.append(len(sure))
    return counts


def _read_prompts(model: Any, batch: Sequence[_Asked], room: int) -> tuple[OpenRows, Tensor]:
    """Read the prompts of a batch, each trunk once.

    Args:
        model: a causal language model.
        batch: what is asked.
        room: tokens that will follow the longest prompt.

    Returns:
        the rows, and the logits behind each prompt, (rows, vocabulary).
    """
    device = model.device
    rests, rest_lengths = pad([asked.rest for asked in batch], device)
    width = rests.shape[1]
    cache, trunk_lengths, seen = _encode_trunks(model, batch, width + room)
    columns = torch.arange(width, device=device)
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
        attention_mask=masks(
            layer_kinds(model.config), visible, position_ids, key_positions, model.dtype
        ),
        past_key_values=cache,
        use_cache=True,
    )
    seen = torch.cat([seen, columns < rest_lengths[:, None]], dim=1)
    places = [asked.place for asked in batch]
    positions = trunk_lengths + rest_lengths
    return OpenRows(model, places, cache, seen, key_positions, positions), logits


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
    ids, _ = pad(trunks, model.device)
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
