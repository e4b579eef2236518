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
"""Parameters from which on bfloat16 pays on a CPU: see bench/README.md."""
ADAPTER_FILE = "adapter_config.json"
"""In the folder of a trained candidate, if it is an adapter."""

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
"""What the libraries raise at a file that is not what it should be."""


def pick_device() -> torch.device:
    """Return the fastest device of this machine."""
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def pick_precision(precision: Precision, device: torch.device, base: Path) -> torch.dtype:
    """Return the numbers to compute with on `device`.

    `auto` is bfloat16 on a GPU that computes it, float16 on an older one, which would emulate it
    many times slower; on a CPU it is bfloat16 if the processor has instructions for it and the
    model is large enough to gain; float32 elsewhere. Nothing is timed: the answer is the same
    every time.

    Args:
        precision: what the settings say.
        device: where the model is.
        base: folder of the base model.

    Raises:
        BaseModelError: the device cannot train in float16.
    """
    if precision == "auto":
        # portable arithmetic keeps to the instructions of all processors
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
        BaseModelError: it cannot be loaded, has no words, or has no end-of-sequence token to
            stop at.
    """
    advice = "copy the tokenizer's files from the model's source, tokenizer.json above all"
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except LOADING_ERRORS as error:
        raise BaseModelError(
            f"{folder}: no tokenizer can be loaded ({first_line(error)}); {advice}"
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
    model = _loaded(folder, device, dtype, options)
    # its own may sample, or be one that cannot be saved again
    model.generation_config = greedy(model.generation_config)
    if device.type == "cpu" and is_small(folder):
        torch.set_num_threads(1)
    return model


def rehearse_loading(folder: Path) -> None:
    """Make sure that a base model's weights are those of its configuration, without reading them.

    Raises:
        BaseModelError: tensors are missing or of another shape, or the files hold something else.
    """
    _loaded(folder, torch.device("meta"), torch.float32, {})


def _loaded(
    folder: Path, device: torch.device, dtype: torch.dtype, options: Mapping[str, Any]
) -> Any:
    # the bar over the loading of weights
    transformers.utils.logging.disable_progress_bar()
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            device_map={"": device},
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            # else a message that says less than ours
            ignore_mismatched_sizes=True,
            **options,
        )
    except LOADING_ERRORS as error:
        if out_of_memory(error):
            raise
        if isinstance(error, pickle.UnpicklingError):
            # torch's own words tell how to run it
            raise BaseModelError(
                f"{folder}: the pickled weights hold something else than tensors, which could be "
                "a program and is not run; take the model's safetensors files, or another model"
            ) from None
        raise BaseModelError(
            f"{folder}: no causal language model can be loaded ({first_line(error)}); copy its "
            "files from the model's source anew"
        ) from None
    model, report = loaded
    if unlike := sorted(report["mismatched_keys"]):
        name, there, here = unlike[0]
        raise BaseModelError(
            f"{folder}: {len(unlike)} of the tensors are of another shape than config.json says "
            f"({name}: {_shape(there)} and not {_shape(here)}); copy the matching files there"
        )
    if missing := sorted(report["missing_keys"]):
        raise BaseModelError(
            f"{folder}: the weights lack {len(missing)} of the tensors that config.json asks for "
            f"({missing[0]} and so on), which would be random; copy the matching files there"
        )
    return model


def _shape(sizes: Iterable[int]) -> str:
    return " x ".join(map(str, sizes))


def load_adapter(model: Any, folder: Path) -> PeftModel:
    """Put a trained adapter on a base model, ready to answer."""
    return PeftModel.from_pretrained(model, str(folder)).eval()


def configuration(folder: Path) -> Any:
    """Read a model's configuration.

    Raises:
        BaseModelError: it is not that of a model that transformers knows.
    """
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except LOADING_ERRORS as error:
        raise BaseModelError(
            f"{folder}: config.json is not that of a model that can be loaded here "
            f"({first_line(error)})"
        ) from None


def without_weights(folder: Path) -> Any:
    """Build a model from its configuration alone: shapes, no bytes (torch's meta device).

    Raises:
        BaseModelError: the configuration is not that of a causal language model.
    """
    config = configuration(folder)
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except LOADING_ERRORS as error:
        raise BaseModelError(
            f"{folder}: config.json is not that of a causal language model ({first_line(error)})"
        ) from None
