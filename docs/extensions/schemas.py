"""A value's type in words, from the JSON schema that pydantic gives."""

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

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


class Described(GenerateJsonSchema):
    """Describes each field by the docstring below it.

    Pydantic does so itself with `use_attribute_docstrings`, but then in every process that imports
    the classes: beside torch, half a second of each command.
    """

    def model_schema(self, schema: Any) -> dict[str, Any]:
        """Return a group's schema with its fields' descriptions."""
        made = super().model_schema(schema)
        model = schema["cls"]
        for name, text in docstrings(model):
            if (field := model.model_fields.get(name)) is not None:
                made["properties"][field.alias or name]["description"] = text
        return made


def docstrings(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Yield each attribute that a docstring follows, with it; those of the bases first."""
    for each in reversed(model.__mro__):
        of = getattr(each, "__pydantic_generic_metadata__", {"origin": each})
        # neither pydantic's own, nor a generic group with its types filled in: it has no source
        if each is BaseModel or of["origin"] is not None or not issubclass(each, BaseModel):
            continue
        definition: Any = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        for attribute, after in pairwise(definition.body):
            if not (isinstance(attribute, ast.AnnAssign) and isinstance(after, ast.Expr)):
                continue
            target, text = attribute.target, after.value
            if (
                isinstance(target, ast.Name)
                and isinstance(text, ast.Constant)
                and isinstance(text.value, str)
            ):
                yield target.id, inspect.cleandoc(text.value)


def schema_of(model: type[BaseModel]) -> Schema:
    """Return a model's schema; groups within it stand below `$defs`."""
    return model.model_json_schema(by_alias=True, schema_generator=Described)


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
