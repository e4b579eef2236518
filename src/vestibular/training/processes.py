"""Exchange between the processes of a training: gradients, losses and measurements.

Every process holds the whole model and takes the same optimizer steps. A step's gradient is the sum
over the processes' shares of the rows, divided by the total number of labels: the gradient of a
single process. DistributedDataParallel is not used: it averages the processes' gradients, requires
the same number of backward passes in each, and fails if a parameter, such as an expert's, has no
gradient in one of them. Neither accelerate nor the Trainer knows about the other processes.

Source: the same sum, weighted by tokens, in torchtune: recipes/full_finetune_distributed.py,
`torch.distributed.all_reduce(num_tokens)` and `training.scale_grads_`.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from vestibular.core.errors import LaunchError, LostProcessError, first_line
from vestibular.training.places import Place

TIMEOUT = timedelta(minutes=30)
"""Timeout for another process: while the first one writes a checkpoint, the others wait."""
BUCKET_BYTES = 64 << 20
"""Size of the gradients sent together, in bytes."""
BACKENDS = {"cpu": "gloo", "cuda": "nccl"}
"""Communication backend for each kind of device."""
REFUSALS = (RuntimeError, ValueError)
"""Errors of torch if a process does not answer: `DistError` is a RuntimeError."""

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """The processes of a training from the view of one of them; a single process is all of them."""

    rank: int = 0
    count: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009
    """Device on which numbers must be to be sent."""

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def from_first(self, make: Callable[[], T]) -> T:
        """Return what the first process makes; the others wait for it."""
        if self.count == 1:
            return make()
        made: list[Any] = [make() if self.is_first else None]
        with _answering():
            dist.broadcast_object_list(made, src=0, device=self.device)
        return made[0]  # type: ignore[no-any-return]

    def all(self, value: T) -> list[T]:
        """Return every process's value, in order of rank."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        with _answering():
            dist.all_gather_object(found, value)
        return found

    def total(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place, and return it."""
        if self.count > 1:
            with _answering():
                dist.all_reduce(tensor)
        return tensor

    def equalize(self, parameters: Sequence[Tensor]) -> None:
        """Copy the first process's values to all."""
        if self.count > 1:
            with _answering(), torch.no_grad():
                for parameter in parameters:
                    dist.broadcast(parameter, src=0)

    def total_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Sum the gradients over all processes.

        A parameter without a gradient in every process stays without one, and the optimizer skips
        it.
        """
        if self.count == 1:
            return
        present = [parameter.grad is not None for parameter in parameters]
        flags = torch.tensor(present, dtype=torch.int32, device=self.device)
        learned = [
            parameter
            for parameter, times in zip(parameters, self.total(flags).tolist(), strict=True)
            if times
        ]
        for bucket in _buckets(learned):
            gradients = [
                torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                for parameter in bucket
            ]
            flat = self.total(torch.cat([gradient.reshape(-1) for gradient in gradients]))
            sizes = [gradient.numel() for gradient in gradients]
            for parameter, gradient, sums in zip(
                bucket, gradients, torch.split(flat, sizes), strict=True
            ):
                parameter.grad = gradient.copy_(sums.view_as(gradient))


def _buckets(parameters: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Group adjacent parameters of one data type, up to `BUCKET_BYTES` together."""
    bucket: list[Tensor] = []
    size = 0
    for parameter in parameters:
        if bucket and (
            parameter.dtype != bucket[0].dtype or size + parameter.nbytes > BUCKET_BYTES
        ):
            yield bucket
            bucket, size = [], 0
        bucket.append(parameter)
        size += parameter.nbytes
    if bucket:
        yield bucket


@contextlib.contextmanager
def together(place: Place, device: torch.device) -> Iterator[Processes]:
    """Connect to the other processes of a training, if any, and disconnect at the end.

    Raises:
        LaunchError: processes cannot communicate on such a device.
        LostProcessError: they do not appear.
    """
    if place.count == 1:
        yield Processes()
        return
    if device.type not in BACKENDS:
        raise LaunchError(
            f"train.processes: {place.count}: several processes can train only on CUDA GPUs or on "
            f"a CPU (this machine has {device.type}); write 1"
        )
    with _answering(), _set(place.variables):
        dist.init_process_group(
            BACKENDS[device.type],
            init_method=place.meeting,
            rank=place.rank,
            world_size=place.count,
            timeout=TIMEOUT,
        )
    yield Processes(place.rank, place.count, device)
    # not after an error: the others may no longer answer
    dist.destroy_process_group()


@contextlib.contextmanager
def _set(variables: Any) -> Iterator[None]:
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Turn torch's errors about a lost connection into one message.

    Raises:
        LostProcessError: another process has ended, or has not answered in time.
    """
    try:
        yield
    except REFUSALS as error:
        raise LostProcessError(
            "another process of this training has ended, or has not answered for "
            f"{TIMEOUT.total_seconds():,.0f} seconds ({first_line(error)}); nothing was replaced. "
            "Run the command again to continue from the last checkpoint"
        ) from error
