"""What is declared is what is imported, and what may break is held back."""

import ast
import importlib
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.commands import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUN_BY_DVC = ("src/vestibular", "stages", "demo")
"""What `dvc repro` runs; the demo's stages make its questions and bases."""
OWN = {"vestibular", "neptune_server", "stages", *(path.stem for path in ROOT.glob("demo/*.py"))}
NEEDED_BY_OTHERS = {
    "accelerate": "transformers' Trainer, and loading onto a device",
    "bitsandbytes": "transformers' and peft's 8 and 4 bit",
    "alembic": "mlflow-skinny, for a database as its tracking address",
    "sqlalchemy": "mlflow-skinny, for a database as its tracking address",
}
"""Packages that nothing here imports, and what imports them."""


def declared(requirements: Iterable[str]) -> dict[str, Requirement]:
    """Requirements by their canonical names."""
    found = map(Requirement, requirements)
    return {canonicalize_name(each.name): each for each in found}


BASE = declared(PROJECT["dependencies"])
EXTRAS = PROJECT["optional-dependencies"]


def sources(*folders: str) -> list[Path]:
    """All modules below folders."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def distributions(paths: Iterable[Path]) -> set[str]:
    """The packages that files import from, by the names that they are installed by."""
    named = packages_distributions()
    top = {name.split(".")[0] for path in paths for name in imports(path)}
    outside = top - set(sys.stdlib_module_names) - OWN
    return {canonicalize_name(each) for name in outside for each in named.get(name, [name])}


def test_all_that_is_imported_is_declared() -> None:
    """By the project itself, and not by luck by another package; MLflow is an extra."""
    optional = {name for name in declared(EXTRAS["mlflow"]) if name not in NEEDED_BY_OTHERS}
    used = distributions(sources(*RUN_BY_DVC))
    assert used - set(BASE) == optional


def test_the_server_declares_its_own() -> None:
    """It stands alone: whoever only pushes to a server installs nothing of it."""
    used = distributions(sources("src/neptune_server"))
    assert used == set(declared(EXTRAS["neptune-server"]))


def test_nothing_else_is_declared() -> None:
    """A package that nothing imports is there for another one, which is named."""
    used = distributions(sources(*RUN_BY_DVC))
    assert set(BASE) - used == {name for name in NEEDED_BY_OTHERS if name in BASE}
    assert set(NEEDED_BY_OTHERS) <= {*BASE, *declared(EXTRAS["mlflow"])}


def private_overrides() -> list[tuple[str, str, str]]:
    """Methods of ours that replace another package's private ones: class, method, package."""
    found = []
    for path in sources("src", "stages"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        origins = {
            alias.asname or alias.name: (str(node.module), alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and not node.level
            for alias in node.names
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.ClassDef):
                continue
            methods = {
                each.name
                for each in node.body
                if isinstance(each, ast.FunctionDef)
                and each.name.startswith("_")
                and not each.name.startswith("__")
            }
            for base in node.bases:
                module, name = origins.get(ast.unparse(base), ("", ""))
                top = module.split(".")[0]
                if methods and top and top not in {*OWN, *sys.stdlib_module_names}:
                    parent = getattr(importlib.import_module(module), name)
                    found += [(node.name, each, top) for each in methods if hasattr(parent, each)]
    return found


@pytest.mark.slow
def test_a_package_whose_private_methods_are_replaced_is_held_below_its_next_version() -> None:
    """They may change in any minor version, and nothing would say so."""
    overrides = private_overrides()
    assert ("QuestionTrainer", "_get_train_sampler", "transformers") in overrides
    named = packages_distributions()
    everything = BASE | declared(EXTRAS["mlflow"]) | declared(EXTRAS["neptune-server"])
    for _, _, top in overrides:
        requirement = everything[canonicalize_name(named[top][0])]
        bounds = {each.operator: each.version for each in requirement.specifier}
        assert set(bounds) == {">=", "<"}, requirement
        lowest, highest = (
            [int(number) for number in bounds[operator].split(".")[:2]] for operator in (">=", "<")
        )
        assert highest == [lowest[0], lowest[1] + 1], requirement
