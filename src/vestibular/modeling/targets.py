"""Where an adapter goes if the settings leave it open.

That is what peft knows to be usual for an architecture, or else every linear module of the text
decoder's layers: not its head, not routers and experts, never a tower for images or sound.
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
"""Modules as peft takes them: names that a module's path ends with, or one pattern of it all."""

ROUTER = re.compile(r"(^|_)(gate|router)$")
"""Last part of the name of a module that chooses experts."""


def usual_targets(model: Any) -> Targets:
    """Return the modules of a model that an adapter goes to if nobody names others.

    Args:
        model: a causal language model, on any device; it stays as it is.
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
    """Return the beginning of the names of all modules of a model's text decoder."""
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
            # what it does with its matrix is its own: some product by groups, say
            continue
        path = name.removeprefix(within).split(".")
        chooses = known is not None and getattr(module, "out_features", None) == known[0]
        routes = chooses or ROUTER.search(path[-1])
        # a layer's number stands in the path of all that belongs to one
        in_layer = any(part.isdigit() for part in path)
        if in_layer and module is not head and "experts" not in path and not routes:
            chosen.append(name)
    return _taken(model, chosen)


def _taken(model: Any, chosen: list[str]) -> list[str]:
    """Return those of the modules that peft puts an adapter on, and on nothing else for them.

    It refuses what fused kernels read past an adapter, and takes some names of one expert's
    matrices for those of all experts.
    """
    names = sorted({_last(name) for name in chosen})
    kinds = [[name for name in chosen if _last(name) == last] for last in names]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with torch.device("meta"):
                # the configuration is of a part, for some, and tells not which class is meant
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
        # the same names outside the text decoder are for `described` to leave out
        return chosen if all(_last(name) in names for name in found) else []
    return [name for kind in kinds for name in _taken(model, kind)] if len(kinds) > 1 else []


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def described(chosen: list[str], everything: list[str]) -> Targets:
    """Return the shortest description of some modules that fits no other one.

    Args:
        chosen: full names of the modules to describe.
        everything: full names of all linear modules of the model.
    """
    last = sorted({_last(name) for name in chosen})
    if {name for name in everything if _last(name) in last} == set(chosen):
        return tuple(last)
    # the same modules of every layer, by their paths
    found: dict[str, set[str]] = {}
    for name in chosen:
        before, after = re.split(r"\.\d+\.", name, maxsplit=1)
        found.setdefault(before, set()).add(after)
    return "|".join(
        rf"{re.escape(before)}\.\d+\.({'|'.join(map(re.escape, sorted(after)))})"
        for before, after in sorted(found.items())
    )


def unknown_names(model: Any, targets: Targets) -> list[str]:
    """Return those of a list of names that no module of a model has; peft takes one as enough.

    Args:
        model: the model, on any device.
        targets: modules as peft takes them; a text is a pattern, or a word for several modules,
            and peft itself says if it fits none.
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
    """Return modules without those of a kind that an adapter does nothing on.

    Args:
        targets: the modules, as peft takes them.
        idle: full names of the modules to leave out; their like in other layers go too.
        model: the model that they are in.
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
