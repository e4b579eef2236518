"""Arithmetic cost of an answer, independent of the machine.

Nothing here imports torch.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class AttentionLayers:
    """Attention layers of one kind."""

    number: int
    """Number of layers."""
    width: int
    """Number of heads times the sizes of a key and a value together."""
    window: int | None = None
    """Maximum number of tokens that a token attends to, itself included; None if unlimited."""
    chunk: int | None = None
    """Tokens per chunk, within which a token attends to earlier ones; None without chunks."""

    def attended(self, tokens: int) -> int:
        """Return the number of attended tokens, summed over the tokens of a text."""
        if self.chunk is not None:
            whole, rest = divmod(tokens, self.chunk)
            return whole * _triangle(self.chunk) + _triangle(rest)
        near = min(tokens, self.window or tokens)
        return _triangle(near) + (tokens - near) * near


def _triangle(number: int) -> int:
    return number * (number + 1) // 2


@dataclass(frozen=True)
class Shape:
    """Sizes that determine how much a model computes."""

    matrix_parameters: int
    """Parameters that every token is multiplied with: those of the text decoder and the adapter,
    without the embeddings, which are looked up, and the output head; of a layer's experts only as
    many as a token uses."""
    head_parameters: int
    """Parameters of the output head: vocabulary times width."""
    attention: tuple[AttentionLayers, ...]
    """Layers with attention, by kind."""
    recurrent_layers: int = 0
    """Recurrent layers, whose own operations are not counted; their matrices are."""


def flops_per_answer(shape: Shape, lengths: Iterable[tuple[int, int]]) -> float:
    """Return the mean number of floating-point operations per answer, one question at a time.

    A question of p prompt tokens with an answer of a tokens takes

        2 N (p + a) + sum over layers of 2 d S(p + a) + 2 H (a + 1)

    operations: each of the p + a tokens goes through the N parameters of the matrices once, with a
    multiplication and an addition for each; in a layer whose keys and values together have width d,
    each token attends to earlier ones within the layer's window or chunk, S in total (queries with
    keys, and weights with values); and the output head's H parameters are used wherever a token is
    chosen, including the answer's end. Keys and values are cached, so that no token is computed
    twice. Small terms (norms, activations, the softmax, routing) are not counted, nor is the
    recurrence of a state-space layer, which is reported separately.

    Source: Chowdhery et al. (2022), PaLM, appendix B: 2 N + 4 L d T a token for the forward pass,
    with T the tokens attended to.

    Args:
        shape: the model's sizes.
        lengths: tokens of prompt and answer, for each question.
    """
    total = count = 0
    for prompt, answer in lengths:
        tokens = prompt + answer
        total += 2 * shape.matrix_parameters * tokens
        total += sum(
            2 * layers.number * layers.width * layers.attended(tokens) for layers in shape.attention
        )
        total += 2 * shape.head_parameters * (answer + 1)
        count += 1
    return total / count
