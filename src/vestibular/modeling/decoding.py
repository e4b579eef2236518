"""Growing answers of several questions at a time: their tokens and their cached states."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from vestibular.modeling.answers import Answer
from vestibular.modeling.attention import layer_kinds, masks
from vestibular.modeling.caching import BufferedLayer
from vestibular.modeling.drafting import LookUp, guesses_a_row


class GrowingAnswer:
    """Tokens generated after a question's prompt."""

    def __init__(self, prompt: tuple[int, ...], ends: Collection[int], limit: int) -> None:
        self._ends, self._limit = ends, limit
        self._tokens: list[int] = []
        self._gains: list[float] = []
        self._prompt = LookUp(prompt)

    def add(self, tokens: Sequence[int], gains: Sequence[float]) -> None:
        """Append tokens and their log-probabilities."""
        self._tokens += tokens
        self._gains += gains[: len(tokens)]

    @property
    def is_over(self) -> bool:
        """Whether the answer is complete."""
        return self._tokens[-1] in self._ends or len(self._tokens) == self._limit

    @property
    def last(self) -> int:
        """The token that the model has not read yet."""
        return self._tokens[-1]

    def guess(self, most: int) -> tuple[int, ...]:
        """Return likely next tokens, at most `most`; with one more token they still fit."""
        room = self._limit - len(self._tokens) - 1
        return self._prompt.guess(self._tokens, min(most, room))

    def answer(self) -> Answer:
        """Return the finished answer."""
        tokens = self._tokens[:-1] if self._tokens[-1] in self._ends else self._tokens
        return Answer(tuple(tokens), tuple(self._gains))


@dataclass
class OpenRows:
    """The questions being answered, one per row, and their cached states."""

    model: Any
    places: list[int]
    cache: DynamicCache
    seen: Tensor
    """Columns of the cache that hold a token of the row's own text, (rows, columns)."""
    key_positions: Tensor
    """Position of each column in its row's text, (rows, columns)."""
    positions: Tensor
    """Position of each row's next token, (rows,)."""
    tried: int = 0
    """Columns of the last pass: one token per row, and the guesses after it."""

    @property
    def most_guesses(self) -> int:
        """Number of tokens to guess per row; 0 if a layer could not drop wrong guesses."""
        buffered = all(isinstance(layer, BufferedLayer) for layer in self.cache.layers)
        return guesses_a_row(len(self.places)) if buffered else 0

    def read(self, tokens: Sequence[int], guesses: Sequence[tuple[int, ...]]) -> Tensor:
        """Read one token per row and the guesses after it.

        Returns:
            the logits after each token, (rows, 1 + most guesses, vocabulary).
        """
        device = self.positions.device
        ids, lengths = pad(
            [(token, *guess) for token, guess in zip(tokens, guesses, strict=True)], device
        )
        columns = torch.arange(ids.shape[1], device=device)
        # padding repeats the last position: a higher one may exceed the model's limit
        query_positions = self.positions[:, None] + torch.minimum(columns, lengths[:, None] - 1)
        self.key_positions = torch.cat([self.key_positions, query_positions], dim=1)
        before = self.seen[:, None, :].expand(-1, len(columns), -1)
        itself = (columns[:, None] >= columns).expand(len(ids), -1, -1)
        visible = torch.cat([before, itself], dim=2)
        self.seen = torch.cat([self.seen, self.seen.new_ones(ids.shape)], dim=1)
        self.tried = len(columns)
        logits: Tensor = self.model(
            input_ids=ids,
            position_ids=query_positions,
            attention_mask=masks(
                layer_kinds(self.model.config),
                visible,
                query_positions,
                self.key_positions,
                self.model.dtype,
            ),
            past_key_values=self.cache,
            use_cache=True,
        ).logits
        return logits

    def settle(self, counts: Sequence[int]) -> None:
        """Keep the first `counts` columns of each row's last pass; wrong guesses are masked out."""
        if self.tried:
            right = torch.tensor(counts, device=self.positions.device)
            columns = torch.arange(self.tried, device=self.positions.device)
            self.seen[:, -self.tried :] = columns < right[:, None]
            self.positions = self.positions + right

    def keep(self, going: Sequence[int]) -> None:
        """Keep only the rows `going`, ascending."""
        order = _closed_up(going)
        kept = torch.tensor(order, device=self.positions.device)
        self.cache.reorder_cache(kept)  # type: ignore[arg-type]
        self.seen, self.positions = self.seen[kept], self.positions[kept]
        self.key_positions = self.key_positions[kept]
        self.places = [self.places[row] for row in order]


def _closed_up(going: Sequence[int]) -> list[int]:
    """Return the remaining rows in an order that moves few of them.

    A finished row is replaced by one from the end; all others stay.
    """
    count = len(going)
    staying = {row for row in going if row < count}
    moving = iter(row for row in going if row >= count)
    return [place if place in staying else next(moving) for place in range(count)]


def pad(sequences: Sequence[tuple[int, ...]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return token ids (sequences, tokens), padded on the right, and the lengths."""
    lengths = [len(sequence) for sequence in sequences]
    ids = torch.zeros(len(sequences), max(lengths), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
    return ids.to(device), torch.tensor(lengths, device=device)
