"""LoRA fine-tuning of one candidate with the Hugging Face Trainer."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, SequentialSampler
from transformers import (
    PrinterCallback,
    ProgressCallback,
    Trainer,
)

from vestibular.modeling.batching import Batching, by_length, epoch_batches, rows, steps_per_epoch
from vestibular.modeling.determinism import as_deterministic_as_can_be
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.tensors import Inputs, collate, label_loss
from vestibular.tracking.checkpoints import last_complete
from vestibular.training.arguments import trainer_arguments
from vestibular.training.callbacks import LOGGED, Bar, PlainLines, Record, StopAtNonsense
from vestibular.training.progress import Progress
from vestibular.training.saving import disk_errors
from vestibular.training.settings import TrainSettings

CURVE = ["step", "epoch", "loss", "validation_loss", "learning_rate", "gradient_norm"]


@dataclass(frozen=True)
class Trained:
    """What a training leaves behind, beside the adapter in the model."""

    curve: list[list[float | int | None]]
    """One row a logged step, in the order of `CURVE`."""
    steps: int
    """Optimizer steps in all."""
    started: float
    """When it began, before any kill: seconds since 1970."""
    seconds: float
    """Seconds for all steps, validation included; what a kill has undone does not count."""
    epoch_seconds: tuple[float, ...]
    """Seconds of each epoch."""
    mean_loss: float
    """Mean of all steps' losses, nats a label token, in six digits."""


class OptimizerSteps(Dataset[dict[str, Any]]):
    """One item for every optimizer step of a training, in order: its micro-batches.

    A micro-batch is what fits `train.max_tokens_per_batch`; a step's loss is the mean over all
    its labels, however they are spread over micro-batches.
    """

    def __init__(
        self,
        questions: Sequence[EncodedQuestion],
        settings: TrainSettings,
        batching: Batching,
        seed: int,
    ) -> None:
        self._questions = questions
        self._settings = settings
        self._batching = batching
        self._seed = seed
        self._per_epoch = steps_per_epoch(len(questions), settings.batch_size)
        self._epoch = -1
        self._batches: list[list[EncodedQuestion]] = []

    def __len__(self) -> int:
        return self._per_epoch * self._settings.epochs

    def __getitem__(self, step: int) -> dict[str, Any]:
        epoch, batch = divmod(step, self._per_epoch)
        if epoch != self._epoch:
            self._batches = epoch_batches(
                self._questions, self._settings.batch_size, self._seed, epoch
            )
            self._epoch = epoch
        return micro_batches(self._batches[batch], self._settings, self._batching)


def micro_batches(
    questions: Sequence[EncodedQuestion], settings: TrainSettings, batching: Batching
) -> dict[str, Any]:
    """Return `micro_batches`, tensors for one forward pass each, and the number of `labels`.

    `settings.max_tokens_per_batch` is a number here: `auto` has been resolved.
    """
    budget = int(settings.max_tokens_per_batch)
    width = settings.max_length if batching == "padded_to_max_length" else 0
    laid_out = rows(questions, batching, settings.loss, budget)
    batches = [collate(group, width=width) for group in by_length(laid_out, budget, width)]
    return {"micro_batches": batches, "labels": sum(len(batch["labels"]) for batch in batches)}


def first_step(
    questions: Sequence[EncodedQuestion], settings: TrainSettings, batching: Batching, seed: int
) -> tuple[list[Inputs], list[EncodedQuestion]]:
    """Return the tensors of the first optimizer step, and the questions that they are about."""
    batch = epoch_batches(questions, settings.batch_size, seed, 0)[0]
    return micro_batches(batch, settings, batching)["micro_batches"], batch


def rehearse(model: Any, inputs: Inputs, dtype: torch.dtype, name: str) -> None:
    """Try a forward and a backward pass for operations that have no deterministic kernel.

    The Trainer draws from its own seed and begins with no gradients: nothing of this is left.

    Args:
        model: as it will be trained.
        inputs: tensors of a micro-batch.
        dtype: numbers to compute with.
        name: the candidate's, for the message.
    """
    if not torch.are_deterministic_algorithms_enabled():
        return
    device = model.device
    placed = {key: tensor.to(device) for key, tensor in inputs.items()}

    def step() -> None:
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            loss = label_loss(model, placed)
        torch.autograd.backward(loss)

    model.train()
    as_deterministic_as_can_be(step, name)
    model.zero_grad()


class QuestionTrainer(Trainer):
    """The Trainer, its batches counted in questions and its loss taken at the labels alone."""

    def __init__(
        self, validation: Sequence[dict[str, Any]], progress: Progress, **options: Any
    ) -> None:
        super().__init__(**options)
        self._validation = validation
        self._progress = progress
        self.add_callback(progress)

    def _get_train_sampler(self, train_dataset: Any = None) -> SequentialSampler:
        # the items are in their shuffled order already
        return SequentialSampler(self.train_dataset)  # type: ignore[arg-type]

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: Any) -> None:
        # `training_step` divides by the labels itself
        return None

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Tensor:
        """Add the gradients of all micro-batches; return the mean loss of the step."""
        model.train()
        total = torch.zeros((), device=self.args.device)
        for micro_batch in inputs["micro_batches"]:
            with self.compute_loss_context_manager():
                loss = label_loss(model, self._on_device(micro_batch)) / inputs["labels"]
            self.accelerator.backward(loss)
            total += loss.detach()
        self._progress.add_loss(total)
        return total

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
        metrics = {"eval_loss": total / labels}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

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
) -> Trained:
    """Train the adapter in `model`, from the last whole checkpoint if there is one.

    Args:
        model: a base model with an untrained adapter, or with all weights to be trained.
        questions: what is learned.
        validation: questions whose loss goes into the curve; nothing is learned from them.
        settings: the candidate's settings.
        batching: how a step's questions lie in rows.
        dtype: numbers to compute with; weights that are trained stay in float32.
        seed: seed of the order and of dropout.
        checkpoints: folder of this very training's checkpoints.
        record: is told every number of the loss curve at its step, as it comes.
        on_epoch: is told each epoch's number and seconds, as it ends.
    """
    steps = OptimizerSteps(questions, settings, batching, seed)
    held_out = [
        micro_batches(batch, settings, batching)
        for batch in epoch_batches(validation, settings.batch_size, seed, 0)
    ]
    terminal = sys.stderr.isatty()
    arguments = trainer_arguments(
        settings, len(steps), seed, model.device, dtype, checkpoints, terminal
    )
    resumed = last_complete(checkpoints)
    per_epoch = steps_per_epoch(len(questions), settings.batch_size)
    progress = Progress(per_epoch, resumed, on_epoch)
    trainer = QuestionTrainer(
        validation=held_out,
        progress=progress,
        model=model,
        args=arguments,
        train_dataset=steps,
        eval_dataset=steps,
        data_collator=_only_item,
        callbacks=[*([Record(record)] if record else []), StopAtNonsense()],
    )
    # on a terminal a bar, elsewhere lines; never the Trainer's dictionaries
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Bar if terminal else PlainLines)
    trainer.remove_callback(ProgressCallback)
    if resumed is not None:
        step = resumed.name.removeprefix("checkpoint-")
        print(f"goes on from step {step} of {len(steps)}", file=sys.stderr)
    with disk_errors(checkpoints):
        trainer.train(resume_from_checkpoint=str(resumed) if resumed else None)
    return Trained(
        curve=loss_curve(trainer.state.log_history, per_epoch),
        steps=len(steps),
        started=progress.started,
        seconds=progress.seconds,
        epoch_seconds=progress.epoch_seconds,
        mean_loss=float(f"{progress.loss_sum() / len(steps):.6g}"),
    )


def loss_curve(
    history: Sequence[dict[str, float]], steps_per_epoch: int
) -> list[list[float | int | None]]:
    """Turn the Trainer's log into one row a step, in the order of `CURVE`.

    Losses are nats a label token. A number is rounded to six significant digits: the rest is
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
    # an item is a whole optimizer step: with a second one, half the steps would not be taken
    (item,) = items
    return item
