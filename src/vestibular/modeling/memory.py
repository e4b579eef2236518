"""Memory: what there is, what a piece of work would take, and giving it back once it is free."""

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
"""Bytes from which on an allocation gets pages of its own."""
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
ASKS_FOR_A_NUMBER = (torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default)
CGROUP_USE = Path("/sys/fs/cgroup/memory.current")


def return_freed_memory() -> None:
    """Make glibc give large blocks back to the system as soon as they are free.

    By default it learns, from the first large block that is freed, to keep ever larger ones,
    between whose remains the next ones do not fit: a training step then holds up to twice the
    memory of its tensors. But memory that is had anew has to be cleared by the system, a page at a
    time: a step takes a fifth longer. So this is for where memory is short. Other C libraries have
    no such habit, and nothing is done there.

    Source: mallopt(3), "dynamic mmap threshold".
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD_OPTION, OWN_PAGES_FROM)


def available_bytes(device: torch.device) -> int:
    """Return how much more memory a process may take on `device`, in bytes.

    On a CPU that is what the system can give without swapping, or what is left of the control
    group's limit (a container's), if that is less. Where the environment states it, that holds.
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
    """Return the memory that this process held at the first call (its resident set).

    It is asked for before a model is loaded; what plans and rehearsals leave behind is no part.
    """
    return int(psutil.Process().memory_info().rss)


class TensorBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that come to life in the block, on any device.

    On the meta device that is a rehearsal: every operation takes place, but for the numbers.
    Whoever asks for one there (whether a mask is all ones, whether there is padding) is told 1.

    Attributes:
        peak: most bytes that were alive at a time.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        """Leave out what `model` itself consists of: its views are no new bytes."""
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
