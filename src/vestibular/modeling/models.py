"""Base models, tokenizers and adapters in memory."""

import pickle
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from peft import PeftModel
from safetensors import SafetensorError
from torch.backends.cpu import get_cpu_capability
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from vestibular.core import processor
from vestibular.core.errors import BaseModelError, first_line, out_of_memory
from vestibular.core.settings import Precision, Quantization
from vestibular.core.weights import is_small
from vestibular.modeling.answers import greedy

BFLOAT16_PARAMETERS = 100_000_000
"""Number of parameters from which bfloat16 pays off on a CPU: see bench/README.md."""
ADAPTER_FILE = "adapter_config.json"
"""File in a trained candidate's folder that marks an adapter."""

LOADING_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    ImportError,
    SafetensorError,
    StrictDataclassError,
    struct.error,
    pickle.UnpicklingError,
)
"""Errors that the libraries raise for invalid files."""


def pick_device() -> torch.device:
    """Return the fastest device of this machine."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def pick_precision(precision: Precision, device: torch.device, base: Path) -> torch.dtype:
    """Return the number format for computation on `device`.

    `auto` is bfloat16 on a GPU that supports it and float16 on an older one, which would emulate
    bfloat16 many times slower; on a CPU it is bfloat16 if the processor has instructions for it and
    the model is large enough to benefit; otherwise float32. Nothing is timed: the result is the
    same every time.

    Args:
        precision: the setting.
        device: where the model is.
        base: folder of the base model.

    Raises:
        BaseModelError: the device cannot train in float16.
    """
    if precision == "auto":
        # portable arithmetic uses only instructions that all processors have
        able = processor.multiplies_bfloat16() and get_cpu_capability().startswith("AVX512")
        if device.type == "cpu" and able:
            count = sum(weight.numel() for weight in without_weights(base).parameters())
            return torch.bfloat16 if count >= BFLOAT16_PARAMETERS else torch.float32
        if device.type != "cuda":
            return torch.float32
        computed = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if computed else torch.float16
    if precision == "float16" and device.type != "cuda":
        raise BaseModelError(
            "train.precision: float16 needs a CUDA GPU, since small gradients vanish in it "
            f"unless they are scaled; this machine has {device.type}: write bfloat16 or float32"
        )
    return getattr(torch, precision)  # type: ignore[no-any-return]


def load_tokenizer(folder: Path) -> Any:
    """Load a model's tokenizer.

    Raises:
        BaseModelError: it cannot be loaded, has no vocabulary, or has no end-of-sequence token.
    """
    advice = "copy the tokenizer's files from the model's source, tokenizer.json above all"
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except LOADING_ERRORS as error:
        raise BaseModelError(
            f"{folder}: the tokenizer cannot be loaded ({first_line(error)}); {advice}"
        ) from None
    # for some architectures transformers creates an empty tokenizer if the files are missing
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise BaseModelError(
            f"{folder}: the tokenizer cannot be loaded (its vocabulary is empty); {advice}"
        )
    if tokenizer.eos_token_id is None:
        raise BaseModelError(
            f"{folder}: the tokenizer has no end-of-sequence token, so an answer could not end; "
            "set eos_token in its tokenizer_config.json"
        )
    return tokenizer


def load_base(
    folder: Path, quantization: Quantization, device: torch.device, dtype: torch.dtype
) -> Any:
    """Load a base model for `device`, its weights in `dtype` or quantized by bitsandbytes.

    Raises:
        BaseModelError: the folder does not contain a causal language model, or bitsandbytes does
            not support the device.
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
    model = _loaded(folder, device, dtype, options)
    # the model's own configuration may sample, or may be invalid and impossible to save
    model.generation_config = greedy(model.generation_config)
    if device.type == "cpu" and is_small(folder):
        torch.set_num_threads(1)
    return model


def rehearse_loading(folder: Path) -> None:
    """Check that a base model's weights match its configuration, without reading them.

    Raises:
        BaseModelError: tensors are missing or have another shape, or the files contain something
            else.
    """
    _loaded(folder, torch.device("meta"), torch.float32, {})


def _loaded(
    folder: Path, device: torch.device, dtype: torch.dtype, options: Mapping[str, Any]
) -> Any:
    # the progress bar for loading weights
    transformers.utils.logging.disable_progress_bar()
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": device},
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            # otherwise the message is less informative than ours
            ignore_mismatched_sizes=True,
            **options,
        )
    except LOADING_ERRORS as error:
        if out_of_memory(error):
            raise
        if isinstance(error, pickle.UnpicklingError):
            # torch's own message explains how to execute it
            raise BaseModelError(
                f"{folder}: the pickled weights contain objects other than tensors, which could "
                "be a program and are not executed; use the model's safetensors files, or "
                "another model"
            ) from None
        raise BaseModelError(
            f"{folder}: no causal language model can be loaded ({first_line(error)}); copy the "
            "files from the model's source again"
        ) from None
    model, report = loaded
    if unlike := sorted(report["mismatched_keys"]):
        name, there, here = unlike[0]
        raise BaseModelError(
            f"{folder}: {len(unlike)} of the tensors have another shape than in config.json (for "
            f"example {name}: {_shape(there)} instead of {_shape(here)}); copy the matching files "
            "there"
        )
    if missing := sorted(report["missing_keys"]):
        raise BaseModelError(
            f"{folder}: the weights lack {len(missing)} of the tensors that config.json requires "
            f"(for example {missing[0]}), which would be random; copy the matching files there"
        )
    return model


def _shape(sizes: Iterable[int]) -> str:
    return " x ".join(map(str, sizes))


def load_adapter(model: Any, folder: Path) -> PeftModel:
    """Attach a trained adapter to a base model, ready to answer."""
    return PeftModel.from_pretrained(model, str(folder)).eval()


def load_configuration(folder: Path) -> Any:
    """Read a model's configuration.

    Raises:
        BaseModelError: transformers does not know such a model.
    """
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except LOADING_ERRORS as error:
        raise BaseModelError(
            f"{folder}: config.json does not describe a model that can be loaded here "
            f"({first_line(error)})"
        ) from None


def without_weights(folder: Path) -> Any:
    """Build a model from its configuration: shapes without storage (torch's meta device).

    Raises:
        BaseModelError: the configuration does not describe a causal language model.
    """
    config = load_configuration(folder)
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except LOADING_ERRORS as error:
        raise BaseModelError(
            f"{folder}: config.json does not describe a causal language model ({first_line(error)})"
        ) from None
