"""What an answer costs: by hand, and against torch's own count of real passes."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.architectures import CONFIGURATIONS, tiny
from vestibular.modeling.flops import AttentionLayers, Shape, flops_per_answer

TOKENS = 40
RECURRENT = {"mamba": 2, "mamba2": 2, "lfm2": 2, "qwen3_next": 2, "jamba": 2}
"""Layers with a recurrence."""
ALL_EXPERTS = ("llama4_text",)
"""Where transformers multiplies with all experts and takes most of it times 0."""


def test_an_answer_by_hand() -> None:
    """Two questions, every term worked out."""
    shape = Shape(100, 10, (AttentionLayers(number=2, width=6),))
    # 3 tokens: 2*100*3 + 2*2*6*(1+2+3) + 2*10*(1+1); then 1 token: 200 + 24 + 20
    assert flops_per_answer(shape, [(2, 1), (1, 0)]) == ((600 + 144 + 40) + (200 + 24 + 20)) / 2


@pytest.mark.parametrize("tokens", [1, 15, 16, 17, 33, 64])
@pytest.mark.parametrize("reach", [{}, {"window": 16}, {"chunk": 16}], ids=str)
def test_what_is_attended_to_is_counted_one_by_one(reach: dict[str, int], tokens: int) -> None:
    """All tokens before it, those of a window, or those of a chunk: as a mask would show."""
    layers = AttentionLayers(number=1, width=2, **reach)
    shown = sum(
        key <= query
        and query - key < reach.get("window", tokens)
        and query // reach.get("chunk", tokens) == key // reach.get("chunk", tokens)
        for query in range(tokens)
        for key in range(tokens)
    )
    assert layers.attended(tokens) == shown


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if name not in ALL_EXPERTS])
def test_the_formula_is_what_torch_counts(tmp_path: Any, name: str) -> None:
    """Torch's counter over a text agrees within 2 %.

    Of experts, those that a token goes to count. Where there are windows the text is read token by
    token, since they limit what is kept; elsewhere in one pass, in which torch counts attention
    without regard to the causal mask. A recurrence's own products are stated apart.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from vestibular.modeling.counting import arithmetic_shape
    from vestibular.training.adapters import add_adapter
    from vestibular.training.settings import LoraSettings

    base = tiny(name)
    base.save_pretrained(tmp_path)
    # the counter knows neither the fused attention of CPUs nor the experts' joint product
    base.set_attn_implementation("eager")
    base.set_experts_implementation("eager")
    lora = LoraSettings(r=2, alpha=2, dropout=0.0, target_modules="auto")
    model = add_adapter(base, lora, "none").eval()
    shape = arithmetic_shape(tmp_path, model)
    assert shape.recurrent_layers == RECURRENT.get(name, 0)
    found: Counter[str] = Counter()
    limited = any(each.window for each in shape.attention)
    cache, recurrences = None, 0
    for ids in torch.arange(3, 3 + TOKENS).split(1 if limited else TOKENS):
        counter = FlopCounterMode(display=False, depth=None)
        with counter, torch.no_grad():
            output = model(input_ids=ids[None], past_key_values=cache, use_cache=limited)
        cache = output.get("past_key_values")
        counts = counter.get_flop_counts()
        found += Counter({str(key): each for key, each in counts["Global"].items()})
        recurrences += sum(recurrence(model, counts))
    # norms and biases are parameters that are not multiplied as matrices are
    decoder = model.get_base_model().get_decoder()
    vectors = sum(each.numel() for each in decoder.parameters() if each.ndim == 1)
    matrices = 2 * (shape.matrix_parameters - vectors + shape.head_parameters) * TOKENS
    attention = sum(
        2 * each.number * each.width * (each.attended(TOKENS) if limited else TOKENS**2)
        for each in shape.attention
    )
    counted = sum(found.values()) - recurrences
    assert counted == pytest.approx(matrices + attention, rel=0.02)


def recurrence(model: Any, counts: Any) -> Iterator[int]:
    """What the recurrent modules multiply themselves, and not by a module within them."""
    import torch

    def total(name: str) -> int:
        return sum(counts.get(f"PeftModelForCausalLM.{name}", {}).values())

    for name, module in model.named_modules():
        if any(isinstance(child, torch.nn.Conv1d) for child in module.children()):
            convolved = counts[f"PeftModelForCausalLM.{name}"].get(torch.ops.aten.convolution, 0)
            own = total(name) - sum(
                total(f"{name}.{child}") for child, _ in module.named_children()
            )
            yield own - convolved
