"""Answers that grow, several at a time: their texts, and what the model holds of them."""

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
    """What has been said behind a question's prompt."""

    def __init__(self, prompt: tuple[int, ...], ends: Collection[int], limit: int) -> None:
        self._ends, self._limit = ends, limit
        self._tokens: list[int] = []
        self._gains: list[float] = []
        self._prompt = LookUp(prompt)

    def add(self, tokens: Sequence[int], gains: Sequence[float]) -> None:
        """Take further tokens and their log-probabilities."""
        self._tokens += tokens
        self._gains += gains[: len(tokens)]

    @property
    def is_over(self) -> bool:
        """Whether nothing can follow."""
        return self._tokens[-1] in self._ends or len(self._tokens) == self._limit

    @property
    def last(self) -> int:
        """The token that the model has not read yet."""
        return self._tokens[-1]

    def guess(self, most: int) -> tuple[int, ...]:
        """Return tokens that may follow; with what the model says behind them they fit."""
        room = self._limit - len(self._tokens) - 1
        return self._prompt.guess(self._tokens, min(most, room))

    def answer(self) -> Answer:
        """Return it as an answer."""
        tokens = self._tokens[:-1] if self._tokens[-1] in self._ends else self._tokens
        return Answer(tuple(tokens), tuple(self._gains))


@dataclass
class OpenRows:
    """The questions that are being answered, a row each, and what the model holds of them."""

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
    """Columns of the last pass: a token of each row, and guesses behind it."""

    @property
    def most_guesses(self) -> int:
        """Tokens to guess for a row; none where a layer could not forget the wrong ones."""
        buffered = all(isinstance(layer, BufferedLayer) for layer in self.cache.layers)
        return guesses_a_row(len(self.places)) if buffered else 0

    def read(self, tokens: Sequence[int], guesses: Sequence[tuple[int, ...]]) -> Tensor:
        """Read a token of each row and guesses behind it.

        Returns:
            the logits behind each, (rows, 1 + most guesses, vocabulary).
        """
        device = self.positions.device
        ids, lengths = pad(
            [(token, *guess) for token, guess in zip(tokens, guesses, strict=True)], device
        )
        columns = torch.arange(ids.shape[1], device=device)
        # padding repeats the last position: one further on may be beyond the model's last
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
        """Keep the first `counts` columns of each row's last pass; none looks at wrong guesses."""
        if self.tried:
            right = torch.tensor(counts, device=self.positions.device)
            columns = torch.arange(self.tried, device=self.positions.device)
            self.seen[:, -self.tried :] = columns < right[:, None]
            self.positions = self.positions + right

    def keep(self, going: Sequence[int]) -> None:
        """Let the rows `going`, ascending, be all that there are."""
        order = _closed_up(going)
        kept = torch.tensor(order, device=self.positions.device)
        self.cache.reorder_cache(kept)  # type: ignore[arg-type]
        self.seen, self.positions = self.seen[kept], self.positions[kept]
        self.key_positions = self.key_positions[kept]
        self.places = [self.places[row] for row in order]


def _closed_up(going: Sequence[int]) -> list[int]:
    """Return the rows that go on, ascending in `going`, so that few change their place.

    A row that has ended gives its place to one from the end; all others stay where they are.
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
