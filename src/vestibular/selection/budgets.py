"""Training settings in which the candidates differ: was the comparison fair?"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vestibular.selection.result import UnequalSetting

NEUTRAL = (
    *("batching", "max_tokens_per_batch", "gradient_checkpointing", "quantization", "precision"),
    *("logging_steps", "validation_steps", "checkpoint_steps", "lora.target_modules"),
)
"""Settings that adapt a model to the machine, name parts of its architecture, or set how often
something is logged."""


def unequal_settings(trained: Mapping[str, Mapping[str, Any]]) -> tuple[UnequalSetting, ...]:
    """Return the settings that were not the same for all candidates.

    Args:
        trained: each candidate's training settings.
    """
    flat = {name: dict(_flat(settings, "")) for name, settings in trained.items()}
    keys = dict.fromkeys(key for settings in flat.values() for key in settings)
    found = []
    for key in keys:
        values = {
            name: json.dumps(settings.get(key), ensure_ascii=False)
            for name, settings in flat.items()
        }
        if key not in NEUTRAL and len(set(values.values())) > 1:
            found.append(UnequalSetting(setting=key, values=values))
    return tuple(found)


def _flat(settings: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
