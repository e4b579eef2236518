"""LoRA fine-tuning of one candidate with the Hugging Face Trainer."""

import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import SequentialSampler
from transformers import (
    PrinterCallback,
    ProgressCallback,
    Trainer,
)

from vestibular.modeling.batching import Batching, epoch_batches, steps_per_epoch
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.tensors import Inputs, label_loss
from vestibular.tracking.checkpoints import last_complete
from vestibular.training.arguments import trainer_arguments
from vestibular.training.callbacks import LOGGED, Bar, LogLines, RunLogCallback, StopOnNonFiniteLoss
from vestibular.training.processes import Processes
from vestibular.training.progress import Progress
from vestibular.training.saving import translate_write_errors
from vestibular.training.settings import TrainSettings
from vestibular.training.steps import OptimizerSteps, micro_batches

ALONE = Processes()
CURVE = ["step", "epoch", "loss", "validation_loss", "learning_rate", "gradient_norm"]


@dataclass(frozen=True)
class Trained:
    """Results of a training, apart from the adapter in the model."""

    curve: list[list[float | int | None]]
    """One row per logged step, in the order of `CURVE`."""
    steps: int
    """Number of optimizer steps."""
    started: float
    """Start, before any interruption: seconds since 1970."""
    seconds: float
    """Seconds of all steps, validation included; work lost to an interruption does not count."""
    processor_seconds: float
    """CPU time of the same, summed over all processes, in seconds."""
    epoch_seconds: tuple[float, ...]
    """Seconds of each epoch."""
    mean_loss: float
    """Mean of all steps' losses, in nats per label token, to six digits."""


class QuestionTrainer(Trainer):
    """The Trainer with batches counted in questions and a loss at the labels only.

    It does not know about other processes: sums are taken over all of them, and each takes the same
    steps.
    """

    def __init__(
        self,
        validation: Sequence[dict[str, Any]],
        progress: Progress,
        processes: Processes,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._validation = validation
        self._progress = progress
        self._processes = processes
        self._trained: list[Tensor] = [
            parameter for parameter in options["model"].parameters() if parameter.requires_grad
        ]
        self.add_callback(progress)

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        # the items are already shuffled
        return SequentialSampler(self.train_dataset)  # type: ignore[arg-type]

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> None:
        # `training_step` divides by the labels itself
        return None

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Tensor:
        """Accumulate the gradients of all micro-batches; return the mean loss of the step."""
        model.train()
        self._seed_dropout()
        total = torch.zeros((), device=self.args.device)
        for micro_batch in inputs["micro_batches"]:
            with self.compute_loss_context_manager():
                loss = label_loss(model, self._on_device(micro_batch)) / inputs["labels"]
            self.accelerator.backward(loss)
            total += loss.detach()
        self._processes.total_gradients(self._trained)
        self._processes.total(total)
        self._progress.add_loss(total)
        return total

    def _seed_dropout(self) -> None:
        """Give each of several processes its own dropout masks, the same after a restart."""
        if self._processes.count > 1:
            place = f"{self.args.seed}-{self.state.global_step}-{self._processes.rank}"
            torch.manual_seed(random.Random(place).getrandbits(63))

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Return the mean loss over all labels of the validation questions."""
        model: Any = self.model
        model.eval()
        total, labels = 0.0, 0
        with torch.no_grad():
            for batch in self._validation:
                labels += batch["labels"]
                for micro_batch in batch["micro_batches"]:
                    with self.compute_loss_context_manager():
                        total += label_loss(model, self._on_device(micro_batch)).item()
        # in double precision, like Python's sum
        whole = torch.tensor(total, dtype=torch.float64, device=self._processes.device)
        metrics = {"eval_loss": self._processes.total(whole).item() / labels}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        # one for all; the others wait for it where the progress is saved
        if self._processes.is_first:
            super()._save_checkpoint(model, trial)

    def _on_device(self, inputs: Inputs) -> Inputs:
        return {name: tensor.to(self.args.device) for name, tensor in inputs.items()}


def fine_tune(
    model: Any,
    questions: Sequence[EncodedQuestion],
    validation: Sequence[EncodedQuestion],
    settings: TrainSettings,
    batching: Batching,
    dtype: torch.dtype,
    seed: int,
    checkpoints: Path,
    record: Callable[[int, dict[str, float]], None] | None = None,
    on_epoch: Callable[[int, float], None] | None = None,
    processes: Processes = ALONE,
) -> Trained:
    """Train the adapter in `model`, from the last whole checkpoint if there is one.

    Args:
        model: a base model with an untrained adapter, or with all weights to be trained.
        questions: the training questions.
        validation: questions whose loss goes into the curve; they are not learned.
        settings: the candidate's settings.
        batching: arrangement of a step's questions in rows.
        dtype: number format of the computation; trained weights stay in float32.
        seed: seed of the order and of dropout.
        checkpoints: folder of this training's checkpoints.
        record: called at each logged step with its values.
        on_epoch: called at the end of each epoch with its number and seconds.
        processes: the processes of the training.
    """
    steps = OptimizerSteps(questions, settings, batching, seed, processes.rank)
    held_out = [
        micro_batches(batch, settings, batching, processes.rank)
        for batch in epoch_batches(validation, settings.batch_size, seed, 0)
    ]
    terminal = sys.stderr.isatty()
    arguments = trainer_arguments(
        settings, len(steps), seed, model.device, dtype, checkpoints, terminal
    )
    resumed = processes.from_first(lambda: last_complete(checkpoints))
    per_epoch = steps_per_epoch(len(questions), settings.batch_size)
    progress = Progress(per_epoch, resumed, on_epoch, processes)
    processes.equalize([weights for weights in model.parameters() if weights.requires_grad])
    trainer = QuestionTrainer(
        validation=held_out,
        progress=progress,
        processes=processes,
        model=model,
        args=arguments,
        train_dataset=steps,
        eval_dataset=steps,
        data_collator=_only_item,
        callbacks=[*([RunLogCallback(record)] if record else []), StopOnNonFiniteLoss()],
    )
    # a bar on a terminal, lines elsewhere; never the Trainer's dictionaries
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Bar if terminal else LogLines)
    trainer.remove_callback(ProgressCallback)
    if resumed is not None:
        step = resumed.name.removeprefix("checkpoint-")
        print(f"continues from step {step} of {len(steps)}", file=sys.stderr)
    with translate_write_errors(checkpoints):
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    return Trained(
        curve=loss_curve(trainer.state.log_history, per_epoch),
        steps=len(steps),
        started=progress.started,
        seconds=progress.seconds,
        processor_seconds=progress.processor_seconds(),
        epoch_seconds=progress.epoch_seconds,
        mean_loss=float(f"{progress.loss_sum() / len(steps):.6g}"),
    )


def loss_curve(
    history: Sequence[dict[str, float]], steps_per_epoch: int
) -> list[list[float | int | None]]:
    """Turn the Trainer's log into one row per step, in the order of `CURVE`.

    Losses are in nats per label token. Numbers are rounded to six significant digits: the rest is
    noise, and the file is compared across commits.
    """
    found: dict[int, dict[str, float]] = {}
    for entry in history:
        row = found.setdefault(int(entry["step"]), {})
        row.update({LOGGED[key]: value for key, value in entry.items() if key in LOGGED})
    return [
        [step, round(step / steps_per_epoch, 4), *(_rounded(row.get(name)) for name in CURVE[2:])]
        for step, row in sorted(found.items())
        if row
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(f"{value:.6g}")


def _only_item(items: list[Any]) -> Any:
    # an item is a whole optimizer step: with a batch of two, half the steps would be skipped
    (item,) = items
    return item
