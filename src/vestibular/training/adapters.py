"""What is trained: a fresh LoRA adapter on a frozen base, or all weights; and how it is saved."""

import contextlib
import dataclasses
import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from safetensors import SafetensorError
from transformers.pytorch_utils import Conv1D

from vestibular.core.base_models import Pin
from vestibular.core.errors import BaseModelError, first_line, out_of_memory
from vestibular.core.files import to_json
from vestibular.core.settings import Quantization
from vestibular.modeling.models import ADAPTER_FILE
from vestibular.modeling.targets import usual_targets
from vestibular.training.settings import LoraSettings, TrainSettings


def make_trainable(model: Any, settings: TrainSettings, gradient_checkpointing: bool) -> Any:
    """Prepare a base model for training: a fresh LoRA adapter on it, or all of its weights.

    Raises:
        BaseModelError: the model cannot recompute activations, or has none of the modules that
            the adapter should go to.
    """
    if gradient_checkpointing and not model.supports_gradient_checkpointing:
        raise BaseModelError(
            f"train.gradient_checkpointing: {type(model).__name__} cannot recompute its "
            "activations; write false"
        )
    if settings.method == "lora":
        model = add_adapter(model, settings.lora, settings.quantization)
    if gradient_checkpointing:
        # not re-entrant: so the frozen embeddings' output needs no gradient
        model.activation_checkpointing_enable({"use_reentrant": False})
    return model


def add_adapter(model: Any, lora: LoraSettings, quantization: Quantization) -> PeftModel:
    """Put an untrained LoRA adapter on a base model and freeze the rest.

    Raises:
        BaseModelError: the model has none of the modules named, or an option is not one of
            peft's.
    """
    own = {"r", "lora_alpha", "lora_dropout", "target_modules", "task_type", "fan_in_fan_out"}
    known = {field.name for field in dataclasses.fields(LoraConfig)} - own
    if unknown := sorted(set(lora.options) - known):
        raise BaseModelError(
            f"train.lora.options: {', '.join(unknown)}: not an option of peft's LoraConfig "
            f"({', '.join(sorted(known))})"
        )
    for module in model.modules():
        # in evaluation mode on such a CPU bitsandbytes repacks 4-bit weights for good into a
        # layout that has no gradient: the first validation would end the training
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    if quantization != "none":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    modules = usual_targets(model) if lora.target_modules == "auto" else lora.target_modules
    try:
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=modules if isinstance(modules, str) else list(modules),
            fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
            **lora.options,
        )
        return get_peft_model(model, config)
    except (ValueError, RuntimeError, TypeError, AttributeError, re.error) as error:
        if out_of_memory(error):
            raise
        kinds = sorted(
            {
                name.rsplit(".", 1)[-1]
                for name, module in model.named_modules()
                if isinstance(module, torch.nn.Linear | Conv1D)
            }
        )
        raise BaseModelError(
            f"train.lora: target_modules {modules}: {first_line(error)} "
            f"(this model has {', '.join(kinds)})"
        ) from None


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn what safetensors and torch make of a failed write back into the system's error.

    Raises:
        OSError: a file below `folder` could not be written.
    """
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(folder)) from None
    except RuntimeError as error:
        # torch keeps the system's error to itself
        if "PytorchStreamWriter" not in str(error) and "inline_container" not in str(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from None


def save_trained(model: Any, tokenizer: Any, pin: Pin, folder: Path) -> None:
    """Write the adapter, or all weights if all were trained, and the tokenizer.

    Equal weights give equal files on any machine.
    """
    with disk_errors(folder):
        if isinstance(model, PeftModel):
            config = model.peft_config["default"]
            config.base_model_name_or_path, config.revision = pin.base_model, pin.revision
            # "auto" would ask the hub whether the vocabulary has changed
            model.save_pretrained(str(folder), save_embedding_layers=False)
        else:
            model.save_pretrained(folder)
    # peft's card names the versions and the path of this very run
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / ADAPTER_FILE
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
        # a set, written in an order that changes from process to process
        if isinstance(content["target_modules"], list):
            content["target_modules"] = sorted(content["target_modules"])
        path.write_text(to_json(dict(sorted(content.items()))), encoding="utf-8")
    tokenizer.save_pretrained(folder)
