"""The trainable part of a model: a new LoRA adapter on a frozen base, or all weights."""

import dataclasses
import re
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers.pytorch_utils import Conv1D

from vestibular.core.errors import BaseModelError, first_line, out_of_memory
from vestibular.core.settings import Quantization
from vestibular.modeling.targets import usual_targets
from vestibular.training.settings import LoraSettings, TrainSettings

REFUSALS = (
    *(ValueError, RuntimeError, TypeError, AttributeError, KeyError, AssertionError),
    ImportError,
    re.error,
)
"""Errors of peft for modules and options that do not fit together."""
BY_DATA = ("corda", "eva", "lora_ga")
"""Initializations that peft leaves to separate functions."""


def make_trainable(model: Any, settings: TrainSettings, gradient_checkpointing: bool) -> Any:
    """Prepare a base model for training: a new LoRA adapter on it, or all of its weights.

    Raises:
        BaseModelError: the model cannot recompute activations, or has none of the modules for the
            adapter.
    """
    if gradient_checkpointing and not model.supports_gradient_checkpointing:
        raise BaseModelError(
            f"train.gradient_checkpointing: {type(model).__name__} cannot recompute its "
            "activations; write false"
        )
    if settings.method == "lora":
        model = add_adapter(model, settings.lora, settings.quantization)
    if gradient_checkpointing:
        # not re-entrant, so that the output of the frozen embeddings needs no gradient
        model.activation_checkpointing_enable({"use_reentrant": False})
    return model


def add_adapter(model: Any, lora: LoraSettings, quantization: Quantization) -> PeftModel:
    """Put an untrained LoRA adapter on a base model and freeze the rest.

    Raises:
        BaseModelError: the model has none of the named modules, or peft has no such option.
    """
    own = {"r", "lora_alpha", "lora_dropout", "target_modules", "task_type", "fan_in_fan_out"}
    known = {field.name for field in dataclasses.fields(LoraConfig)} - own
    if unknown := sorted(set(lora.options) - known):
        raise BaseModelError(
            f"train.lora.options: {', '.join(unknown)}: peft's LoraConfig has no such option "
            f"({', '.join(sorted(known))})"
        )
    start = str(lora.options.get("init_lora_weights")).lower()
    if start in BY_DATA:
        raise BaseModelError(
            f"train.lora.options: init_lora_weights: {start}: derives the initial values from "
            "data by separate calls, which are not made here; use another initialization (pissa, "
            "olora, orthogonal, gaussian), or omit it"
        )
    for module in model.modules():
        # on such a CPU, bitsandbytes in evaluation mode repacks 4-bit weights permanently into a
        # layout without gradient: the first validation would end the training
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
    except REFUSALS as error:
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
