"""Memory: how much is available, how much some work takes, and returning it when freed."""

import contextlib
import ctypes
import os
import platform
import weakref
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from vestibular.core.environment import FREE_MEMORY

MMAP_THRESHOLD_OPTION = -3
"""`M_MMAP_THRESHOLD` of glibc's `mallopt`."""
OWN_PAGES_FROM = 1 << 20
"""Size in bytes from which an allocation gets pages of its own."""
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
ASKS_FOR_A_NUMBER = (torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default)
CGROUP_USE = Path("/sys/fs/cgroup/memory.current")


def return_freed_memory() -> None:
    """Make glibc return large blocks to the system as soon as they are freed.

    By default glibc, after the first large block is freed, keeps ever larger blocks for reuse, but
    new ones do not fit between their remains: a training step then takes up to twice the memory of
    its tensors. On the other hand, memory obtained again must be cleared by the system page by
    page: a step takes a fifth longer. So this is for cases of short memory. Other C libraries do
    not behave this way, and nothing is done for them.

    Source: mallopt(3), "dynamic mmap threshold".
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD_OPTION, OWN_PAGES_FROM)


def available_bytes(device: torch.device) -> int:
    """Return how much more memory a process may take on `device`, in bytes.

    On a CPU this is what the system can provide without swapping, or what is left of the control
    group's (container's) limit, if that is less. A value in the environment overrides both.
    """
    if (stated := os.environ.get(FREE_MEMORY, "")).isdecimal():
        return int(stated)
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free: int = psutil.virtual_memory().available
    # no control group, or "max": no limit
    with contextlib.suppress(OSError, ValueError):
        free = min(free, int(CGROUP_LIMIT.read_text()) - int(CGROUP_USE.read_text()))
    return free


@cache
def process_bytes() -> int:
    """Return this process's memory at the first call (its resident set), in bytes.

    Call it first before a model is loaded, so that the leftovers of plans and rehearsals are not
    included.
    """
    return int(psutil.Process().memory_info().rss)


class TensorBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors created in the block, on any device.

    On the meta device this is a rehearsal: every operation takes place without numbers. Code that
    asks for a value there (whether a mask is all ones, whether there is padding) gets 1.

    Attributes:
        peak: maximum number of bytes alive at a time.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        """Exclude the storage of `model` itself: views of it are not new bytes."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._live = 0
        self._seen = weakref.WeakSet(
            tensor.untyped_storage() for tensor in (*model.parameters(), *model.buffers())
        )

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function in ASKS_FOR_A_NUMBER and args[0].is_meta:
            return 1
        result = function(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._count, result)
        return result

    def _count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        self._seen.add(storage)
        self._live += storage.nbytes()
        self.peak = max(self.peak, self._live)
        weakref.finalize(storage, self._forget, storage.nbytes())

    def _forget(self, count: int) -> None:
        self._live -= count
