"""The machine's capacity and its current use: processor, memory, disk, GPUs."""

import contextlib
import os
import platform
from collections.abc import Callable
from pathlib import Path

import psutil
import pynvml

from vestibular.core import processor

Usage = dict[str, float]
GPU_LOOKS: dict[str, Callable[[object], float]] = {
    "memory_bytes": lambda gpu: pynvml.nvmlDeviceGetMemoryInfo(gpu).used,
    "percent": lambda gpu: pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
    "watts": lambda gpu: pynvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
}
"""Readings of a GPU, each taken separately."""


def capacities() -> dict[str, object]:
    """Return the capacities behind the readings of `Sampler`; in bytes unless a unit is named."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": processor.name(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": [str(pynvml.nvmlDeviceGetName(gpu)) for gpu in _gpus()],
    }


class Sampler:
    """Reads the machine's use on each call."""

    def __init__(self, folder: Path) -> None:
        """Start measuring; `folder` selects the disk."""
        self._folder = folder
        self._process = psutil.Process()
        self._gpus = _gpus()
        # psutil's percentages cover the time since the previous call
        psutil.cpu_percent()
        self._process.cpu_percent()

    def __call__(self) -> Usage:
        """Return percentages, bytes and watts by name.

        `cpu_percent` covers all cores since the last call, `process_cpu_percent` is relative to one
        core. A GPU provides what its driver can read.
        """
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(str(self._folder))
        found = {
            "cpu_percent": psutil.cpu_percent(),
            "process_cpu_percent": self._process.cpu_percent(),
            "memory_percent": memory.percent,
            "memory_bytes": float(memory.total - memory.available),
            "process_memory_bytes": float(self._process.memory_info().rss),
            "disk_percent": disk.percent,
            "disk_bytes": float(disk.used),
        }
        for number, gpu in enumerate(self._gpus):
            for name, look in GPU_LOOKS.items():
                # not every GPU provides every reading: a partition has no utilization of its own
                with contextlib.suppress(pynvml.NVMLError):
                    found[f"gpu_{number}_{name}"] = float(look(gpu))
        return found


def gpu_count() -> int:
    """Return the number of GPUs known to NVIDIA's driver; 0 without a driver."""
    return len(_gpus())


def _gpus() -> list[object]:
    """Return NVML's handles; none without a driver."""
    try:
        pynvml.nvmlInit()
        return [
            pynvml.nvmlDeviceGetHandleByIndex(number)
            for number in range(pynvml.nvmlDeviceGetCount())
        ]
    except pynvml.NVMLError:
        return []
