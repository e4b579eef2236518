"""Default modules for an adapter.

These are the modules that peft knows as usual for an architecture, or else every linear module in
the text decoder's layers: not the head, not routers and experts, never an image or audio tower.
"""

import re
import warnings
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN
from torch import nn
from transformers.pytorch_utils import Conv1D

from vestibular.modeling.configuration import experts, text_decoder

Targets = str | tuple[str, ...]
"""Modules as peft takes them: name suffixes, or one pattern for the whole name."""

ROUTER = re.compile(r"(^|_)(gate|router)$")
"""Name of a module that selects experts."""


def usual_targets(model: Any) -> Targets:
    """Return a model's default modules for an adapter.

    Args:
        model: a causal language model, on any device; not modified.
    """
    within = decoder_name(model)
    text = model.config.get_text_config(decoder=True)
    usual = KNOWN.get(model.config.model_type) or KNOWN.get(text.model_type)
    if isinstance(usual, str):
        return usual
    everything = [name for name, each in model.named_modules() if _is_linear(each)]
    if usual:
        chosen = [name for name in everything if _last(name) in usual]
    else:
        chosen = _linear_in_layers(model, everything, within)
    return described([name for name in chosen if name.startswith(within)], everything)


def decoder_name(model: Any) -> str:
    """Return the common prefix of the module names in a model's text decoder."""
    decoder = text_decoder(model)
    for name, module in model.named_modules():
        if module is decoder:
            return f"{name}." if name else ""
    return ""


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | Conv1D)


def _linear_in_layers(model: Any, names: list[str], within: str) -> list[str]:
    known = experts(model.config.get_text_config(decoder=True))
    head = model.get_output_embeddings()
    chosen = []
    for name in names:
        module = model.get_submodule(name)
        if isinstance(module, nn.Linear) and type(module).forward is not nn.Linear.forward:
            # it uses its matrix in its own way, such as a grouped product
            continue
        path = name.removeprefix(within).split(".")
        chooses = known is not None and getattr(module, "out_features", None) == known[0]
        routes = chooses or ROUTER.search(path[-1])
        # the path of every part of a layer contains the layer's number
        in_layer = any(part.isdigit() for part in path)
        if in_layer and module is not head and "experts" not in path and not routes:
            chosen.append(name)
    return _taken(model, chosen)


def _taken(model: Any, chosen: list[str]) -> list[str]:
    """Return the modules on which peft puts an adapter, if it uses no others in addition.

    It refuses modules that fused kernels bypass, and matches some names of one expert's matrices
    with those of all experts.
    """
    names = sorted({_last(name) for name in chosen})
    kinds = [[name for name in chosen if _last(name) == last] for last in names]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with torch.device("meta"):
                # for some models this is the configuration of a part, and does not determine the
                # class
                empty = type(model)(model.config)
            adapted = get_peft_model(empty, LoraConfig(task_type="CAUSAL_LM", target_modules=names))
    except (ValueError, TypeError, RuntimeError):
        found = set()
    else:
        found = {
            name.removeprefix("base_model.model.")
            for name, module in adapted.named_modules()
            if isinstance(module, BaseTunerLayer)
        }
    if set(chosen) <= found:
        # `described` excludes the same names outside the text decoder
        return chosen if all(_last(name) in names for name in found) else []
    return [name for kind in kinds for name in _taken(model, kind)] if len(kinds) > 1 else []


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def described(chosen: list[str], everything: list[str]) -> Targets:
    """Return the shortest description of some modules that matches no other.

    Args:
        chosen: full names of the modules to describe.
        everything: full names of all linear modules of the model.
    """
    last = sorted({_last(name) for name in chosen})
    if {name for name in everything if _last(name) in last} == set(chosen):
        return tuple(last)
    # the same modules of every layer, by path
    found: dict[str, set[str]] = {}
    for name in chosen:
        before, after = re.split(r"\.\d+\.", name, maxsplit=1)
        found.setdefault(before, set()).add(after)
    return "|".join(
        rf"{re.escape(before)}\.\d+\.({'|'.join(map(re.escape, sorted(after)))})"
        for before, after in sorted(found.items())
    )


def unknown_names(model: Any, targets: Targets) -> list[str]:
    """Return the names that no module of a model has; for peft one match suffices.

    Args:
        model: the model, on any device.
        targets: modules as peft takes them; a string is a pattern or a keyword, which peft checks
            itself.
    """
    if isinstance(targets, str):
        return []
    names = [name for name, _ in model.named_modules()]
    return [
        target
        for target in targets
        if not any(name == target or name.endswith(f".{target}") for name in names)
    ]


def narrowed(targets: Targets, idle: set[str], model: Any) -> Targets:
    """Return modules without the kinds on which an adapter has no effect.

    Args:
        targets: the modules, as peft takes them.
        idle: full names of the modules to exclude, in all layers.
        model: the model of the modules.
    """
    everything = [name for name, each in model.named_modules() if _is_linear(each)]
    kinds = {re.sub(r"\.\d+\.", ".*.", name) for name in idle}
    chosen = [name for name in everything if _is_targeted(targets, name)]
    return described(
        [name for name in chosen if re.sub(r"\.\d+\.", ".*.", name) not in kinds], everything
    )


def _is_targeted(targets: Targets, name: str) -> bool:
    if isinstance(targets, str):
        return re.fullmatch(targets, name) is not None
    return _last(name) in targets
