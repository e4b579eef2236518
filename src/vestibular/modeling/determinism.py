"""Kernels that give the same numbers each time. On a CPU all do; on a GPU they are asked for."""

import sys
import warnings
from collections.abc import Callable
from typing import TypeVar

import torch

NO_KERNEL = "does not have a deterministic implementation"
"""What torch says of an operation whose sums come in another order each time."""
ATTENTION = "Memory Efficient attention defaults to a non-deterministic algorithm"
"""What it says besides once it only warns."""

T = TypeVar("T")


def ask_for_deterministic_kernels(device: torch.device) -> None:
    """Have torch take kernels whose sums always come in the same order, on a GPU.

    Not the mode that only warns: in that one the backward pass of attention with a mask keeps to
    atomic additions. bitsandbytes' kernels are none of torch's and know no such mode.

    Source: torch.use_deterministic_algorithms; for attention, `_efficient_attention_backward` in
    aten/src/ATen/native/transformers/cuda/attention_backward.cu of torch 2.13.
    """
    if device.type != "cuda":
        return
    torch.use_deterministic_algorithms(True)
    # filling what will be written anyway costs time; nothing here reads it before
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def as_deterministic_as_can_be(work: Callable[[], T], name: str) -> T:
    """Do the work; once more, with what kernels there are, where an operation lacks one.

    Args:
        work: what is done; doing it twice must be as good as doing it once.
        name: what it is about, for the message.
    """
    try:
        return work()
    except RuntimeError as error:
        if NO_KERNEL not in str(error):
            raise
        operation = str(error).split(maxsplit=1)[0]
        print(
            f"{name}: {operation} has no deterministic kernel on this device: a repeat may differ "
            "in the last digits",
            file=sys.stderr,
        )
    torch.use_deterministic_algorithms(True, warn_only=True)
    warnings.filterwarnings("ignore", message=f".*{NO_KERNEL}|{ATTENTION}", category=UserWarning)
    return work()
