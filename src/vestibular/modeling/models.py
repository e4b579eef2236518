"""Base models, tokenizers and adapters in memory."""

import contextlib
import dataclasses
import errno
import json
import os
import pickle
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import (
    LoraConfig,
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    prepare_model_for_kbit_training,
)
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.pytorch_utils import Conv1D

from vestibular.core.base_models import Pin
from vestibular.core.errors import BaseModelError, out_of_memory
from vestibular.core.files import to_json
from vestibular.core.params import LoraSettings, Precision, Quantization, TrainSettings
from vestibular.modeling.flops import Shape

ONE_THREAD_PARAMETERS = 5_000_000
"""On a CPU, smaller models run on one thread: their matrices are too small to share out."""

ADAPTER_FILE = "adapter_config.json"
"""In the folder of a trained candidate, if it is an adapter."""

LOADING_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    SafetensorError,
    struct.error,
    pickle.UnpicklingError,
)
"""What the libraries raise at a file that is not what it should be."""


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200] or type(error).__name__


def pick_device() -> torch.device:
    """Return the fastest device of this machine."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def pick_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the numbers to compute with on `device`.

    `auto` is bfloat16 on a GPU that has it, float16 on an older one, and float32 elsewhere:
    CPUs are not faster with bfloat16 at these sizes.

    Raises:
        BaseModelError: the device cannot train in float16.
    """
    if precision == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if precision == "float16" and device.type != "cuda":
        raise BaseModelError(
            "train.precision: float16 needs a CUDA GPU, since small gradients vanish in it "
            f"unless they are scaled; this machine has {device.type}: write bfloat16 or float32"
        )
    return getattr(torch, precision)  # type: ignore[no-any-return]


def load_tokenizer(folder: Path) -> Any:
    """Load a model's tokenizer.

    Raises:
        BaseModelError: it cannot be loaded, has no words, or has no end-of-sequence token to
            stop at.
    """
    advice = "copy the tokenizer's files from the model's source, tokenizer.json above all"
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except LOADING_ERRORS as error:
        raise BaseModelError(
            f"{folder}: no tokenizer can be loaded ({_first_line(error)}); {advice}"
        ) from None
    # of some architectures transformers makes an empty one where there are no files
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise BaseModelError(f"{folder}: no tokenizer can be loaded (it has no words); {advice}")
    if tokenizer.eos_token_id is None:
        raise BaseModelError(
            f"{folder}: the tokenizer has no end-of-sequence token, so no answer could end; "
            "set eos_token in its tokenizer_config.json"
        )
    return tokenizer


def load_base(
    folder: Path, quantization: Quantization, device: torch.device, dtype: torch.dtype
) -> Any:
    """Load a base model for `device`, its weights in `dtype` or quantized by bitsandbytes.

    Raises:
        BaseModelError: the folder does not hold a causal language model, or bitsandbytes does
            not know the device.
    """
    options: dict[str, Any] = {}
    if quantization != "none" and device.type not in ("cpu", "cuda", "xpu"):
        raise BaseModelError(
            f"train.quantization: {quantization}: bitsandbytes does not work on {device.type}; "
            "write none"
        )
    if quantization == "8bit":
        options["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)
    elif quantization == "4bit":
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True
        )
    # the bar over the loading of weights
    transformers.utils.logging.disable_progress_bar()
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": device},
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except LOADING_ERRORS as error:
        if out_of_memory(error):
            raise
        raise BaseModelError(
            f"{folder}: no causal language model can be loaded ({_first_line(error)}); copy its "
            "files from the model's source anew"
        ) from None
    model, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise BaseModelError(
            f"{folder}: the weights lack {len(missing)} of the tensors that config.json asks for "
            f"({missing[0]} and so on), which would be random; copy the matching files there"
        )
    if device.type == "cpu" and model.num_parameters() < ONE_THREAD_PARAMETERS:
        torch.set_num_threads(1)
    return model


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
        BaseModelError: peft does not know the usual modules of this architecture, the model
            has none of those named, or an option is not one of peft's.
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
    modules = lora.target_modules
    try:
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            # peft fills in an architecture's usual modules where none are named
            target_modules=None
            if modules == "auto"
            else (modules if isinstance(modules, str) else list(modules)),
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
            f"train.lora: target_modules {modules}: {_first_line(error)} "
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


def load_adapter(model: Any, folder: Path) -> PeftModel:
    """Put a trained adapter on a base model, ready to answer."""
    return PeftModel.from_pretrained(model, str(folder)).eval()


def count_parameters(folder: Path, model: Any) -> dict[str, int]:
    """Return how many parameters are trained, and how many there are with an adapter's.

    The base is counted from its configuration: quantized weights are packed, several a byte.
    What an adapter trains besides its own matrices (biases, `modules_to_save`) stands in the
    place of the base's.
    """
    base = without_weights(folder).num_parameters()
    if not isinstance(model, PeftModel):
        return {"trainable": base, "total": base}
    trained = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {
        "trainable": sum(tensor.numel() for tensor in trained.values()),
        "total": base + _adapter_parameters(model),
    }


def without_weights(folder: Path) -> Any:
    """Build a model from its configuration alone: shapes, no bytes (torch's meta device).

    Raises:
        BaseModelError: the configuration is not that of a causal language model.
    """
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(
                AutoConfig.from_pretrained(folder, local_files_only=True)
            )
    except LOADING_ERRORS as error:
        raise BaseModelError(
            f"{folder}: config.json is not that of a causal language model ({_first_line(error)})"
        ) from None


def arithmetic_shape(folder: Path, model: Any) -> Shape:
    """Return the sizes that decide how much the model computes, its adapter included."""
    base = without_weights(folder)
    embeddings = {
        id(module.weight): module.weight.numel()
        for module in base.modules()
        if isinstance(module, torch.nn.Embedding)
    }
    head = base.get_output_embeddings().weight
    # a head that shares its weight with the embedding is counted there already
    apart = 0 if id(head) in embeddings else head.numel()
    matrices = base.num_parameters() - sum(embeddings.values()) - apart
    config = base.config
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Shape(
        matrix_parameters=matrices + _adapter_parameters(model),
        head_parameters=head.numel(),
        layers=config.num_hidden_layers,
        width=heads * size,
    )


def _adapter_parameters(model: Any) -> int:
    return sum(parameter.numel() for name, parameter in model.named_parameters() if "lora_" in name)
