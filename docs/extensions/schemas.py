"""A value's type in words, from the JSON schema that pydantic gives."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = Mapping[str, Any]
"""JSON schema of a value."""

BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}
NAMES = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "null": "null",
}
MINIMUM_LENGTH = ("minLength", "minItems")


def schema_of(model: type[BaseModel]) -> Schema:
    """Return a model's schema; groups within it stand below `$defs`."""
    return model.model_json_schema(by_alias=True)


def reference(schema: Schema) -> str | None:
    """Return the name of the group that a value is, if it is one."""
    return str(schema["$ref"]).rpartition("/")[2] if "$ref" in schema else None


def in_words(schema: Schema, groups: Mapping[str, Schema]) -> str:
    """Say what a value may be.

    Args:
        schema: the value's.
        groups: the definitions that it may refer to, by name.
    """
    if (name := reference(schema)) is not None:
        group = groups[name]
        return f"group `{name}`" if "properties" in group else in_words(group, groups)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return _either([f"`{value}`" for value in schema["enum"]])
    if "anyOf" in schema:
        return _either([in_words(each, groups) for each in schema["anyOf"]])
    kind = schema.get("type")
    if kind == "array":
        items = in_words(schema.get("items", {}), groups)
        return f"list; each item: {items}" if items else "list"
    if kind == "object":
        values = schema.get("additionalProperties")
        below = in_words(values, groups) if isinstance(values, Mapping) else ""
        return f"mapping; each value: {below}" if below else "mapping"
    if kind not in NAMES:
        return "any value"
    bounds = ", ".join(_bounds(schema))
    return f"{NAMES[kind]} ({bounds})" if bounds else NAMES[kind]


def _bounds(schema: Schema) -> list[str]:
    bounds = [f"{word} {schema[key]:,}" for key, word in BOUNDS.items() if key in schema]
    if any(schema.get(key) for key in MINIMUM_LENGTH):
        bounds.append("not empty")
    if "pattern" in schema:
        bounds.append(f"as `{schema['pattern']}`")
    return bounds


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def one_line(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())
