"""What an answer costs in arithmetic: a figure that does not depend on the machine.

Nothing here imports torch.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The sizes of a model that decide how much it computes."""

    matrix_parameters: int
    """Parameters that every token is multiplied with: all, the adapter's too, but for the
    embeddings, which are looked up, and the output head."""
    head_parameters: int
    """Parameters of the output head: vocabulary times width."""
    layers: int
    """Layers with attention."""
    width: int
    """Heads times the size of a head."""


def flops_per_answer(shape: Shape, lengths: Iterable[tuple[int, int]]) -> float:
    """Return the mean number of floating-point operations of an answer, asked for alone.

    A question of p prompt tokens with an answer of a tokens takes

        2 N (p + a) + 4 L d (p + a) (p + a + 1) / 2 + 2 H (a + 1)

    operations: each of the p + a tokens goes through the N parameters of the matrices once, a
    multiplication and an addition for each; the token at place t attends to t tokens, which
    takes 4 d t operations in each of the L layers (queries with keys, and weights with
    values); and the output head's H parameters run where a token is chosen, the answer's end
    included. Keys and values are kept, so that no token is computed twice. What is small
    beside that (norms, activations, the softmax) does not count.

    Source: Chowdhery et al. (2022), PaLM, appendix B: 2 N + 4 L d T a token for the forward
    pass, with T the tokens attended to.

    Args:
        shape: the model's sizes.
        lengths: tokens of prompt and answer, for each question.
    """
    total = count = 0
    for prompt, answer in lengths:
        tokens = prompt + answer
        total += 2 * shape.matrix_parameters * tokens
        total += 2 * shape.layers * shape.width * tokens * (tokens + 1)
        total += 2 * shape.head_parameters * (answer + 1)
        count += 1
    return total / count
