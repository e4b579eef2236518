"""What the machine is and what is in use of it: processor, memory, disk, GPUs."""

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
"""What is asked of a GPU, each by itself."""


def machine() -> dict[str, object]:
    """Return what the numbers of `Sampler` are parts of; bytes where no unit is named."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": processor.name(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": [str(pynvml.nvmlDeviceGetName(gpu)) for gpu in _gpus()],
    }


class Sampler:
    """Looks at the machine each time it is called."""

    def __init__(self, folder: Path) -> None:
        """Begin to look; `folder` names the disk."""
        self._folder = folder
        self._process = psutil.Process()
        self._gpus = _gpus()
        # psutil's percentages are about the time since the call before
        psutil.cpu_percent()
        self._process.cpu_percent()

    def __call__(self) -> Usage:
        """Return percentages, bytes and watts by name.

        `cpu_percent` is of all cores since the last call, `process_cpu_percent` of one core. A
        GPU gives what its driver can tell.
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
                # not every GPU tells everything: a part of one has no utilization of its own
                with contextlib.suppress(pynvml.NVMLError):
                    found[f"gpu_{number}_{name}"] = float(look(gpu))
        return found


def gpu_count() -> int:
    """Return how many GPUs NVIDIA's driver has; 0 where there is none."""
    return len(_gpus())


def _gpus() -> list[object]:
    """Return NVML's handles; none where there is no driver."""
    try:
        pynvml.nvmlInit()
        return [
            pynvml.nvmlDeviceGetHandleByIndex(number)
            for number in range(pynvml.nvmlDeviceGetCount())
        ]
    except pynvml.NVMLError:
        return []
