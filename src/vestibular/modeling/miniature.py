"""A small random model of an architecture, to find out what holds for every model of it.

It is made from a model's own configuration: the same kinds of layers, heads, positions and masks,
with two layers of each kind, few words and few experts. Windows and chunks are short, so that a
short text is longer than they are. Its weights are drawn so that attention and routing decide
something: freshly initialised weights attend to all tokens nearly alike, and nothing would show.
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
"""Words that a miniature knows, at most."""
REACH = 16
"""Tokens in a window or a chunk, at most."""
LONGEST = 128
"""Tokens that a miniature takes, at least."""
GAIN = 1.4
"""Standard deviation of what a matrix makes of inputs whose standard deviation is 1."""
NOISE = 0.2
"""Standard deviation of what is added to biases and norms."""

FEW = 16
"""Layers of a miniature, at most, where lists in the configuration tell all kinds apart."""

REACHES = re.compile(r"window|(^|_)chunk|chunk_(size|length)$|^local_attention$")
INNER = re.compile(r"(^|_)(intermediate_size|ffn_dim|ffn_hidden_size|n_inner|ffn_intermediate)")
LAYERS = re.compile(r"_layers$|^first_k_dense_replace$")
PLACES = re.compile(r"layers$|layer_ids$|idxs?$|ind(ic|ex)es$")
"""Names of numbers in a configuration, by what they say; they are the same in all families."""

CANNOT_BE_BUILT = (
    *(AttributeError, TypeError, ValueError, RuntimeError, LookupError, ImportError),
    *(AssertionError, NotImplementedError),
)
"""What comes of a configuration that no model can be built from."""


def miniature(config: PreTrainedConfig, inner: int | None = None, per_kind: int = 2) -> Any:
    """Build a small model of the architecture that `config` describes, in float32 on the CPU.

    Args:
        config: a model's configuration; it stays as it is.
        inner: width of feed-forward blocks, their own if None.
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
    """Return a copy of a configuration, cut down to the least that shows how the model works."""
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
    """Return what stands in a miniature's configuration instead of a value, often the same."""
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
    """Return two experts more than a token goes to, in as many groups as before."""
    known = experts(part)
    wanted = (known[1] if known else number) + 2
    groups = getattr(part, "n_group", None) or getattr(part, "num_expert_group", None) or 1
    # each group has two at least, and those groups that are chosen hold enough
    chosen = getattr(part, "topk_group", None) or groups
    size = max(-(-wanted // int(chosen)), 2 if groups > 1 else 1)
    return min(number, size * groups)


@dataclass(frozen=True)
class Kept:
    """Which layers are kept, and what becomes of the numbers of layers of some sort."""

    places: tuple[int, ...]
    counts: Literal["same", "in proportion", "first", "last"]
    """Such a number stays, shrinks with the layers, or counts those kept of the first so many
    layers, or of the last: a configuration does not tell which layers it is about."""


def layers_to_keep(config: PreTrainedConfig, per_kind: int = 2) -> Kept:
    """Return the fewest layers that show everything that is in a decoder.

    One layer of each kind and then a second one, where lists in the configuration decide what a
    layer is; some of each in their order, where numbers of layers do as well; or else the first
    layers, where the model's own code decides. What is built of them is compared with the whole.
    """
    number = config.get_text_config(decoder=True).num_hidden_layers
    kinds = _kinds(config, number)
    places: dict[Any, list[int]] = {}
    for place, kind in enumerate(kinds):
        places.setdefault(kind, []).append(place)
    told = len({listed for listed, _ in kinds}) == len(places)
    most = min(number, FEW + 1) if told else number
    # what a layer is made of may depend on how many there are: the lists have to do then, as
    # they have to where the whole cannot be built
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
    """Yield what might be kept of layers, given the places of each kind, the fewest first."""
    turns = [[each[turn] for each in kinds if turn < len(each)] for turn in range(per_kind)]
    in_turn = tuple(place for turn in turns for place in turn)
    yield Kept(in_turn, "in proportion")
    yield Kept(tuple(sorted(in_turn)), "first")
    yield Kept(tuple(sorted(in_turn)), "last")
    for fewer in range(2, most):
        yield Kept(tuple(range(fewer)), "same")


def _kinds(config: PreTrainedConfig, number: int) -> list[Any]:
    """Describe each layer by what the configuration lists for it and by what it is made of."""
    text = config.get_text_config(decoder=True)
    own = _own(text)
    lists = [*_lists(text, number).values(), [own.get(place) for place in range(number)]]
    described = [tuple(map(repr, each)) for each in zip(*lists, strict=True)]
    try:
        built = structures(skeleton(config), number)
    except CANNOT_BE_BUILT:
        # the lists have to do: what has been cut from it may well be built
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
    """Return the lists that say something about each layer; those of layers' places do not."""
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
        # some configurations compare a list with the number of layers at once
        object.__setattr__(part, name, changed)
    part.num_hidden_layers = left
    _set_own(part, {new: own[place] for new, place in enumerate(kept.places) if place in own})


def _own(part: PreTrainedConfig) -> dict[int, dict[str, Any]]:
    """Return the values that layers have of their own, by a layer's place."""
    if not part.is_heterogeneous:
        return {}
    return {int(place): own for place, own in part.to_dict()["per_layer_config"].items()}


def _set_own(part: PreTrainedConfig, own: dict[int, dict[str, Any]]) -> None:
    if part.is_heterogeneous:
        part.per_layer_config = dict(own.items())


def enliven(model: nn.Module) -> None:
    """Draw weights with which attention is far from even, and no bias or norm is plain.

    Each matrix keeps the distribution that its architecture gives it, at another scale. What is
    neither a matrix nor a bias nor a norm (the states of recurrent layers) stays as initialised.
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
    # experts lie one above the other in tensors of three dimensions
    known = isinstance(module, nn.Linear | Conv1D | nn.Embedding)
    return known or (parameter.ndim == 3 and not isinstance(module, nn.Conv1d))


def _inputs(module: nn.Module, parameter: Tensor) -> int:
    return parameter.shape[0] if isinstance(module, Conv1D) else parameter.shape[-1]
