"""Deterministic kernels: always used on a CPU, requested on a GPU."""

import sys
import warnings
from collections.abc import Callable
from typing import TypeVar

import torch

NO_KERNEL = "does not have a deterministic implementation"
"""Torch's message for an operation whose order of summation varies."""
ATTENTION = "Memory Efficient attention defaults to a non-deterministic algorithm"
"""Torch's additional message in its warn-only mode."""

T = TypeVar("T")


def ask_for_deterministic_kernels(device: torch.device) -> None:
    """Make torch use kernels with a fixed order of summation, on a GPU.

    Not the warn-only mode: there, the backward pass of attention with a mask still uses atomic
    additions. The kernels of bitsandbytes are not torch's and have no such mode.

    Source: torch.use_deterministic_algorithms; for attention, `_efficient_attention_backward` in
    aten/src/ATen/native/transformers/cuda/attention_backward.cu of torch 2.13.
    """
    if device.type != "cuda":
        return
    torch.use_deterministic_algorithms(True)
    # filling new memory costs time, and nothing reads it before it is written
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def as_deterministic_as_can_be(work: Callable[[], T], name: str) -> T:
    """Do some work deterministically; if an operation has no such kernel, do it again without.

    Args:
        work: the work, which must be repeatable.
        name: its subject, for the message.
    """
    try:
        return work()
    except RuntimeError as error:
        if NO_KERNEL not in str(error):
            raise
        operation = str(error).split(maxsplit=1)[0]
        print(
            f"{name}: {operation} has no deterministic kernel on this device: a repetition may "
            "differ in the last digits",
            file=sys.stderr,
        )
    torch.use_deterministic_algorithms(True, warn_only=True)
    warnings.filterwarnings("ignore", message=f".*{NO_KERNEL}|{ATTENTION}", category=UserWarning)
    return work()
