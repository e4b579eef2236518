"""Rows of tokens as the tensors of a forward pass, and the logits needed from it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vestibular.modeling.attention import layer_kinds, masks
from vestibular.modeling.batching import Row

Inputs = dict[str, Tensor]
"""`input_ids` (rows, tokens); for rows with several segments, `position_ids` and `segment_ids`
(rows, tokens); and the labels: `label_rows`, `label_columns` and `labels`, (labels,) each: the
output at that row and column should be that token."""


def collate(rows: Sequence[Row], width: int = 0) -> Inputs:
    """Arrange rows as tensors, padded on the right to the longest row, or at least to `width`.

    Rows of one question need only their tokens: padding is on the right, where causality hides it.
    Otherwise `segment_ids` gives each token's segment (0 padding, 1 the prefix, 2 and up the
    segments) and `position_ids` its position in its own text.
    """
    width = max(width, *(row.length for row in rows))
    input_ids = torch.zeros(len(rows), width, dtype=torch.long)
    position_ids = torch.zeros(len(rows), width, dtype=torch.long)
    segment_ids = torch.zeros(len(rows), width, dtype=torch.long)
    label_rows: list[int] = []
    label_columns: list[int] = []
    labels: list[int] = []
    for number, row in enumerate(rows):
        prefix = len(row.prefix)
        input_ids[number, :prefix] = torch.tensor(row.prefix, dtype=torch.long)
        position_ids[number, :prefix] = torch.arange(prefix)
        segment_ids[number, :prefix] = 1
        column = prefix
        for which, segment in enumerate(row.segments):
            end = column + len(segment.tokens)
            input_ids[number, column:end] = torch.tensor(segment.tokens)
            position_ids[number, column:end] = torch.arange(prefix, prefix + len(segment.tokens))
            segment_ids[number, column:end] = which + 2
            # a token is predicted by the output at the previous token
            learned = segment.tokens[segment.first_label :]
            label_rows += [number] * len(learned)
            label_columns += range(column + segment.first_label - 1, end - 1)
            labels += learned
            column = end
    shared = any(len(row.segments) > 1 for row in rows)
    return {
        "input_ids": input_ids,
        **({"position_ids": position_ids, "segment_ids": segment_ids} if shared else {}),
        "label_rows": torch.tensor(label_rows),
        "label_columns": torch.tensor(label_columns),
        "labels": torch.tensor(labels),
    }


def segments_seen(segment_ids: Tensor) -> Tensor:
    """Return which tokens each token of a row with segments may see, (rows, tokens, tokens).

    A token sees earlier ones in the prefix and in its own segment, and always itself, so that the
    softmax over a padding token's row is defined.
    """
    width = segment_ids.shape[1]
    query, key = segment_ids[:, :, None], segment_ids[:, None, :]
    causal = torch.ones(width, width, dtype=torch.bool, device=segment_ids.device).tril()
    itself = torch.eye(width, dtype=torch.bool, device=segment_ids.device)
    return (causal & ((key == 1) | (key == query)) & (key > 0)) | itself


def logits_at(model: nn.Module, rows: Tensor, columns: Tensor, **inputs: Any) -> tuple[Tensor, Any]:
    """Run `model`, and its output head at the given positions only.

    The vocabulary is the widest matrix of a small model, and most positions do not need it. The
    hidden states are selected before the head, wherever an architecture keeps it.

    Args:
        model: a causal language model.
        rows: row of each position, (positions,).
        columns: column of each position, (positions,).
        inputs: arguments of `forward`.

    Returns:
        the logits, (positions, vocabulary), and the model's whole output.
    """
    head: Any = model.get_output_embeddings()  # type: ignore[operator]
    if head is None:
        output = model(**inputs)
        return output.logits[rows, columns], output

    def pick(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (arguments[0][rows, columns][None], *arguments[1:])

    hook = head.register_forward_pre_hook(pick)
    try:
        output = model(**inputs)
    finally:
        hook.remove()
    return output.logits[0], output


def label_loss(model: nn.Module, inputs: Inputs) -> Tensor:
    """Return the summed cross-entropy of the labels, in nats, a scalar in float32."""
    arguments: dict[str, Any] = {"input_ids": inputs["input_ids"]}
    if "segment_ids" in inputs:
        positions = inputs["position_ids"]
        arguments["position_ids"] = positions
        arguments["attention_mask"] = masks(
            layer_kinds(model.config),
            segments_seen(inputs["segment_ids"]),
            positions,
            positions,
            model.dtype,  # type: ignore[arg-type]
        )
    logits, _ = logits_at(
        model, inputs["label_rows"], inputs["label_columns"], use_cache=False, **arguments
    )
    return nn.functional.cross_entropy(logits.float(), inputs["labels"], reduction="sum")
