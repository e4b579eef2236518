"""Number of floating-point operations (FLOPs) of a way. Nothing here imports torch."""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.shapes import SHAPES
from vestibular.modeling.batching import Row

LORA_RANK = 8


@dataclass(frozen=True)
class Work:
    """Work of a model, as numbers of positions."""

    tokens: int
    """Positions that pass through the blocks."""
    keys: int
    """Keys seen, summed over these positions."""
    outputs: int
    """Positions that pass through the output head."""

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.tokens + other.tokens, self.keys + other.keys, self.outputs + other.outputs
        )


NOTHING = Work(0, 0, 0)


def causal(length: int, outputs: int) -> Work:
    """Return the work of one sequence of `length` tokens under the causal mask."""
    return Work(length, length * (length + 1) // 2, outputs)


def square(rows: int, width: int, outputs: int) -> Work:
    """Return the work of a padded batch; the masked half of attention counts too."""
    return Work(rows * width, rows * width * width, outputs)


def of_rows(rows: Iterable[Row]) -> Work:
    """Return the work of our rows: segments see prefix and themselves; the head runs on labels."""
    total = NOTHING
    for row in rows:
        total += causal(len(row.prefix), 0)
        for segment in row.segments:
            length = len(segment.tokens)
            labels = length - segment.first_label
            total += causal(length, labels) + Work(0, length * len(row.prefix), 0)
    return total


def forward_flops(shape: str, work: Work) -> float:
    """Return the FLOPs of a forward pass; a multiply-and-add counts as two.

    They are 2 N per token for the N weights of L blocks (12 L d^2 at GPT-2's proportions of width
    d), 4 L q per key that a token sees (for the score and for the weighted sum; q is the width of
    all heads' queries), and 2 d V per output over V words.

    Source: Kaplan et al. 2020, Scaling laws for neural language models (arXiv:2001.08361),
    table 1; Chowdhery et al. 2022, PaLM (arXiv:2204.02311), appendix B.
    """
    sizes = SHAPES[shape]
    blocks = 2 * sizes.layers * sizes.block_weights * work.tokens
    attention = 4 * sizes.layers * sizes.queries * work.keys
    head = 2 * sizes.width * sizes.vocabulary * work.outputs
    return float(blocks + attention + head)


def training_flops(shape: str, work: Work, recomputed: bool = False) -> float:
    """Return the FLOPs of a forward and a backward pass with an adapter on frozen weights.

    PaLM's 6 N per token are 2 N for the forward pass, 2 N for the gradients of the inputs, and 2 N
    for those of the weights. Frozen weights have no gradients, so 4 N remain, and 4 d V per output.
    Attention has no weights; its backward pass costs twice its forward pass: 12 L q per key. The
    adapter's own P weights (4 L r d at rank r on GPT-2's projection to queries, keys and values)
    take 6 P. Recomputing activations costs the blocks' forward pass once more.

    Source: Chowdhery et al. 2022 (arXiv:2204.02311), appendix B, without the weights' gradients,
    which Hu et al. 2021 (LoRA, arXiv:2106.09685) do not need.
    """
    blocks = Work(work.tokens, 0, 0)
    attention = Work(0, work.keys, 0)
    head = Work(0, 0, work.outputs)
    again = forward_flops(shape, Work(work.tokens, work.keys, 0)) if recomputed else 0.0
    weights = SHAPES[shape].layers * SHAPES[shape].adapted_weights(LORA_RANK)
    return (
        2 * forward_flops(shape, blocks)
        + 3 * forward_flops(shape, attention)
        + 2 * forward_flops(shape, head)
        + 6 * weights * work.tokens
        + again
    )


def utilization(flops: float, seconds: float, peak: float) -> float:
    """Return the share of the machine's measured peak, in [0, 1].

    Model FLOPs utilization (MFU) is `flops` / `seconds` / `peak` with the FLOPs that the model's
    mathematics needs for the tokens: padding and recomputation do not count. Hardware FLOPs
    utilization counts everything that runs. PaLM divides by the manufacturer's figure; here the
    peak is the best of this machine's own matrix products, in the same precision.

    Source: Chowdhery et al. 2022, PaLM (arXiv:2204.02311), appendix B.
    """
    return flops / seconds / peak
