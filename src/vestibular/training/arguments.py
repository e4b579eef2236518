"""What the Hugging Face Trainer is told."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from vestibular.training.settings import TrainSettings


class OneDeviceArguments(TrainingArguments):
    """Arguments of a training on one device, however many are visible.

    The Trainer would take every GPU that it sees: a batch of several items, and the model split
    by DataParallel, which takes neither micro-batches nor quantized weights. Which GPU is the
    first is said by `CUDA_VISIBLE_DEVICES`.
    """

    @property
    def n_gpu(self) -> int:
        """One GPU, or none."""
        visible: int = super().n_gpu
        return min(visible, 1)


def trainer_arguments(
    settings: TrainSettings,
    steps: int,
    seed: int,
    device: torch.device,
    dtype: torch.dtype,
    checkpoints: Path,
    terminal: bool,
) -> OneDeviceArguments:
    """Return the Trainer's arguments.

    Args:
        settings: the candidate's settings.
        steps: optimizer steps in all.
        seed: seed of dropout.
        device: where the model is.
        dtype: numbers to compute with.
        checkpoints: folder of this very training's checkpoints.
        terminal: whether a bar is to be shown.
    """
    return OneDeviceArguments(
        output_dir=str(checkpoints),
        max_steps=steps,
        per_device_train_batch_size=1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        logging_steps=settings.logging_steps,
        eval_strategy="steps",
        eval_steps=settings.validation_steps,
        save_strategy="steps",
        save_steps=settings.checkpoint_steps,
        save_total_limit=2,
        seed=seed,
        data_seed=seed,
        report_to="none",
        remove_unused_columns=False,
        disable_tqdm=not terminal,
        use_cpu=device.type == "cpu",
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
    )
