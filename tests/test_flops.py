"""What an answer costs: by hand, and against torch's own count of a real forward pass."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import SHAPES

from vestibular.modeling.flops import Shape, flops_per_answer


def test_an_answer_by_hand() -> None:
    """Two questions, every term worked out."""
    shape = Shape(matrix_parameters=100, head_parameters=10, layers=2, width=3)
    # 3 tokens: 2*100*3 + 4*2*3*(1+2+3) + 2*10*(1+1); then 1 token: 200 + 24 + 20
    assert flops_per_answer(shape, [(2, 1), (1, 0)]) == ((600 + 144 + 40) + (200 + 24 + 20)) / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_the_formula_is_what_torch_counts(
    tiny_model: Callable[[str], Any], tmp_path: Any, name: str
) -> None:
    """Torch's counter over a forward pass of the same tokens agrees, for every architecture.

    It counts attention without regard to the causal mask, so that the tokens attended to are
    all of them, and the head at every token.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from vestibular.modeling.counting import arithmetic_shape
    from vestibular.training.adapters import add_adapter
    from vestibular.training.settings import LoraSettings

    base = tiny_model(name)
    base.save_pretrained(tmp_path)
    # the counter does not know the fused attention of CPUs
    base.set_attn_implementation("eager")
    lora = LoraSettings(r=2, alpha=2, dropout=0.0, target_modules="auto")
    model = add_adapter(base, lora, "none").eval()
    shape = arithmetic_shape(tmp_path, model)
    tokens = 40
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(input_ids=torch.arange(3, 3 + tokens)[None])
    # norms and biases are parameters that are not multiplied as matrices are
    vectors = sum(each.numel() for each in model.parameters() if each.ndim == 1)
    matrices = 2 * (shape.matrix_parameters - vectors) * tokens
    attention = 4 * shape.layers * shape.width * tokens**2
    head = 2 * shape.head_parameters * tokens
    assert counter.get_total_flops() == pytest.approx(matrices + attention + head, rel=0.001)
