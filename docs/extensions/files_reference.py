"""The reference of the files that stages write, from the docstrings of their formats."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, TypeVar

from pydantic import TypeAdapter

import vestibular
from extensions.schemas import Schema, in_words, one_line, reference, schema_of
from vestibular.core.file_formats import FileFormat
from vestibular.core.questions import Question
from vestibular.core.settings import Settings

T = TypeVar("T")

INTERNAL = {
    # marks a checkpoint of a training as whole; imports torch
    "vestibular.training.progress",
}
"""Modules whose formats no user reads."""
QUESTIONS = "A question a line: `Question` in `vestibular/core/questions.py`."
PATH = re.compile(r"`([^`]+)`")


def as_markdown() -> str:
    """Return a section for each format, with a table of its fields."""
    prepared = ["## `data/prepared/<split>.jsonl`\n", f"{QUESTIONS}\n", *_table(_questions(), {})]
    return "\n".join([*prepared, *(line for form in formats() for line in _section(form))])


def formats() -> list[type[FileFormat]]:
    """Return all formats, by the modules that define them."""
    for name in modules():
        importlib.import_module(name)
    return sorted(_below(FileFormat), key=lambda form: (form.__module__, form.__name__))


def modules() -> list[str]:
    """Return the names of the modules that define a format, without importing any other."""
    found = []
    for module in pkgutil.walk_packages(vestibular.__path__, "vestibular."):
        if module.ispkg or module.name in INTERNAL:
            continue
        spec = module.module_finder.find_spec(module.name, None)
        source = spec.loader.get_source(module.name)  # type: ignore[union-attr]
        if "(FileFormat):" in source:
            found.append(module.name)
    return found


def _below(form: type[T]) -> set[type[T]]:
    return {each for one in form.__subclasses__() for each in ({one} | _below(one))}


def _questions() -> Schema:
    """Return the schema of a prepared question: of a plain dataclass, whose docstrings are read."""
    schema: dict[str, Any] = TypeAdapter(Question).json_schema()
    (definition,) = ast.parse(inspect.getsource(Question)).body
    for field, said in pairwise(definition.body):  # type: ignore[attr-defined]
        if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr):
            name = ast.unparse(field.target)
            schema["properties"][name]["description"] = ast.literal_eval(said.value)
    return schema


def _section(form: type[FileFormat]) -> Iterator[str]:
    schema = schema_of(form)
    groups = dict(schema.get("$defs", {}))
    path = PATH.search(schema["description"])
    title = f"`{path[1]}`" if path else form.__name__
    yield f"## {title}\n"
    if schema["description"].rstrip(".") != title:
        yield f"{schema['description']}\n"
    place = f"{form.__module__.replace('.', '/')}.py"
    yield f"Version {form.VERSION}: `{form.__name__}` in `{place}`.\n"
    yield from _table(schema, groups)
    known = {each.__name__ for each in (*formats(), *_below(Settings))}
    for name in _used(schema, groups):
        group = groups[name]
        # a value of one kind; or another file's content, or settings, which are explained there
        if "properties" not in group or name in known:
            continue
        yield f"### {group['title']} in {title}\n"
        yield f"{group.get('description', '')}\n"
        yield from _table(group, groups)


def _table(schema: Schema, groups: dict[str, Schema]) -> Iterator[str]:
    yield "| field | value | meaning |\n|---|---|---|"
    for name, value in schema["properties"].items():
        # said above the table
        if name == "version":
            continue
        cells = (f"`{name}`", in_words(value, groups), one_line(value.get("description", "")))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    yield ""


def _used(schema: Schema, groups: dict[str, Schema]) -> list[str]:
    """Return the groups within a value, the nearest first."""
    found: dict[str, None] = {}
    waiting = [dict(schema.get("properties", {}))]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, dict):
            name = reference(value)
            if name is not None and name not in found:
                found[name] = None
                waiting.append(groups[name].get("properties", {}))
            waiting += list(value.values())
        elif isinstance(value, list):
            waiting += value
    return list(found)
