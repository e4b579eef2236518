"""Looks at the machine, a GPU among them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from vestibular.tracking import system_metrics
from vestibular.tracking.system_metrics import Sampler, capacities


def refuse(_: object) -> None:
    """Answer as a driver does that cannot tell."""
    raise system_metrics.pynvml.NVMLError(system_metrics.pynvml.NVML_ERROR_NOT_SUPPORTED)


def test_a_gpu_tells_what_it_can(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Bytes, percent and watts from NVML's answers; what the driver refuses is left out."""
    nvml: Any = system_metrics.pynvml
    for name, answer in {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda number: number,
        "nvmlDeviceGetName": lambda number: f"GPU {number}",
        "nvmlDeviceGetMemoryInfo": lambda number: SimpleNamespace(used=1 << (30 + number)),
        "nvmlDeviceGetUtilizationRates": lambda _: SimpleNamespace(gpu=87),
        "nvmlDeviceGetPowerUsage": lambda number: 312_500 if number == 0 else refuse(number),
    }.items():
        monkeypatch.setattr(nvml, name, answer)
    assert capacities()["gpus"] == ["GPU 0", "GPU 1"]
    found = Sampler(tmp_path)()
    assert found["gpu_0_memory_bytes"] == 1 << 30
    assert found["gpu_0_percent"] == 87
    assert found["gpu_0_watts"] == 312.5
    assert found["gpu_1_memory_bytes"] == 1 << 31
    assert "gpu_1_watts" not in found


def test_a_part_of_a_gpu_tells_its_watts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Split by MIG, a GPU refuses its utilization; what comes after it is told all the same."""
    nvml: Any = system_metrics.pynvml
    for name, answer in {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: 1,
        "nvmlDeviceGetHandleByIndex": lambda number: number,
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(used=1 << 30),
        "nvmlDeviceGetUtilizationRates": refuse,
        "nvmlDeviceGetPowerUsage": lambda _: 312_500,
    }.items():
        monkeypatch.setattr(nvml, name, answer)
    found = Sampler(tmp_path)()
    assert found["gpu_0_memory_bytes"] == 1 << 30
    assert found["gpu_0_watts"] == 312.5
    assert "gpu_0_percent" not in found


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The library is installed everywhere; where it finds no driver nothing is said of GPUs."""
    nvml: Any = system_metrics.pynvml

    def absent() -> None:
        raise nvml.NVMLError(nvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(nvml, "nvmlInit", absent)
    assert capacities()["gpus"] == []
    found = Sampler(tmp_path)()
    assert not any(name.startswith("gpu") for name in found)
    total = psutil.virtual_memory().total
    assert 0 < found["process_memory_bytes"] < found["memory_bytes"] * 2 <= total * 2
