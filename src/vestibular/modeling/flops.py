"""What an answer costs in arithmetic: a figure that does not depend on the machine.

Nothing here imports torch.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class AttentionLayers:
    """Layers with attention of one kind."""

    number: int
    """How many there are."""
    width: int
    """Heads times the sizes of a key and of a value, together."""
    window: int | None = None
    """Most tokens that a token attends to, itself included; None for all before it."""
    chunk: int | None = None
    """Tokens in a chunk, within which a token attends to those before it; None for no chunks."""

    def attended(self, tokens: int) -> int:
        """Return how many tokens are attended to, summed over the tokens of a text."""
        if self.chunk is not None:
            whole, rest = divmod(tokens, self.chunk)
            return whole * _triangle(self.chunk) + _triangle(rest)
        near = min(tokens, self.window or tokens)
        return _triangle(near) + (tokens - near) * near


def _triangle(number: int) -> int:
    return number * (number + 1) // 2


@dataclass(frozen=True)
class Shape:
    """The sizes of a model that decide how much it computes."""

    matrix_parameters: int
    """Parameters that every token is multiplied with: those of the text decoder, the adapter's
    too, without the embeddings, which are looked up, and the output head; of a layer's experts
    as many as a token goes to."""
    head_parameters: int
    """Parameters of the output head: vocabulary times width."""
    attention: tuple[AttentionLayers, ...]
    """Layers with attention, by kind."""
    recurrent_layers: int = 0
    """Layers with a recurrence, whose own operations are not in the count; their matrices are."""


def flops_per_answer(shape: Shape, lengths: Iterable[tuple[int, int]]) -> float:
    """Return the mean number of floating-point operations of an answer, asked for alone.

    A question of p prompt tokens with an answer of a tokens takes

        2 N (p + a) + sum over layers of 2 d S(p + a) + 2 H (a + 1)

    operations: each of the p + a tokens goes through the N parameters of the matrices once, a
    multiplication and an addition for each; in a layer whose keys and values together are d wide,
    each token attends to those before it within the layer's window or chunk, S in all (queries
    with keys, and weights with values); and the output head's H parameters run where a token is
    chosen, the answer's end included. Keys and values are kept, so that no token is computed
    twice. What is small in comparison (norms, activations, the softmax, a router's choice) does
    not count, nor does the recurrence of a state-space layer, which is stated apart.

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
        total += sum(
            2 * layers.number * layers.width * layers.attended(tokens) for layers in shape.attention
        )
        total += 2 * shape.head_parameters * (answer + 1)
        count += 1
    return total / count
