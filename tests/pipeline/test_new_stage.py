"""The page that says how to add a stage is followed to the letter, and the stage runs."""

import json
import re
from pathlib import Path

import pytest

from tests.support.commands import ROOT, run

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/howto/new-stage.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^   ```(?:python|yaml)\n(.*?)^   ```$", re.MULTILINE | re.DOTALL)
FILES = (
    "src/vestibular/lengths/__init__.py",
    "src/vestibular/lengths/lengths.py",
    "stages/lengths.py",
)


def blocks() -> list[str]:
    """The page's code, without the indentation of the list that it stands in."""
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in BLOCK.findall(PAGE)]


def replace(path: Path, old: str, new: str) -> None:
    """Put a text into a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_stage_of_the_page_runs(clone: Path) -> None:
    """From the demo's answers; its figures are those that the files give."""
    *code, graph = blocks()
    for name, text in zip(FILES, code, strict=True):
        assert f"`{name}`" in PAGE
        (clone / name).parent.mkdir(exist_ok=True)
        (clone / name).write_text(text, encoding="utf-8")
    replace(clone / "dvc.yaml", "\nartifacts:", f"\n{graph}\nartifacts:")
    line = '"vestibular.modeling | '
    replace(clone / "pyproject.toml", line, f'"vestibular.lengths | {line[1:]}')
    names = ("gpt2-tiny", "gpt2-mini", "opt-tiny")
    run(clone, "dvc", "pull", "--quiet", *(f"metrics/predictions/{name}.jsonl" for name in names))
    run(clone, "dvc", "repro", "--single-item", "lengths")
    found = json.loads((clone / "metrics/lengths.json").read_text(encoding="utf-8"))["words"]
    assert set(found) == set(names)
    for name in names:
        lines = (clone / f"metrics/predictions/{name}.jsonl").read_text("utf-8").splitlines()
        answers = [json.loads(row)["answer"] for row in lines]
        assert found[name] == pytest.approx(sum(map(len, map(str.split, answers))) / len(answers))
    run(clone, "lint-imports")
