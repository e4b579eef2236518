"""The output head's product with the whole vocabulary, the widest of an exam, in parts.

On a CPU one product of a few rows with a matrix of 50,000 rows and more takes 1.3 to 1.7 times as
long as the same in parts: a part's result stays in the processor's cache
(`python -m bench.vocabulary`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

PART = 2048
"""Rows of the head's matrix that are multiplied at a time; 512 to 4,096 are as good."""


@contextmanager
def vocabulary_in_parts(model: Any) -> Iterator[None]:
    """Let a model's output head work in parts, where that is faster; gradients are not kept.

    It is for a plain linear layer in float32 on a CPU. All that a model does behind it, such as
    capping logits, is as before.
    """
    head = model.get_output_embeddings()
    if (
        type(head) is not nn.Linear
        or head.weight.device.type != "cpu"
        or head.weight.dtype != torch.float32
    ):
        yield
        return
    plain = head.forward

    def forward(hidden: Tensor) -> Tensor:
        rows = hidden.flatten(end_dim=-2)
        # a single row is bound by reading the matrix, however it is done
        if len(rows) < 2:
            return plain(hidden)
        logits = rows.new_empty(len(rows), head.out_features)
        for start in range(0, head.out_features, PART):
            part = slice(start, start + PART)
            torch.mm(rows, head.weight[part].T, out=logits[:, part])
        if head.bias is not None:
            logits += head.bias
        return logits.view(*hidden.shape[:-1], -1)

    head.forward = forward
    try:
        yield
    finally:
        # the class's own method again
        del head.forward
