"""Description of the machine that a result was measured on. Nothing here imports torch."""

import importlib.metadata
import os
import platform
from typing import Any

from vestibular.core import processor

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "trl", "lm_eval")


def machine() -> dict[str, Any]:
    """Return the processor, the memory and the packages' versions."""
    import psutil

    return {
        "processor": processor.name(),
        "cores": psutil.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": platform.system(),
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
    }


def load() -> float:
    """Return the mean number of runnable processes over the last minute."""
    return round(os.getloadavg()[0], 2)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
