"""What the project's own files say of its packages and stages."""

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import yaml

ROOT = Path(__file__).parents[2]
LIBRARY = "vestibular"
CODE = "${code}/"
"""How a stage of `dvc.yaml` names a package of the library."""


@cache
def layers() -> list[list[str]]:
    """Return the lines of packages that the import contract names, the highest first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (lines,) = [each["layers"] for each in contracts if each["type"] == "layers"]
    return [
        [name.strip().removeprefix(f"{LIBRARY}.") for name in line.split("|")] for line in lines
    ]


@cache
def stages() -> dict[str, Any]:
    """Return the definitions of the pipeline's stages, by name."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    return {name: stage.get("do", stage) for name, stage in found["stages"].items()}


def first_sentence(package: str) -> str:
    """Return what a package says of itself in the first sentence of its docstring."""
    path = ROOT / "src" / LIBRARY / package / "__init__.py"
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")


@cache
def imported() -> dict[str, list[str]]:
    """Return for each package those that its modules import, in the order of the lines."""
    graph = grimp.build_graph(LIBRARY, cache_dir=None)
    names = [name for line in layers() for name in line]
    found = {}
    for name in names:
        modules = graph.find_descendants(f"{LIBRARY}.{name}")
        targets = {
            target.split(".")[1]
            for module in modules
            for target in graph.find_modules_directly_imported_by(module)
            if target.count(".") > 1
        }
        found[name] = [each for each in names if each in targets - {name}]
    return found


def stages_of(package: str) -> list[str]:
    """Return the stages that run again after an edit of a package, in the pipeline's order."""
    found = [name for name, stage in stages().items() if f"{CODE}{package}" in stage["deps"]]
    return sorted(found, key=depth)


def depth(stage: str) -> int:
    """Return how many stages have to run before a stage, one after the other."""
    return max((1 + depth(writer) for writer, reader in edges() if reader == stage), default=0)


@cache
def edges() -> list[tuple[str, str]]:
    """Return which stage writes what another one reads, as pairs of names."""
    outputs = {
        name: [_path(each) for kind in ("outs", "metrics", "plots") for each in stage.get(kind, [])]
        for name, stage in stages().items()
    }
    return [
        (writer, reader)
        for reader, stage in stages().items()
        for writer, written in outputs.items()
        if writer != reader
        and any(_meet(_path(path), other) for path in stage["deps"] for other in written)
    ]


def _path(entry: Any) -> tuple[str, ...]:
    """Return the parts of a path, without the one that names a candidate."""
    path = next(iter(entry)) if isinstance(entry, dict) else entry
    return tuple(part for part in path.split("/") if "${" not in part)


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Say whether one path is the other or a folder that it lies in."""
    shared = min(len(one), len(other))
    return shared > 0 and one[:shared] == other[:shared]
