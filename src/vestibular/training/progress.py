"""Progress of a training: its seconds, its epochs and the sum of its losses.

It is saved with every checkpoint, so that a resumed training ends with the figures of all its
steps. The Trainer itself starts counting at the checkpoint.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from vestibular.tracking.checkpoints import COMPLETE, Counted
from vestibular.tracking.metering import stopwatch
from vestibular.training.processes import Processes

ALONE = Processes()


class Progress(TrainerCallback):
    """Counts while the Trainer works, starting from a checkpoint's counts."""

    def __init__(
        self,
        steps_per_epoch: int,
        resumed: Path | None,
        on_epoch: Callable[[int, float], None] | None = None,
        processes: Processes = ALONE,
    ) -> None:
        """Start the clock.

        Args:
            steps_per_epoch: number of optimizer steps per epoch.
            resumed: checkpoint from which the training continues.
            on_epoch: called with the number of each finished epoch, from 1, and its seconds.
            processes: the processes of the training.
        """
        before = Counted(started=time.time())
        if resumed is not None:
            before = Counted.read(resumed / COMPLETE)
        self.started = before.started
        self._elapsed = stopwatch()
        self._before = before.seconds
        self._processor_start = time.process_time()
        self._processor_before = before.processor_seconds
        self._processes = processes
        self._ends = list(before.epoch_ends)
        self._loss_sum = before.loss_sum
        self._loss: Tensor | None = None
        """Sum of the losses still on their device: reading it would wait for the device."""
        self._steps_per_epoch = steps_per_epoch
        self._on_epoch = on_epoch

    @property
    def seconds(self) -> float:
        """Seconds of all steps so far."""
        return self._before + self._elapsed()

    def processor_seconds(self) -> float:
        """Return the CPU time of all steps so far, summed over all processes, in seconds.

        Every process has to call it: they wait for each other.
        """
        own = time.process_time() - self._processor_start
        return self._processor_before + sum(self._processes.all(own))

    @property
    def epoch_seconds(self) -> tuple[float, ...]:
        """Seconds of each finished epoch."""
        starts = [0.0, *self._ends]
        return tuple(end - start for start, end in zip(starts, self._ends, strict=False))

    def add_loss(self, loss: Tensor) -> None:
        """Add the loss of a step."""
        self._loss = loss if self._loss is None else self._loss + loss

    def loss_sum(self) -> float:
        """Return the sum of all losses so far."""
        if self._loss is not None:
            self._loss_sum += self._loss.item()
            self._loss = None
        return self._loss_sum

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """End the epoch whose last step was the previous one, after its validation."""
        self._end_epoch(state)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """End the last epoch."""
        self._end_epoch(state)

    def _end_epoch(self, state: TrainerState) -> None:
        if state.global_step == (len(self._ends) + 1) * self._steps_per_epoch:
            self._ends.append(self.seconds)
            if self._on_epoch is not None:
                self._on_epoch(len(self._ends), self.epoch_seconds[-1])

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Mark the checkpoint just written as complete: a kill may leave one half-written."""
        processor_seconds = self.processor_seconds()
        if not self._processes.is_first:
            return
        path = Path(str(args.output_dir), f"checkpoint-{state.global_step}", COMPLETE)
        Counted(
            started=self.started,
            seconds=self.seconds,
            processor_seconds=processor_seconds,
            processes=self._processes.count,
            epoch_ends=tuple(self._ends),
            loss_sum=self.loss_sum(),
        ).write(path)
