"""A small random model of an architecture, for tests that hold for every model of it.

It is built from a model's own configuration: the same kinds of layers, heads, positions and masks,
with two layers of each kind, a small vocabulary and few experts. Windows and chunks are shortened,
so that a short text exceeds them. Its weights are drawn so that attention and routing matter:
freshly initialised weights attend to all tokens almost equally, and faults would not show.
"""

import copy
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedConfig
from transformers.pytorch_utils import Conv1D

from vestibular.modeling.configuration import EXPERTS, experts, parts, text_decoder

VOCABULARY = 512
"""Maximum vocabulary size of a miniature."""
REACH = 16
"""Maximum number of tokens in a window or chunk."""
LONGEST = 128
"""Minimum context length of a miniature, in tokens."""
GAIN = 1.4
"""Standard deviation of a matrix's outputs for inputs of standard deviation 1."""
NOISE = 0.2
"""Standard deviation of the noise added to biases and norms."""

FEW = 16
"""Maximum number of layers of a miniature if lists in the configuration tell all kinds apart."""

REACHES = re.compile(r"window|(^|_)chunk|chunk_(size|length)$|^local_attention$")
INNER = re.compile(r"(^|_)(intermediate_size|ffn_dim|ffn_hidden_size|n_inner|ffn_intermediate)")
LAYERS = re.compile(r"_layers$|^first_k_dense_replace$")
PLACES = re.compile(r"layers$|layer_ids$|idxs?$|ind(ic|ex)es$")
"""Names of numbers in a configuration, by meaning; all families use the same ones."""

CANNOT_BE_BUILT = (
    *(AttributeError, TypeError, ValueError, RuntimeError, LookupError, ImportError),
    *(AssertionError, NotImplementedError),
)
"""Errors of a configuration from which no model can be built."""


def miniature(config: PreTrainedConfig, inner: int | None = None, per_kind: int = 2) -> Any:
    """Build a small model of the architecture that `config` describes, in float32 on the CPU.

    Args:
        config: a model's configuration; not modified.
        inner: width of feed-forward blocks; unchanged if None.
        per_kind: layers of each kind.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        small = cut(config, inner, per_kind)
        model = AutoModelForCausalLM.from_config(
            small, dtype=torch.float32, trust_remote_code=False
        )
        enliven(model)
    return model.float().eval()


def skeleton(config: PreTrainedConfig) -> Any:
    """Build a model without weights, on torch's meta device."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, trust_remote_code=False)


def cut(config: PreTrainedConfig, inner: int | None = None, per_kind: int = 2) -> PreTrainedConfig:
    """Return a copy of a configuration, reduced to the minimum that shows how the model works."""
    small: PreTrainedConfig = copy.deepcopy(config)
    text = small.get_text_config(decoder=True)
    _cut_layers(text, layers_to_keep(config, per_kind))
    for part in parts(small):
        if part is not text and part is not small:
            _cut_layers(part, Kept((0, 1), "same"))
        for name, value in list(vars(part).items()):
            changed = _cut_value(part, name, value, inner)
            if changed is not value:
                setattr(part, name, changed)
        _set_own(
            part,
            {
                place: {name: _cut_value(part, name, value, inner) for name, value in own.items()}
                for place, own in _own(part).items()
            },
        )
        for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
            token = getattr(part, name, None)
            if isinstance(token, list) or (isinstance(token, int) and token >= VOCABULARY):
                setattr(part, name, 0)
    return small


def _cut_value(part: PreTrainedConfig, name: str, value: Any, inner: int | None) -> Any:
    """Return the value of a setting in the miniature's configuration, often unchanged."""
    if isinstance(value, float):
        return 0.0 if re.search(r"dropout|pdrop|dropout_prob|jitter", name) else value
    if isinstance(value, list) and inner and INNER.search(name):
        return [min(inner, each) for each in value]
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if name.startswith("vocab_size"):
        return min(VOCABULARY, value)
    if name in ("max_position_embeddings", "n_positions"):
        return max(LONGEST, value)
    if REACHES.search(name) and not LAYERS.search(name):
        return min(REACH, value)
    if inner and INNER.search(name):
        return min(inner, value)
    if EXPERTS.search(name):
        return _fewer_experts(part, value)
    return value


def _fewer_experts(part: PreTrainedConfig, number: int) -> int:
    """Return two experts more than a token uses, in as many groups as before."""
    known = experts(part)
    wanted = (known[1] if known else number) + 2
    groups = getattr(part, "n_group", None) or getattr(part, "num_expert_group", None) or 1
    # each group has at least two, and the chosen groups contain enough
    chosen = getattr(part, "topk_group", None) or groups
    size = max(-(-wanted // int(chosen)), 2 if groups > 1 else 1)
    return min(number, size * groups)


@dataclass(frozen=True)
class Kept:
    """The layers to keep, and how numbers of certain layers change."""

    places: tuple[int, ...]
    counts: Literal["same", "in proportion", "first", "last"]
    """Such a number stays, shrinks in proportion to the layers, or counts the kept ones among the
    first or last layers: a configuration does not say which layers it refers to."""


def layers_to_keep(config: PreTrainedConfig, per_kind: int = 2) -> Kept:
    """Return the fewest layers that show everything in a decoder.

    One layer of each kind and then a second one, if lists in the configuration define the layers;
    some of each kind in order, if numbers of layers do too; otherwise the first layers, if the
    model's own code decides. The layers built from them are compared with the whole model's.
    """
    number = config.get_text_config(decoder=True).num_hidden_layers
    kinds = _kinds(config, number)
    places: dict[Any, list[int]] = {}
    for place, kind in enumerate(kinds):
        places.setdefault(kind, []).append(place)
    told = len({listed for listed, _ in kinds}) == len(places)
    most = min(number, FEW + 1) if told else number
    # the kinds of layers may depend on their number: then only the lists count, as for a model that
    # cannot be built as a whole
    for exact in (True, False) if told else (True,):
        wanted = Counter(kinds if exact else [(listed, ()) for listed, _ in kinds])
        for kept in _candidates(list(places.values()), most, per_kind):
            shorter = copy.deepcopy(config)
            _cut_layers(shorter.get_text_config(decoder=True), kept)
            shown = _kinds(shorter, len(kept.places))
            if not exact or not any(built for _, built in kinds):
                shown = [(listed, ()) for listed, _ in shown]
            count = Counter(shown)
            if all(count[kind] >= min(per_kind, whole) for kind, whole in wanted.items()):
                return kept
    return Kept(tuple(range(number)), "same")


def _candidates(kinds: list[list[int]], most: int, per_kind: int) -> Iterator[Kept]:
    """Yield sets of layers to keep, given the positions of each kind, the fewest first."""
    turns = [[each[turn] for each in kinds if turn < len(each)] for turn in range(per_kind)]
    in_turn = tuple(place for turn in turns for place in turn)
    yield Kept(in_turn, "in proportion")
    yield Kept(tuple(sorted(in_turn)), "first")
    yield Kept(tuple(sorted(in_turn)), "last")
    for fewer in range(2, most):
        yield Kept(tuple(range(fewer)), "same")


def _kinds(config: PreTrainedConfig, number: int) -> list[Any]:
    """Describe each layer by the configuration's lists and by its modules."""
    text = config.get_text_config(decoder=True)
    own = _own(text)
    lists = [*_lists(text, number).values(), [own.get(place) for place in range(number)]]
    described = [tuple(map(repr, each)) for each in zip(*lists, strict=True)]
    try:
        built = structures(skeleton(config), number)
    except CANNOT_BE_BUILT:
        # use the lists alone: a reduced configuration may still be buildable
        built = [()] * number
    return list(zip(described, built, strict=True))


def structures(model: Any, number: int) -> list[Any]:
    """Describe each layer of a decoder by its modules and the shapes of its parameters."""
    for within in (text_decoder(model), model):
        for module in within.modules():
            if isinstance(module, nn.ModuleList) and len(module) == number:
                return [
                    (
                        tuple((name, type(part).__name__) for name, part in layer.named_modules()),
                        tuple((name, tuple(each.shape)) for name, each in layer.named_parameters()),
                    )
                    for layer in module
                ]
    return [()] * number


def _lists(part: PreTrainedConfig, number: int) -> dict[str, list[Any]]:
    """Return the lists with one item per layer; lists of layer positions are excluded."""
    return {
        name: value
        for name, value in vars(part).items()
        if isinstance(value, list) and len(value) == number and not _is_places(name, value, number)
    }


def _is_places(name: str, value: Any, number: int) -> bool:
    return (
        isinstance(value, list)
        and PLACES.search(name) is not None
        and all(isinstance(each, int) and not isinstance(each, bool) for each in value)
        and all(0 <= each < number for each in value)
        and sorted(set(value)) == value
    )


def _cut_layers(part: PreTrainedConfig, kept: Kept) -> None:
    number, left = getattr(part, "num_hidden_layers", None), len(kept.places)
    if not isinstance(number, int) or number <= left:
        return
    lists, own = _lists(part, number), _own(part)
    for name, value in list(vars(part).items()):
        if name in lists:
            changed: Any = [value[place] for place in kept.places]
        elif _is_places(name, value, number):
            changed = [new for new, place in enumerate(kept.places) if place in value]
        elif LAYERS.search(name) and type(value) is int and 0 < value < number:
            changed = {
                "same": value,
                "in proportion": max(1, round(value * left / number)),
                "first": sum(place < value for place in kept.places),
                "last": sum(place >= number - value for place in kept.places),
            }[kept.counts]
        else:
            continue
        # some configurations validate a list against the number of layers immediately
        object.__setattr__(part, name, changed)
    part.num_hidden_layers = left
    _set_own(part, {new: own[place] for new, place in enumerate(kept.places) if place in own})


def _own(part: PreTrainedConfig) -> dict[int, dict[str, Any]]:
    """Return the values that individual layers have, by layer position."""
    if not part.is_heterogeneous:
        return {}
    return {int(place): own for place, own in part.to_dict()["per_layer_config"].items()}


def _set_own(part: PreTrainedConfig, own: dict[int, dict[str, Any]]) -> None:
    if part.is_heterogeneous:
        part.per_layer_config = dict(own.items())


def enliven(model: nn.Module) -> None:
    """Draw weights for which attention is far from uniform and no bias or norm is trivial.

    Each matrix keeps the distribution of its architecture, at another scale. Parameters other than
    matrices, biases and norms (the states of recurrent layers) stay as initialised.
    """
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim == 1:
                if name in ("weight", "bias"):
                    parameter.data.add_(torch.randn_like(parameter), alpha=NOISE)
                continue
            spread = float(parameter.data.std())
            if spread == 0 or not _is_matrix(module, parameter):
                continue
            inputs = 1 if isinstance(module, nn.Embedding) else _inputs(module, parameter)
            parameter.data.mul_(GAIN / inputs**0.5 / spread)


def _is_matrix(module: nn.Module, parameter: Tensor) -> bool:
    # experts are stacked in three-dimensional tensors
    known = isinstance(module, nn.Linear | Conv1D | nn.Embedding)
    return known or (parameter.ndim == 3 and not isinstance(module, nn.Conv1d))


def _inputs(module: nn.Module, parameter: Tensor) -> int:
    return parameter.shape[0] if isinstance(module, Conv1D) else parameter.shape[-1]
