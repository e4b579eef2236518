"""Values of a model's configuration under the names that many architectures share.

Nothing here imports torch.
"""

import re
from collections.abc import Iterator
from typing import Any

EXPERTS = re.compile(r"^(n|num|moe_num)(_local|_routed)?_experts$")
EXPERTS_USED = re.compile(r"experts_per_tok(en)?$|^moe_topk$|^moe_top_k$|^top_k_experts$")
"""Names of the number of experts in a layer, and of the number used by a token."""


def parts(config: Any) -> Iterator[Any]:
    """Yield a configuration and all nested ones."""
    yield config
    for value in vars(config).values():
        if hasattr(value, "model_type") and hasattr(value, "to_dict"):
            yield from parts(value)


def experts(text: Any) -> tuple[int, int] | None:
    """Return a layer's number of experts and how many of them a token uses; None without experts.

    Args:
        text: configuration of a text decoder.
    """
    values = [(name, each) for name, each in vars(text).items() if type(each) is int]
    number = [each for name, each in values if EXPERTS.search(name)]
    used = [each for name, each in values if EXPERTS_USED.search(name)]
    if not number or max(number) < 2:
        return None
    return max(number), min(max(number), max(used, default=max(number)))


def text_decoder(model: Any) -> Any:
    """Return the module of a causal language model that contains the text layers."""
    found = model.get_decoder()
    # some models call their output head a decoder
    return model.base_model if found is model.get_output_embeddings() else found
