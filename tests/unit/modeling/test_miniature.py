"""A miniature has all that an architecture is made of, and little else."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.support.architectures import configuration
from vestibular.modeling import proving
from vestibular.modeling.miniature import cut, skeleton
from vestibular.modeling.targets import usual_targets

pytestmark = pytest.mark.slow


def layers(config: Any) -> Any:
    """The layers of a decoder without weights."""
    return skeleton(config).get_decoder().layers


def attention_and_experts(layer: Any) -> tuple[str, str]:
    """What DeepSeek's layers differ in."""
    return type(layer.self_attn).__name__, type(layer.mlp).__name__


def keys_and_heads(layer: Any) -> tuple[bool, int]:
    """What Gemma 4's layers differ in: the width of a head is a layer's own."""
    return layer.self_attn.is_sliding, layer.self_attn.head_dim


def sharing_and_sparsity(layer: Any) -> tuple[bool, bool, bool]:
    """What Gemma 3n's layers differ in: whose keys they use is a matter of two lists' ends."""
    attention = layer.self_attn
    return attention.is_sliding, attention.is_kv_shared_layer, layer.mlp.activation_sparsity > 0


def block_or_recurrence(layer: Any) -> tuple[str]:
    """What Zamba 2's layers differ in: its block holds a module for each layer that uses it."""
    return (type(layer).__name__,)


@pytest.mark.parametrize(
    ("name", "kind", "most"),
    [
        ("zamba2", block_or_recurrence, 4),
        ("deepseek_v3", attention_and_experts, 4),
        ("gemma4_text", keys_and_heads, 4),
        ("gemma3n_text", sharing_and_sparsity, 12),
    ],
)
def test_two_layers_of_each_kind_are_kept(
    name: str, kind: Callable[[Any], tuple[Any, ...]], most: int
) -> None:
    """Or all, where there is only one; and not many more."""
    from transformers import CONFIG_MAPPING

    whole = CONFIG_MAPPING[name]()
    every = [kind(layer) for layer in layers(whole)]
    kept = [kind(layer) for layer in layers(cut(whole))]
    assert len(set(every)) > 1
    for each in set(every):
        assert kept.count(each) >= min(2, every.count(each))
    assert len(kept) <= most


def test_windows_of_single_layers_are_short_too() -> None:
    """A value that a layer has of its own makes a kind, and is cut like that of all layers."""
    whole = configuration("mistral")
    whole.per_layer_config = {1: {"sliding_window": 4096}, 3: {"sliding_window": 4096}}
    assert [each.sliding_window for each in cut(whole).per_layer_config] == [16] * 4


@pytest.mark.parametrize(
    ("in_float32", "in_float64", "training"),
    [
        # as deep miniatures have it
        (5e-4, 2e-7, "shared"),
        (5e-4, 5e-4, "padded"),
        (0.5, 0.0, "padded"),
    ],
)
def test_twice_the_digits_decide_what_is_rounding(
    monkeypatch: pytest.MonkeyPatch, in_float32: float, in_float64: float, training: str
) -> None:
    """A small error that vanishes is none; a large one is not looked at again."""
    lesson_error = proving.lesson_error

    def off(model: Any, questions: Any, right: Any, way: Any) -> float:
        found = lesson_error(model, questions, right, way)
        if way != "shared":
            return found
        return found + (in_float64 if model.dtype == torch.float64 else in_float32)

    monkeypatch.setattr(proving, "lesson_error", off)
    found = proving.try_out(configuration("llama"))
    assert (found.training, found.exam) == (training, "shared")
    assert bool(found.reason) == (training != "shared")


def test_a_product_of_another_kind_gets_no_adapter() -> None:
    """DeepSeek-V4 multiplies by groups with what looks like a linear module's matrix."""
    from transformers import CONFIG_MAPPING

    model = skeleton(cut(CONFIG_MAPPING["deepseek_v4"]()))
    names = {name.rsplit(".", 1)[-1] for name, _ in model.named_modules()}
    assert {"o_a_proj", "o_b_proj"} <= names
    targets = usual_targets(model)
    assert "o_b_proj" in str(targets)
    assert "o_a_proj" not in str(targets)


@pytest.mark.parametrize("name", ["emu3", "modernbert-decoder"])
def test_an_adapter_finds_the_layers(name: str) -> None:
    """Where a part of a model stands for it, and where an output head is called a decoder."""
    from transformers import CONFIG_MAPPING

    targets = usual_targets(skeleton(cut(CONFIG_MAPPING[name]())))
    assert {"k_proj", "q_proj", "v_proj"} < set(targets)
    assert not {"decoder", "lm_head", "dense"} & set(targets)
