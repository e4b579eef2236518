"""Optimizer steps: the tensors of their micro-batches, and the rehearsal of one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

from vestibular.modeling.batching import Batching, by_length, epoch_batches, rows, steps_per_epoch
from vestibular.modeling.determinism import as_deterministic_as_can_be
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.tensors import Inputs, collate, label_loss
from vestibular.training.dealing import deal, labels
from vestibular.training.settings import TrainSettings


class OptimizerSteps(Dataset[dict[str, Any]]):
    """A training's optimizer steps, one item each, in order: the step's micro-batches.

    A micro-batch holds at most `train.max_tokens_per_batch` tokens; a step's loss is the mean over
    all its labels, however they are spread over micro-batches and processes.
    """

    def __init__(
        self,
        questions: Sequence[EncodedQuestion],
        settings: TrainSettings,
        batching: Batching,
        seed: int,
        rank: int = 0,
    ) -> None:
        self._questions = questions
        self._settings = settings
        self._batching = batching
        self._seed = seed
        self._rank = rank
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
        return micro_batches(self._batches[batch], self._settings, self._batching, self._rank)


def micro_batches(
    questions: Sequence[EncodedQuestion], settings: TrainSettings, batching: Batching, rank: int = 0
) -> dict[str, Any]:
    """Return `micro_batches`, tensors for one forward pass each, and the number of `labels`.

    `settings.max_tokens_per_batch` is a number here: `auto` has been resolved. The micro-batches
    are those of one of `settings.processes`, the labels those of all.
    """
    budget = int(settings.max_tokens_per_batch)
    width = settings.max_length if batching == "padded_to_max_length" else 0
    laid_out = rows(questions, batching, settings.loss, budget)
    share = deal(laid_out, settings.processes)[rank]
    batches = [collate(group, width=width) for group in by_length(share, budget, width)]
    return {"micro_batches": batches, "labels": labels(laid_out)}


def first_step(
    questions: Sequence[EncodedQuestion], settings: TrainSettings, batching: Batching, seed: int
) -> tuple[list[Inputs], list[EncodedQuestion]]:
    """Return the tensors of the first optimizer step, and its questions.

    They cover all processes.
    """
    batch = epoch_batches(questions, settings.batch_size, seed, 0)[0]
    shares = [micro_batches(batch, settings, batching, rank) for rank in range(settings.processes)]
    return [each for share in shares for each in share["micro_batches"]], batch


def rehearse(model: Any, inputs: Inputs, dtype: torch.dtype, name: str) -> None:
    """Try a forward and a backward pass, to find operations without a deterministic kernel.

    The Trainer uses its own seed and starts without gradients, so that this leaves no trace.

    Args:
        model: the model to be trained.
        inputs: tensors of a micro-batch.
        dtype: number format of the computation.
        name: the candidate's name, for the message.
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
