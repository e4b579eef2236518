"""Number of a model's parameters, and the sizes that determine its arithmetic."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict
from transformers import DynamicCache
from transformers.cache_utils import CacheLayerMixin, LinearAttentionCacheLayerMixin

from vestibular.modeling.attention import CHUNKED, FULL
from vestibular.modeling.configuration import experts, text_decoder
from vestibular.modeling.flops import AttentionLayers, Shape
from vestibular.modeling.models import without_weights


def count_parameters(folder: Path, model: Any) -> dict[str, int]:
    """Return the numbers of trainable and of all parameters, the adapter included.

    The base is counted from its configuration, since quantized weights are packed several per byte.
    What an adapter trains besides its own matrices (biases, `modules_to_save`) replaces the base's.
    """
    base = without_weights(folder).num_parameters()
    if not isinstance(model, PeftModel):
        return {"trainable": base, "total": base}
    trained = get_peft_model_state_dict(model, save_embedding_layers=False)
    return {
        "trainable": sum(tensor.numel() for tensor in trained.values()),
        "total": base + _adapter_parameters(model),
    }


def arithmetic_shape(folder: Path, model: Any) -> Shape:
    """Return the sizes that determine how much the model computes, with its adapter."""
    base = without_weights(folder)
    text = base.config.get_text_config(decoder=True)
    head = base.get_output_embeddings()
    looked_up = {
        id(module.weight) for module in base.modules() if isinstance(module, torch.nn.Embedding)
    }
    left_out = looked_up | ({id(head.weight)} if head is not None else set()) | _states(base)
    active = sum(
        parameter.numel() * _share(name, parameter, text)
        for name, parameter in text_decoder(base).named_parameters()
        if id(parameter) not in left_out
    )
    return Shape(
        matrix_parameters=round(active) + _adapter_parameters(model),
        head_parameters=0 if head is None else head.weight.numel(),
        attention=attention_layers(text),
        recurrent_layers=sum(each.recurrent for each in _layers(text)),
    )


def _states(model: Any) -> set[int]:
    """Return the parameters of recurrences, recognized by a convolution next to their matrices."""
    return {
        id(parameter)
        for module in model.modules()
        if any(isinstance(child, torch.nn.Conv1d) for child in module.children())
        for parameter in module.parameters(recurse=False)
    }


def _share(name: str, parameter: torch.Tensor, text: Any) -> float:
    """Return the fraction of a parameter used by a token; less than 1 for experts."""
    known = experts(text)
    if known is None:
        return 1.0
    number, used = known
    fused = parameter.ndim == 3 and parameter.shape[0] == number
    return used / number if fused or "experts" in name.split(".") else 1.0


def _adapter_parameters(model: Any) -> int:
    return sum(parameter.numel() for name, parameter in model.named_parameters() if "lora_" in name)


@dataclass(frozen=True)
class _Layer:
    """What one layer stores of a text."""

    width: int
    """Number of heads times the sizes of a key and a value together; 0 without attention."""
    kept: int
    """Numbers stored per token."""
    window: int | None
    chunk: int | None
    recurrent: bool


def _layers(text: Any) -> list[_Layer]:
    """Describe a text decoder's layers by the caches that the library creates for them."""
    if not hasattr(text, "num_attention_heads"):
        # older recurrent networks, which keep their states themselves
        return [_Layer(0, 0, None, None, True)] * text.num_hidden_layers
    alike = CHUNKED if getattr(text, "attention_chunk_size", None) else FULL
    kinds = getattr(text, "layer_types", None) or [alike] * text.num_hidden_layers
    cached = DynamicCache(config=text).layers
    found = []
    for kind, layer, config in zip(kinds, cached, text.per_layer_config, strict=True):
        recurrent = isinstance(layer, LinearAttentionCacheLayerMixin)
        if not isinstance(layer, CacheLayerMixin):
            found.append(_Layer(0, 0, None, None, recurrent))
            continue
        heads = config.num_attention_heads
        sizes = sum(_head_sizes(config))
        kept = (getattr(config, "num_key_value_heads", None) or heads) * sizes
        near = getattr(layer, "sliding_window", None)
        window, chunk = (None, near) if kind == CHUNKED else (near, None)
        found.append(_Layer(heads * sizes, kept, window, chunk, recurrent))
    return found


def attention_layers(text: Any) -> tuple[AttentionLayers, ...]:
    """Return the attention layers of a text decoder, by kind.

    Args:
        text: the decoder's configuration.
    """
    found = Counter((each.width, each.window, each.chunk) for each in _layers(text) if each.width)
    return tuple(AttentionLayers(number, *kind) for kind, number in found.items())


def cached_numbers(text: Any) -> int:
    """Return how many numbers one token takes in the cache: a key and a value per layer.

    The state of a recurrent layer does not grow with the text and does not count.

    Args:
        text: configuration of a text decoder.
    """
    return sum(each.kept for each in _layers(text))


def _head_sizes(config: Any) -> tuple[int, int]:
    """Return the sizes of a head's keys and of its values.

    Latent attention has keys of two parts, and values of another size.
    """
    usual = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    plain = getattr(config, "qk_nope_head_dim", None)
    key = usual if plain is None else plain + config.qk_rope_head_dim
    return key, getattr(config, "v_head_dim", None) or usual
