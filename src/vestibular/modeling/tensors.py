"""Rows of tokens as the tensors of one forward pass, and the logits that count."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vestibular.core.errors import out_of_memory
from vestibular.modeling.batching import Branch, Row

Inputs = dict[str, Tensor]
"""`input_ids` and `position_ids` (rows, tokens); `attention_mask`, (rows, tokens) or, where
branches must not see each other, an additive one of (rows, 1, tokens, tokens); and what is
learned: `label_rows`, `label_columns` and `labels`, (labels,) each: the output at that row and
column should be that token."""


def collate(rows: Sequence[Row], dtype: torch.dtype = torch.float32, width: int = 0) -> Inputs:
    """Lay rows out as tensors, padded on the right to the longest one, or at least to `width`.

    `dtype` is that of an additive mask.
    """
    width = max(width, *(row.length for row in rows))
    input_ids = torch.zeros(len(rows), width, dtype=torch.long)
    position_ids = torch.zeros(len(rows), width, dtype=torch.long)
    # 0 is padding, 1 the trunk, 2 and up the branches
    owner = torch.zeros(len(rows), width, dtype=torch.long)
    label_rows: list[int] = []
    label_columns: list[int] = []
    labels: list[int] = []
    for number, row in enumerate(rows):
        trunk = len(row.trunk)
        input_ids[number, :trunk] = torch.tensor(row.trunk, dtype=torch.long)
        position_ids[number, :trunk] = torch.arange(trunk)
        owner[number, :trunk] = 1
        column = trunk
        for which, branch in enumerate(row.branches):
            end = column + len(branch.tokens)
            input_ids[number, column:end] = torch.tensor(branch.tokens)
            position_ids[number, column:end] = torch.arange(trunk, trunk + len(branch.tokens))
            owner[number, column:end] = which + 2
            # a token is predicted by the output at the token before it
            learned = branch.tokens[branch.first_label :]
            label_rows += [number] * len(learned)
            label_columns += range(column + branch.first_label - 1, end - 1)
            labels += learned
            column = end
    plain = all(len(row.branches) == 1 for row in rows)
    return {
        "input_ids": input_ids,
        "position_ids": position_ids,
        # padding stands on the right, where the causal mask alone hides it from every token;
        # a mask of ones lets attention take its fast path
        "attention_mask": torch.ones_like(owner) if plain else branch_mask(owner, dtype),
        "label_rows": torch.tensor(label_rows),
        "label_columns": torch.tensor(label_columns),
        "labels": torch.tensor(labels),
    }


def branch_mask(owner: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the additive attention mask of rows with branches, (rows, 1, tokens, tokens).

    `owner` (rows, tokens) names each token's part: 0 padding, 1 the trunk, 2 and up a branch.
    A token sees what stands before it in the trunk and in its own branch, and always itself,
    so that the softmax over a padding token's row is defined.
    """
    width = owner.shape[1]
    query, key = owner[:, :, None], owner[:, None, :]
    causal = torch.ones(width, width, dtype=torch.bool, device=owner.device).tril()
    seen = (causal & ((key == 1) | (key == query)) & (key > 0)) | torch.eye(
        width, dtype=torch.bool, device=owner.device
    )
    mask = torch.zeros(seen.shape, dtype=dtype, device=owner.device)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


def logits_at(model: nn.Module, rows: Tensor, columns: Tensor, **inputs: Any) -> tuple[Tensor, Any]:
    """Run `model` and its output head at the given places only.

    The vocabulary is the widest matrix of a small model; most places need no row of it. The
    hidden states are picked out before the head, wherever an architecture keeps it.

    Args:
        model: a causal language model.
        rows: row of each place, (places,).
        columns: column of each place, (places,).
        inputs: what `forward` takes.

    Returns:
        the logits, (places, vocabulary), and the model's whole output.
    """

    def pick(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (arguments[0][rows, columns][None], *arguments[1:])

    head = model.get_output_embeddings()  # type: ignore[operator]
    hook = head.register_forward_pre_hook(pick)
    try:
        output = model(**inputs)
    finally:
        hook.remove()
    return output.logits[0], output


def label_loss(model: nn.Module, inputs: Inputs) -> Tensor:
    """Return the summed cross-entropy of the labels, in nats, a scalar in float32."""
    logits, _ = logits_at(
        model,
        inputs["label_rows"],
        inputs["label_columns"],
        input_ids=inputs["input_ids"],
        position_ids=inputs["position_ids"],
        attention_mask=inputs["attention_mask"],
        use_cache=False,
    )
    return nn.functional.cross_entropy(logits.float(), inputs["labels"], reduction="sum")


def branch_error(model: Any) -> float:
    """Return how far a model's outputs in shared rows are from those of one question at a time.

    A few arbitrary tokens are run both ways. The error is the largest difference of two logits
    relative to the largest logit; infinite if the model refuses such a row.
    """
    tokens = [place % 97 + 3 for place in range(24)]
    trunk, ends = tuple(tokens[:12]), (tuple(tokens[12:17]), tuple(tokens[17:24]))
    together = [Row(trunk, tuple(Branch(end, 1) for end in ends))]
    alone = [Row((), (Branch(trunk + end, len(trunk) + 1),)) for end in ends]
    training = model.training
    model.eval()
    results = []
    try:
        with torch.no_grad():
            for rows in (together, alone):
                inputs = {k: v.to(model.device) for k, v in collate(rows, model.dtype).items()}
                places = inputs.pop("label_rows"), inputs.pop("label_columns")
                del inputs["labels"]
                results.append(logits_at(model, *places, **inputs, use_cache=False)[0].float())
    except (TypeError, ValueError, RuntimeError, IndexError) as error:
        if out_of_memory(error):
            raise
        return math.inf
    finally:
        model.train(training)
    return float((results[0] - results[1]).abs().max() / results[1].abs().max())
