"""What a run costs: seconds and memory. Measured, so never the same twice."""

import os
import platform
import re
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = (
    "accelerate",
    "bitsandbytes",
    "numpy",
    "peft",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "vestibular",
)
"""Packages whose versions may change what a model learns or answers."""


def machine(device: torch.device) -> dict[str, Any]:
    """Return what ran: the `device` in words, and the versions of Python and the `packages`."""
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device.type}, {os.cpu_count()} cores, {platform.machine()}"
    )
    versions = {package: version(package) for package in PACKAGES}
    return {"device": name, "packages": {"python": platform.python_version(), **versions}}


def computing(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Return what decides how sums are rounded: device, numbers, kernels and threads in use."""
    return {
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        # a CPU's kernels are, whatever torch is asked for
        "deterministic_kernels": device.type == "cpu"
        or (
            torch.are_deterministic_algorithms_enabled()
            and not torch.is_deterministic_algorithms_warn_only_enabled()
        ),
    }


def peak_process_bytes() -> int:
    """Return the most memory that this process has held, in bytes (its resident set).

    On Linux the counter of `getrusage` begins with what the parent process held: its own is in
    /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_device_bytes(device: torch.device) -> int:
    """Return the most accelerator memory that tensors have held, in bytes; 0 on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def stopwatch() -> Callable[[], float]:
    """Start a clock; each call gives the seconds since."""
    start = time.perf_counter()
    return lambda: time.perf_counter() - start
