"""YAML files: read as DVC reads them, and edited in place."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vestibular.core.errors import ParamsError
from vestibular.core.files import atomic_file


class _Loader(yaml.SafeLoader):
    """PyYAML with YAML 1.2's floats, as in DVC, without duplicate keys or circular values."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._open: list[Any] = []
        """Anchors of the values being read."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) and event.anchor in self._open:
            place: Any = event.start_mark
            raise yaml.MarkedYAMLError(problem="a value that contains itself", problem_mark=place)
        return super().compose_node(parent, index)

    def compose_sequence_node(self, anchor: Any) -> yaml.SequenceNode:
        self._open.append(anchor)
        node = super().compose_sequence_node(anchor)
        self._open.pop()
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        self._open.append(anchor)
        # checked before merging: later, merged keys (`<<`) stand next to those that override them
        node = super().compose_mapping_node(anchor)
        self._open.pop()
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a brace or bracket in place of a key; put a text that begins with one "
                    "in quotes",
                    problem_mark=key_node.start_mark,
                )
            if key_node.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key_node.value!r} appears twice",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key_node.value)
        return node


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:float"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# Source: YAML 1.2.2, section 10.3.2, the core schema's regular expressions
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises:
        ParamsError: the file is missing, is not YAML, or is not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(
            f"{path}: not found; run the command in the project's top folder"
        ) from None
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not UTF-8 text ({error.reason})") from None
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> dict[str, Any]:
    """Parse YAML whose top level is a mapping; `path` is named in messages.

    Raises:
        ParamsError: the text is not YAML, or is not a mapping.
    """
    try:
        # the loader derives from SafeLoader
        content = yaml.load(text, _Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise ParamsError(f"{path}:{line} not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {error}") from None
    except RecursionError:
        raise ParamsError(f"{path}: not YAML: it is nested too deeply") from None
    except (ValueError, AttributeError, TypeError) as error:
        # an impossible date, or a tag such as `!!int` on text
        raise ParamsError(f"{path}: not YAML: {error}; put texts in quotes") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: must be a mapping of settings, not {kind(content)}")
    return content


def replace_values(path: Path, values: Mapping[tuple[str, ...], str]) -> None:
    """Replace values at the given keys of a YAML file with texts; keep everything else.

    A missing key is inserted after the first key of its mapping.

    Raises:
        ParamsError: the file is not YAML, a key's mapping is missing, or the value is shared
            through a YAML alias.
    """
    expected = read_yaml(path)
    text = path.read_text(encoding="utf-8")
    edits = []
    for keys, value in values.items():
        node: Any = yaml.compose(text, _Loader)
        for key in keys[:-1]:
            node = next((below for name, below in node.value if name.value == key), None)
            if not isinstance(node, yaml.MappingNode):
                raise ParamsError(f"{path}: {'.'.join(keys)}: no such mapping")
        found = [below for name, below in node.value if name.value == keys[-1]]
        if found:
            edits.append((found[0].start_mark.index, found[0].end_mark.index, value))
            continue
        name, below = node.value[0]
        between = ", " if node.flow_style else f"\n{' ' * name.start_mark.column}"
        end = below.end_mark.index
        edits.append((end, end, f"{between}{keys[-1]}: {value}"))
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + value + text[end:]
    for keys, value in values.items():
        expected = _with_value(expected, keys, value)
    try:
        written = parse_yaml(text, path)
    except ParamsError:
        written = None
    if written != expected:
        wanted = ", ".join(f"{'.'.join(keys)}: {value}" for keys, value in values.items())
        raise ParamsError(
            f"{path}: a value behind a YAML alias or merge cannot be changed without changing "
            f"others; edit by hand: {wanted}"
        )
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _with_value(content: Mapping[str, Any], keys: tuple[str, ...], value: str) -> dict[str, Any]:
    """Return a mapping with one value replaced; leave values shared by an alias unchanged."""
    below = _with_value(content[keys[0]], keys[1:], value) if len(keys) > 1 else value
    return {**content, keys[0]: below}


def kind(value: object) -> str:
    """Return the type of a YAML value in words."""
    return {"NoneType": "nothing", "str": "text", "list": "a list"}.get(
        type(value).__name__, type(value).__name__
    )
