"""Measurement of a run's cost: seconds and memory, which vary between runs."""

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
"""Packages whose versions can change what a model learns or answers."""


def machine(device: torch.device) -> dict[str, Any]:
    """Return a description of the `device`, and the versions of Python and the `packages`."""
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device.type}, {os.cpu_count()} cores, {platform.machine()}"
    )
    versions = {package: version(package) for package in PACKAGES}
    return {"device": name, "packages": {"python": platform.python_version(), **versions}}


def computing(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Return what affects rounding: device, number format, kernels and threads."""
    return {
        "device": str(device),
        "dtype": str(dtype).removeprefix("torch."),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        # a CPU's kernels are always deterministic
        "deterministic_kernels": device.type == "cpu"
        or (
            torch.are_deterministic_algorithms_enabled()
            and not torch.is_deterministic_algorithms_warn_only_enabled()
        ),
    }


def peak_process_bytes() -> int:
    """Return this process's peak memory, in bytes (its resident set).

    On Linux the counter of `getrusage` starts with the parent process's value; the process's own is
    in /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_device_bytes(device: torch.device) -> int:
    """Return the peak accelerator memory of tensors, in bytes; 0 on a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def stopwatch() -> Callable[[], float]:
    """Start a clock; each call returns the seconds since then."""
    start = time.perf_counter()
    return lambda: time.perf_counter() - start
