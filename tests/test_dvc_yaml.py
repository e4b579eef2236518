"""The graph in `dvc.yaml` says what the code does."""

import ast
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from vestibular.core.params import EvaluateSettings, TrainSettings

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def imported(path: Path) -> set[Path]:
    """The library's modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("vestibular")
        ):
            parts = node.module.split(".")[1:]
            folder = Path(ROOT, "src/vestibular", *parts)
            if folder.is_dir():
                found |= {folder / f"{alias.name}.py" for alias in node.names}
            else:
                found.add(folder.with_suffix(".py"))
    return found


def reached(path: Path) -> set[Path]:
    """The modules that a file imports, and those that they import."""
    seen: set[Path] = set()
    waiting = imported(path)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting |= imported(module)
    return seen


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_code_that_it_runs(name: str) -> None:
    """The script and every module that it reaches are dependencies, and no other module is."""
    stage = STAGES[name].get("do", STAGES[name])
    script = ROOT / "stages" / f"{stage['cmd'].split()[2].removeprefix('stages.')}.py"
    expected = {str(path.relative_to(ROOT)) for path in {script, *reached(script)}}
    declared = {path for path in stage["deps"] if path.endswith(".py")}
    assert declared == expected


@pytest.mark.parametrize("name", [name for name in STAGES if name.startswith("train")])
def test_a_training_depends_on_all_its_settings_but_the_list_of_seeds(name: str) -> None:
    """A further seed or fold must not train anew what is trained already."""
    stage = STAGES[name].get("do", STAGES[name])
    named = {key for key in stage["params"] if key.startswith("train.")}
    assert named == {f"train.{key}" for key in TrainSettings.model_fields if key != "seeds"}


@pytest.mark.parametrize("name", [name for name in STAGES if name.startswith("evaluate")])
def test_an_exam_depends_on_all_its_settings_but_the_lists(name: str) -> None:
    """Neither does it examine anew what is examined already."""
    stage = STAGES[name].get("do", STAGES[name])
    named = {key for key in stage["params"] if key.startswith(("train.", "evaluate."))}
    assert named == {
        *(f"train.{key}" for key in TrainSettings.model_fields if key != "seeds"),
        *(f"evaluate.{key}" for key in EvaluateSettings.model_fields if key != "folds"),
    }


def test_stages_do_not_import_each_other() -> None:
    """Data flows through files alone."""
    for path in (ROOT / "stages").glob("*.py"):
        assert "from stages" not in path.read_text(encoding="utf-8")
        assert "import stages" not in path.read_text(encoding="utf-8")


def test_only_params_reads_the_settings() -> None:
    """No other module parses YAML."""
    for path in [*(ROOT / "stages").glob("*.py"), *(ROOT / "src").rglob("*.py")]:
        if path.name != "params.py":
            assert "import yaml" not in path.read_text(encoding="utf-8")
