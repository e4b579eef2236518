"""The model that all ways use: a shape with random weights and an adapter."""

import contextlib
from typing import Any

import torch
import transformers
from peft import LoraConfig, prepare_model_for_kbit_training
from peft import get_peft_model as put_adapter
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.pytorch_utils import Conv1D

from bench.arithmetic import LORA_RANK
from bench.settings import Settings
from bench.shapes import END, SHAPES

LEARNING_RATE = 1e-4
GRADIENT_NORM = 1.0


def pick_device(settings: Settings) -> torch.device:
    """Return the device, and set the precision of its float32 matrix products."""
    torch.set_float32_matmul_precision("high" if settings.precision == "tf32" else "highest")
    if settings.device != "auto":
        return torch.device(settings.device)
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def autocast(settings: Settings, device: torch.device) -> Any:
    """Return the context manager for forward passes."""
    if settings.precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def load_tokenizer(settings: Settings) -> Any:
    """Load the tokenizer; it pads with the end-of-sequence token, as is usual for GPT-2."""
    tokenizer = AutoTokenizer.from_pretrained(settings.tokenizer, local_files_only=True)
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def make_base(settings: Settings) -> str:
    """Write a shape with random weights, always the same ones, to `settings.base`.

    Returns:
        the type of the device that all ways will use.
    """
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(SHAPES[settings.shape].configuration())
    model.generation_config.pad_token_id = END
    model.save_pretrained(settings.base)
    return pick_device(settings).type


def load_base(settings: Settings, checkpointing: bool = False) -> Any:
    """Load the base as the pipeline does: in float32, or quantized and prepared for training."""
    options: dict[str, Any] = {}
    if settings.quantization == "8bit":
        options["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
    elif settings.quantization == "4bit":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True
        )
    transformers.utils.logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        settings.base,
        dtype=torch.float32,
        device_map={"": pick_device(settings)},
        local_files_only=True,
        **options,
    )
    if settings.quantization != "none":
        return prepare_model_for_kbit_training(
            model,
            use_gradient_checkpointing=checkpointing,
            gradient_checkpointing_kwargs={"use_reentrant": False},
        )
    if checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    return model


def adapter(model: Any) -> LoraConfig:
    """Return the adapter's settings, the same for all ways."""
    return LoraConfig(
        r=LORA_RANK,
        lora_alpha=16,
        lora_dropout=0.1,
        task_type="CAUSAL_LM",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
    )


def load_model(settings: Settings, checkpointing: bool = False) -> Any:
    """Load the base and put an untrained adapter on it."""
    torch.manual_seed(0)
    model = load_base(settings, checkpointing)
    return put_adapter(model, adapter(model))
