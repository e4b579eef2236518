"""YAML files: read as DVC reads them, and edited in place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from vestibular.core.errors import ParamsError
from vestibular.core.files import atomic_file


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
        # the parser that DVC uses, for YAML 1.2
        constructor, _ = YAML(typ="safe", pure=True).get_constructor_parser(text)
        node = constructor.composer.get_single_node()
        _check(node)
        content = None if node is None else constructor.construct_document(node)
    except MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}:" if error.problem_mark else ""
        raise ParamsError(f"{path}:{line} not YAML: {error.problem}") from None
    except YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {error}") from None
    except RecursionError:
        raise ParamsError(f"{path}: not YAML: it is nested too deeply") from None
    except (ValueError, AttributeError, TypeError) as error:
        # an impossible date, or a tag such as `!!int` on text
        raise ParamsError(f"{path}: not YAML: {error}; put texts in quotes") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: must be a mapping of settings, not {kind(content)}")
    return content


def _check(node: Node | None) -> None:
    """Refuse what the parser accepts: circular values, duplicate keys, and keys of several values.

    Raises:
        MarkedYAMLError: there is such a value or key.
    """
    entered: set[Node] = set()
    left: set[Node] = set()

    def visit(node: Node | None, place: Any) -> None:
        if not isinstance(node, CollectionNode) or node in left:
            return
        if node in entered:
            raise MarkedYAMLError(problem="a value that contains itself", problem_mark=place)
        entered.add(node)
        seen = set()
        for item in node.value:
            if not isinstance(node, MappingNode):
                visit(item, item.start_mark)
                continue
            key, below = item
            if not isinstance(key, ScalarNode):
                raise MarkedYAMLError(
                    problem="a brace or bracket in place of a key; put a text that begins with one "
                    "in quotes",
                    problem_mark=key.start_mark,
                )
            if key.value in seen:
                raise MarkedYAMLError(
                    problem=f"the key {key.value!r} appears twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
            visit(below, key.start_mark)
        left.add(node)

    visit(node, None)


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
        node: Any = YAML(typ="safe", pure=True).compose(text)
        for key in keys[:-1]:
            node = next((below for name, below in node.value if name.value == key), None)
            if not isinstance(node, MappingNode):
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
