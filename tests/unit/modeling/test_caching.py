"""The buffered cache against transformers' own, which concatenates."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers.cache_utils import DynamicLayer

from vestibular.modeling.caching import BufferedLayer, buffered_cache

pytestmark = pytest.mark.slow


def states(rows: int, tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of `tokens`, whose sizes differ, as in some architectures."""
    return torch.randn(rows, 2, tokens, 4), torch.randn(rows, 2, tokens, 6)


@pytest.mark.parametrize("room", [3, 40])
def test_a_buffer_holds_what_concatenation_gives(room: int) -> None:
    """Whatever comes, in whatever order rows leave, with room enough and without."""
    torch.manual_seed(0)
    ours, theirs = BufferedLayer(room), DynamicLayer()
    for tokens, order in ((5, None), (1, [0, 1, 5, 3]), (1, [3, 0, 0]), (2, [0, 2]), (1, None)):
        came = states(theirs.keys.shape[0] if theirs.keys is not None else 6, tokens)
        for mine, expected in zip(ours.update(*came), theirs.update(*came), strict=True):
            assert torch.equal(mine, expected)
        if order is not None:
            for layer in (ours, theirs):
                layer.reorder_cache(torch.tensor(order))  # type: ignore[arg-type]
        assert ours.get_seq_length() == theirs.get_seq_length()
        assert torch.equal(ours.keys, theirs.keys)  # type: ignore[arg-type]


def test_a_step_copies_its_own_tokens_alone() -> None:
    """As long as there is room, and rows that leave make others move only into their places."""
    layer = BufferedLayer(20)
    keys, _ = layer.update(*states(6, 5))
    start = keys.data_ptr()
    layer.reorder_cache(torch.tensor([0, 1, 5, 3]))  # type: ignore[arg-type]
    keys, _ = layer.update(*states(4, 1))
    assert keys.data_ptr() == start


def test_a_text_goes_to_its_rows_and_what_follows_behind_the_longest() -> None:
    """Shorter texts leave a gap of zeros, which no mask lets through."""
    layer = BufferedLayer(10)
    (long, long_values), (short, short_values) = states(1, 5), states(1, 2)
    layer.put(3, [0, 2], long, long_values)
    layer.put(3, [1], short, short_values)
    layer.show(5)
    more = states(3, 1)
    keys, values = layer.update(*more)
    expected = torch.cat([short[0], torch.zeros(2, 3, 4), more[0][1]], dim=1)
    assert torch.equal(keys[1], expected)
    assert torch.equal(values[2], torch.cat([long_values[0], more[1][2]], dim=1))


def test_a_layer_with_other_states_has_no_buffer(tiny_model: Callable[[str], Any]) -> None:
    """An architecture that keeps more than keys and values is asked with its own cache."""
    assert buffered_cache(tiny_model("gpt2"), 8) is not None
    from transformers import Qwen3NextConfig

    class Hybrid:
        config = Qwen3NextConfig(num_hidden_layers=2, layer_types=["linear_attention"] * 2)

    assert buffered_cache(Hybrid(), 8) is None
