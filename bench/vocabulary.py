"""Compare the output head's matrix product in parts with one product, in turn.

python -m bench.vocabulary [--repeats 7]

It prints medians in milliseconds, and the ratio within each repeat.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from vestibular.modeling.vocabulary import vocabulary_in_parts

SHAPES = {
    "6 layers x 384": (48, 384, 50257),
    "SmolLM2-135M": (48, 576, 49152),
    "Gemma-3-270M": (24, 640, 262144),
}
"""Rows of a pass, width of the hidden states and size of the vocabulary, by model."""
CALLS = 5
"""Number of products in a repeat."""


def main() -> None:
    """Measure both for each shape; print medians and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    for name, (rows, width, tokens) in SHAPES.items():
        head = nn.Linear(width, tokens, bias=False)
        model = SimpleNamespace(get_output_embeddings=lambda head=head: head)
        hidden = torch.randn(rows, width)
        whole, parts = [], []
        with torch.inference_mode():
            for _ in range(options.repeats):
                whole.append(_milliseconds(head, hidden))
                with vocabulary_in_parts(model):
                    parts.append(_milliseconds(head, hidden))
        ratios = sorted(one / other for one, other in zip(whole, parts, strict=True))
        print(
            f"{name}: {rows} rows: one product {statistics.median(whole):.1f} ms, in parts "
            f"{statistics.median(parts):.1f} ms: {statistics.median(ratios):.2f} times as fast "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )


def _milliseconds(head: Callable[[Tensor], Tensor], hidden: Tensor) -> float:
    head(hidden)
    start = time.perf_counter()
    for _ in range(CALLS):
        head(hidden)
    return (time.perf_counter() - start) * 1000 / CALLS


if __name__ == "__main__":
    main()
