"""Greedy answers, a context encoded once for all its questions.

The trunk that the questions of a context share goes through the model once; its keys and
values are then copied to each question's row. Rows that have ended leave the batch. The answers
are those of one question at a time, since a token's attention and position are the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from vestibular.modeling.encoding import EncodedQuestion, shared_prefix
from vestibular.modeling.tensors import logits_at


@dataclass(frozen=True)
class Answer:
    """A generated answer."""

    tokens: tuple[int, ...]
    """Token ids, without the end-of-sequence token."""
    mean_log_probability: float
    """Mean over its tokens, the end included where it was reached, in nats."""


@dataclass(frozen=True)
class _Asked:
    """A question's place in the caller's list, its trunk, and what follows the trunk."""

    place: int
    trunk: tuple[int, ...]
    rest: tuple[int, ...]


def answer_questions(
    model: Any,
    questions: Sequence[EncodedQuestion],
    end_token: int,
    max_new_tokens: int,
    max_tokens: int,
    on_answered: Callable[[int], object] = lambda count: None,
) -> list[Answer]:
    """Answer every question greedily, in the given order.

    Args:
        model: a causal language model in evaluation mode.
        questions: the encoded prompts.
        end_token: the end-of-sequence token's id.
        max_new_tokens: longest answer, in tokens.
        max_tokens: tokens of prompts and answers that are held at a time, padding counted.
        on_answered: called with the size of each batch once it is answered.
    """
    answers: dict[int, Answer] = {}
    with torch.inference_mode():
        for batch in _batches(questions, max_new_tokens, max_tokens):
            answers.update(_answer_batch(model, batch, end_token, max_new_tokens))
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
    model: Any, batch: Sequence[_Asked], end_token: int, max_new_tokens: int
) -> dict[int, Answer]:
    device = model.device
    cache, trunk_lengths, seen = _encode_trunks(model, batch)
    rests, rest_lengths = _pad([asked.rest for asked in batch], device)
    width = rests.shape[1]
    columns = torch.arange(width, device=device)
    # padding repeats the last position: one further on may be beyond the model's last
    position_ids = trunk_lengths[:, None] + torch.minimum(columns, rest_lengths[:, None] - 1)
    # (questions, 1, rest, trunk + rest): the trunk, then the rest up to the token itself
    inside = (columns[None, :, None] >= columns[None, None, :]).expand(len(batch), -1, -1)
    mask = torch.cat([seen[:, None, :].expand(-1, width, -1), inside], dim=2)
    logits, _ = logits_at(
        model,
        torch.arange(len(batch), device=device),
        rest_lengths - 1,
        input_ids=rests,
        position_ids=position_ids,
        attention_mask=_additive(mask, model),
        past_key_values=cache,
        use_cache=True,
    )
    seen = torch.cat([seen, columns < rest_lengths[:, None]], dim=1)
    positions = trunk_lengths + rest_lengths
    places = [asked.place for asked in batch]
    tokens: dict[int, list[int]] = {place: [] for place in places}
    totals: dict[int, float] = dict.fromkeys(places, 0.0)
    counts: dict[int, int] = dict.fromkeys(places, 0)
    for step in range(max_new_tokens):
        best = logits.argmax(dim=-1)
        gained = logits.float().log_softmax(dim=-1).gather(1, best[:, None])[:, 0]
        going = []
        for row, (token, gain) in enumerate(zip(best.tolist(), gained.tolist(), strict=True)):
            totals[places[row]] += gain
            counts[places[row]] += 1
            if token != end_token:
                tokens[places[row]].append(token)
                going.append(row)
        if not going or step == max_new_tokens - 1:
            break
        if len(going) < len(places):
            kept = torch.tensor(going, device=device)
            cache.batch_select_indices(kept)
            best, seen, positions = best[kept], seen[kept], positions[kept]
            places = [places[row] for row in going]
        seen = torch.cat([seen, seen.new_ones(len(places), 1)], dim=1)
        logits = model(
            input_ids=best[:, None],
            position_ids=positions[:, None],
            attention_mask=_additive(seen[:, None, :], model),
            past_key_values=cache,
            use_cache=True,
        ).logits[:, -1]
        positions = positions + 1
    return {
        place: Answer(tuple(ids), totals[place] / counts[place]) for place, ids in tokens.items()
    }


def _encode_trunks(model: Any, batch: Sequence[_Asked]) -> tuple[DynamicCache, Tensor, Tensor]:
    """Encode each trunk of a batch once.

    Returns:
        the cache with a row for each question, the trunks' lengths (questions,), and which of
        the cache's columns hold a token of the question's trunk, (questions, columns).
    """
    trunks = list(dict.fromkeys(asked.trunk for asked in batch))
    owner = torch.tensor([trunks.index(asked.trunk) for asked in batch], device=model.device)
    ids, lengths = _pad(trunks, model.device)
    columns = torch.arange(ids.shape[1], device=model.device)
    seen = columns < lengths[:, None]
    # without a configuration every layer keeps all its keys, a sliding window's too
    cache = DynamicCache()
    if ids.shape[1]:
        nowhere = torch.zeros(0, dtype=torch.long, device=model.device)
        logits_at(
            model,
            nowhere,
            nowhere,
            input_ids=ids,
            position_ids=columns.expand_as(ids),
            # padding stands on the right, where the causal mask alone hides it
            attention_mask=torch.ones_like(ids),
            past_key_values=cache,
            use_cache=True,
        )
        cache.batch_select_indices(owner)
    return cache, lengths[owner], seen[owner]


def _pad(sequences: Sequence[tuple[int, ...]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return token ids (sequences, tokens), padded on the right, and the lengths."""
    lengths = [len(sequence) for sequence in sequences]
    ids = torch.zeros(len(sequences), max(lengths), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
    return ids.to(device), torch.tensor(lengths, device=device)


def _additive(seen: Tensor, model: Any) -> Tensor:
    """Turn a boolean mask (rows, queries, keys) into an additive one with a head's dimension."""
    mask = torch.zeros(seen.shape, dtype=model.dtype, device=seen.device)
    return mask.masked_fill_(~seen, torch.finfo(model.dtype).min)[:, None]
