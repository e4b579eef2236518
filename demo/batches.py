"""Turns documents into batches, with weights for what is worth learning."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from corpus import Corpus, Document
from torch import Tensor
from transformers import PreTrainedTokenizerFast

IGNORED = -100
_UNFORETOLD_WEIGHT = 0.05
_LOOKUP_WEIGHT = 4.0
# Documents of this many batches are sorted by length together, so that little is padded.
_BATCHES_IN_A_BUCKET = 12


@dataclass(frozen=True)
class Row:
    """A document as token ids, with a weight and a flag for each of them."""

    tokens: list[int]
    weights: list[float]
    lookups: list[bool]


@dataclass(frozen=True)
class Batch:
    """Documents padded to the same length.

    Attributes:
        tokens: Input ids `(batch, sequence)`.
        labels: The same ids with `IGNORED` at the padding `(batch, sequence)`.
        weights: Weight of each label in the loss `(batch, sequence)`.
        lookups: Whether a label is the first token of a value that can be looked up
            `(batch, sequence)`.
    """

    tokens: Tensor
    labels: Tensor
    weights: Tensor
    lookups: Tensor


def encode(documents: list[Document], tokenizer: PreTrainedTokenizerFast) -> list[Row]:
    """Tokenizes documents and ends each with the end-of-text token.

    Text that repeats nothing weighs little, and the first token of a value to look up much: the
    first tells whether the right value was found.
    """
    encoded = tokenizer([document.text for document in documents], return_offsets_mapping=True)
    rows = []
    for document, tokens, offsets in zip(
        documents, encoded["input_ids"], encoded["offset_mapping"], strict=True
    ):
        weights = [
            1.0 if end > start >= document.repeats_from else _UNFORETOLD_WEIGHT
            for start, end in offsets
        ]
        lookups = [False] * len(tokens)
        position = 0
        for value_start, _ in document.lookups:
            while offsets[position][1] <= value_start:
                position += 1
            # The blank before a value is part of its first token, or a token of its own.
            weights[position] = _LOOKUP_WEIGHT
            lookups[position] = True
        rows.append(Row([*tokens, tokenizer.eos_token_id], [*weights, 1.0], [*lookups, False]))
    return rows


def collate(rows: list[Row], padding: int) -> Batch:
    """Pads rows on the right with the id `padding`."""
    longest = max(len(row.tokens) for row in rows)
    gaps = [longest - len(row.tokens) for row in rows]
    pairs = list(zip(rows, gaps, strict=True))
    return Batch(
        torch.tensor([row.tokens + [padding] * gap for row, gap in pairs]),
        torch.tensor([row.tokens + [IGNORED] * gap for row, gap in pairs]),
        torch.tensor([row.weights + [0.0] * gap for row, gap in pairs]),
        torch.tensor([row.lookups + [False] * gap for row, gap in pairs]),
    )


def draw_batches(
    corpus: Corpus,
    tokenizer: PreTrainedTokenizerFast,
    steps: int,
    batch_size: int,
    generator: random.Random,
) -> Iterator[Batch]:
    """Draws the batches of a whole training.

    Args:
        corpus: Source of documents, which follow the progress of the training.
        tokenizer: Tokenizer of the model.
        steps: Number of batches.
        batch_size: Documents in a batch.
        generator: Shuffles the batches of a bucket.
    """
    padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    done = 0
    while done < steps:
        documents = [corpus.draw(done / steps) for _ in range(batch_size * _BATCHES_IN_A_BUCKET)]
        rows = sorted(encode(documents, tokenizer), key=lambda row: len(row.tokens))
        buckets = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        generator.shuffle(buckets)
        for bucket in buckets[: steps - done]:
            yield collate(bucket, padding)
        done += len(buckets)
