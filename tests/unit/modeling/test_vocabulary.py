"""The output head's product in parts is the same product."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vestibular.modeling import vocabulary
from vestibular.modeling.vocabulary import vocabulary_in_parts

pytestmark = pytest.mark.slow


def model_with(head: nn.Module | None) -> SimpleNamespace:
    return SimpleNamespace(get_output_embeddings=lambda: head)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("tokens", [7, 64, 100])
@pytest.mark.parametrize("shape", [(5, 3), (1, 1), (1, 4), (9,)])
def test_the_logits_are_those_of_one_product(
    monkeypatch: pytest.MonkeyPatch, bias: bool, tokens: int, shape: tuple[int, ...]
) -> None:
    """Against double precision; a vocabulary that is no multiple of a part, or smaller than one."""
    monkeypatch.setattr(vocabulary, "PART", 32)
    torch.manual_seed(0)
    head = nn.Linear(16, tokens, bias=bias)
    hidden = torch.randn(*shape, 16)
    right = nn.functional.linear(
        hidden.double(), head.weight.double(), head.bias.double() if bias else None
    )
    with torch.inference_mode(), vocabulary_in_parts(model_with(head)):
        found = head(hidden)
    assert found.shape == right.shape
    torch.testing.assert_close(found.double(), right.detach(), rtol=1e-5, atol=1e-6)


def test_the_head_is_as_it_was_afterwards() -> None:
    """After an error, too: the next training needs its gradients."""
    head = nn.Linear(4, 6)

    class StopError(Exception):
        pass

    with pytest.raises(StopError), vocabulary_in_parts(model_with(head)):
        assert "forward" in vars(head)
        raise StopError
    assert "forward" not in vars(head)
    assert head(torch.randn(2, 4)).requires_grad


@pytest.mark.parametrize(
    "head",
    [None, nn.Linear(4, 6).bfloat16(), nn.Embedding(6, 4), type("Own", (nn.Linear,), {})(4, 6)],
)
def test_other_heads_are_left_alone(head: nn.Module | None) -> None:
    """In half precision, of a model's own kind, or none."""
    with vocabulary_in_parts(model_with(head)):
        assert head is None or "forward" not in vars(head)
