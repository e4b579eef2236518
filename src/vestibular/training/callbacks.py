"""Callbacks of the Trainer: guards, progress on the terminal, and the run's log."""

import math
import sys
import time
from collections.abc import Callable
from typing import Any

from transformers import (
    ProgressCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from vestibular.core.errors import ParamsError
from vestibular.core.paths import PARAMS

LOGGED = {
    "loss": "loss",
    "eval_loss": "validation_loss",
    "learning_rate": "learning_rate",
    "grad_norm": "gradient_norm",
}
"""The Trainer's names of logged values, and those of the loss curve."""
MOST_SILENT = 60.0
"""Seconds after which a log gets a line, though nothing was validated."""


class StopOnNonFiniteLoss(TrainerCallback):
    """Stop a training whose loss is no longer a finite number."""

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Check the loss and the gradient norm just logged.

        Raises:
            ParamsError: one of them is infinite or not a number.
        """
        # float16's loss scale is found by overflows: steps with an overflow are skipped
        for name in ("loss", "eval_loss") if args.fp16 else ("loss", "eval_loss", "grad_norm"):
            if logs and not math.isfinite(logs.get(name, 0.0)):
                raise ParamsError(
                    f"{PARAMS}: train.learning_rate: {args.learning_rate:g} is too high: at step "
                    f"{state.global_step} the {name} is {logs[name]}; lower it and run again"
                )


class RunLogCallback(TrainerCallback):
    """Pass logged values to the spool, before any check."""

    def __init__(self, record: Callable[[int, dict[str, float]], None]) -> None:
        self._record = record

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Pass on the values of the loss curve."""
        values = {name: (logs or {})[key] for key, name in LOGGED.items() if key in (logs or {})}
        if values and state.is_world_process_zero:
            self._record(state.global_step, values)


class LogLines(TrainerCallback):
    """Prints a line at the start, at each validation and once a minute, if there is no terminal."""

    def __init__(self) -> None:
        self._loss = ""
        self._printed = -math.inf

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Print the losses that were last logged."""
        if not logs:
            return
        if "loss" in logs:
            self._loss = f"  loss {logs['loss']:.4f}"
        validation = f"  validation loss {logs['eval_loss']:.4f}" if "eval_loss" in logs else ""
        if validation or ("loss" in logs and time.monotonic() - self._printed >= MOST_SILENT):
            place = f"step {state.global_step}/{state.max_steps}"
            print(f"{place}{self._loss}{validation}", file=sys.stderr, flush=True)
            self._printed = time.monotonic()


class Bar(ProgressCallback):
    """The Trainer's progress bar, showing the loss and no dictionaries in between."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Show the loss at the end of the bar."""
        if self.training_bar is not None and logs and "loss" in logs:
            self.training_bar.set_postfix_str(f"loss {logs['loss']:.4f}")
