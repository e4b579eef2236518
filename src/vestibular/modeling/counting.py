"""What a model consists of, and what it computes."""

from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict

from vestibular.modeling.flops import Shape
from vestibular.modeling.models import without_weights


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
