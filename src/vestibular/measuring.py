"""What a run costs: seconds and memory. Measured, so never the same twice."""

import resource
import sys
import time
from collections.abc import Callable

import torch


def peak_process_bytes() -> int:
    """Return the most memory that this process has held, in bytes (its resident set)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_device_bytes(device: torch.device) -> int:
    """Return the most accelerator memory that tensors have held, in bytes; 0 on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def stopwatch() -> Callable[[], float]:
    """Start a clock; each call gives the seconds since."""
    start = time.perf_counter()
    return lambda: time.perf_counter() - start
