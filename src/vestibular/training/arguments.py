"""Arguments of the Hugging Face Trainer."""

from pathlib import Path

import torch
from transformers import TrainingArguments

from vestibular.training.settings import TrainSettings


class OneDeviceArguments(TrainingArguments):
    """Arguments of a training on one device, however many are visible.

    The Trainer would use every visible GPU: batches of several items, and the model split by
    DataParallel, which supports neither micro-batches nor quantized weights. `CUDA_VISIBLE_DEVICES`
    determines which GPU is the first.
    """

    @property
    def n_gpu(self) -> int:
        """Number of GPUs: one or none."""
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
        steps: total number of optimizer steps.
        seed: seed of dropout.
        device: where the model is.
        dtype: number format of the computation.
        checkpoints: folder of this training's checkpoints.
        terminal: whether to show a progress bar.
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
