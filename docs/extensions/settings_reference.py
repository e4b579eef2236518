"""The reference of `params.yaml`, from the docstrings of the settings."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from extensions.schemas import Schema, in_words, reference, schema_of
from vestibular.params.project import Params

OVERRIDES = "candidates.<name>"


def as_markdown() -> str:
    """Return a section for each group of `params.yaml`, and an entry for each setting."""
    return "\n".join(_sections(Params))


def _sections(model: type[BaseModel]) -> Iterator[str]:
    schema = schema_of(model)
    groups = schema["$defs"]
    yield "## At the top level\n"
    for key, value in schema["properties"].items():
        if _group(value) is None:
            yield _entry(key, value, key in schema["required"], groups)
    for key, value in schema["properties"].items():
        if _group(value) is not None:
            yield from _section(key, value, groups)


def _section(key: str, setting: Schema, groups: dict[str, Schema]) -> Iterator[str]:
    """Yield a group's heading and its settings, then the groups within it."""
    name = _group(setting)
    group = groups[name]
    yield f"{'#' * (2 + min(1, key.count('.')))} {key}\n"
    yield f"{setting.get('description') or group['description']}\n"
    if name == "Candidate":
        yield (
            "Any setting of [train](#train) may stand here too, in the place of the one that all "
            "candidates share.\n"
        )
    below = {}
    for field, value in group["properties"].items():
        place = f"{OVERRIDES if key == 'candidates' else key}.{field}"
        # a candidate's `train` is not written: its settings stand beside `base_model`
        if name == "Candidate" and field == "train":
            continue
        if _group(value) is not None:
            below[place] = value
        else:
            yield _entry(place, value, field in group.get("required", ()), groups)
    for place, value in below.items():
        yield from _section(place, value, groups)


def _group(value: Schema) -> str | None:
    """Return the name of the group that a setting is, or maps names to."""
    for each in (value, *value.get("anyOf", ()), value.get("additionalProperties")):
        if isinstance(each, dict) and (name := reference(each)) is not None:
            return name
    return None


def _entry(key: str, value: Schema, required: bool, groups: dict[str, Schema]) -> str:
    lines = [f"```{{confval}} {key}", f":type: {in_words(value, groups)}"]
    if not required:
        lines.append(f":default: {_default(value.get('default'))}")
    return "\n".join([*lines, "", value.get("description", ""), "```\n"])


def _default(value: Any) -> str:
    return "none" if value is None else f"`{json.dumps(value)}`"
