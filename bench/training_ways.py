"""Ways of training: the published recipe, one row per question, each context once."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from bench.arithmetic import NOTHING, causal, of_rows, square, training_flops
from bench.base import GRADIENT_NORM, LEARNING_RATE, autocast, load_model, load_tokenizer
from bench.questions import training_steps
from bench.settings import Settings
from bench.shapes import PUBLISHED_LENGTH
from bench.ways import Way
from vestibular.modeling.batching import Batching, Row, by_length, rows
from vestibular.modeling.encoding import EncodedQuestion
from vestibular.modeling.tensors import collate, label_loss

Steps = Sequence[Sequence[EncodedQuestion]]


def optimizer_of(model: Any) -> torch.optim.Optimizer:
    """Return AdamW on the adapter's weights."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trained, lr=LEARNING_RATE)


def train(
    model: Any,
    optimizer: torch.optim.Optimizer,
    steps: Steps,
    backward: Callable[[Sequence[EncodedQuestion]], None],
) -> None:
    """Take the optimizer steps."""
    model.train()
    for step in steps:
        backward(step)
        torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_NORM)
        optimizer.step()
        optimizer.zero_grad()


Backward = Callable[[Sequence[EncodedQuestion]], None]
"""Function that adds the gradients of one optimizer step."""


def published_backward(model: Any, settings: Settings) -> Backward:
    """Return the published recipe's function: all rows padded, the loss on all their tokens."""

    def backward(batch: Sequence[EncodedQuestion]) -> None:
        for start in range(0, len(batch), settings.micro_batch):
            part = batch[start : start + settings.micro_batch]
            ids = torch.zeros(len(part), PUBLISHED_LENGTH, dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, question in enumerate(part):
                tokens = question.prompt + question.answer
                ids[row, : len(tokens)] = torch.tensor(tokens)
                mask[row, : len(tokens)] = 1
            ids, mask = ids.to(model.device), mask.to(model.device)
            labels = ids.masked_fill(mask == 0, -100)
            with autocast(settings, model.device):
                loss = model(
                    input_ids=ids, attention_mask=mask, labels=labels, use_cache=False
                ).loss
            (loss * len(part) / len(batch)).backward()

    return backward


def passes(
    step: Sequence[EncodedQuestion], batching: Batching, settings: Settings
) -> list[list[Row]]:
    """Return the rows of each forward pass of an optimizer step."""
    laid_out = rows(step, batching, "answer", settings.max_tokens)
    return list(by_length(laid_out, settings.max_tokens))


def own_backward(model: Any, settings: Settings, batching: Batching) -> Backward:
    """Return the pipeline's own function."""

    def backward(step: Sequence[EncodedQuestion]) -> None:
        labels = sum(len(question.answer) for question in step)
        for group in passes(step, batching, settings):
            inputs: dict[str, Tensor] = {
                name: tensor.to(model.device) for name, tensor in collate(group).items()
            }
            with autocast(settings, model.device):
                loss = label_loss(model, inputs) / labels
            loss.backward()

    return backward


def published(settings: Settings) -> Way:
    """Return the published recipe: all rows padded, all logits, activations recomputed."""
    model = load_model(settings, checkpointing=True)
    optimizer = optimizer_of(model)
    backward = published_backward(model, settings)
    step, *_ = training_steps(settings, load_tokenizer(settings))
    questions = step[: settings.published_questions]
    micro = settings.micro_batch
    needed = sum((causal(one.length, one.length) for one in questions), NOTHING)
    run = square(len(questions), PUBLISHED_LENGTH, PUBLISHED_LENGTH * len(questions))
    return Way(
        questions=len(questions),
        tokens=sum(one.length for one in questions),
        configuration=f"{micro} rows of {PUBLISHED_LENGTH} tokens per pass, activations recomputed",
        warm_up=lambda: train(model, optimizer, [questions[:micro]], backward),
        run=lambda: train(model, optimizer, [questions], backward),
        model_flops=training_flops(settings.shape, needed),
        hardware_flops=training_flops(settings.shape, run, recomputed=True),
    )


def own(settings: Settings, batching: Batching) -> Way:
    """Return the pipeline's own way with the given batching."""
    model = load_model(settings)
    optimizer = optimizer_of(model)
    backward = own_backward(model, settings, batching)
    steps = training_steps(settings, load_tokenizer(settings))
    groups = [group for step in steps for group in passes(step, batching, settings)]
    needed = sum((of_rows(group) for group in groups), NOTHING)
    run = NOTHING
    for group in groups:
        width = max(row.length for row in group)
        run += square(len(group), width, of_rows(group).outputs)
    return Way(
        questions=sum(len(step) for step in steps),
        tokens=sum(one.length for step in steps for one in step),
        configuration=f"at most {settings.max_tokens} tokens per pass",
        warm_up=lambda: train(model, optimizer, steps[:1], backward),
        run=lambda: train(model, optimizer, steps, backward),
        model_flops=training_flops(settings.shape, needed),
        hardware_flops=training_flops(settings.shape, run),
    )


def padded(settings: Settings) -> Way:
    """Return our way with one row for each question."""
    return own(settings, "padded")


def shared_context(settings: Settings) -> Way:
    """Return our way with each context once for all its questions."""
    return own(settings, "shared_context")
