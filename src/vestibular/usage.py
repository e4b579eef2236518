"""What the machine is and what is in use of it: processor, memory, disk, GPUs."""

import os
import platform
from pathlib import Path

import psutil
import pynvml

Usage = dict[str, float]


def machine() -> dict[str, object]:
    """Return what the numbers of `Sampler` are parts of; bytes where no unit is named."""
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
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
            name = f"gpu_{number}"
            try:
                memory_used = pynvml.nvmlDeviceGetMemoryInfo(gpu)
                found[f"{name}_memory_bytes"] = float(memory_used.used)
                found[f"{name}_percent"] = float(pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu)
                found[f"{name}_watts"] = pynvml.nvmlDeviceGetPowerUsage(gpu) / 1000
            except pynvml.NVMLError:
                # not every GPU tells everything; what it told stands
                continue
        return found


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
