"""The recipes of docs/howto/scatter.md, as far as they run without a cluster of their own."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.commands import ROOT

PAGE = (ROOT / "docs/howto/scatter.md").read_text(encoding="utf-8")
CELLS = ("evaluate_base.a-1", "evaluate_base.b-2", "evaluate.a-3", "evaluate_repeat.a-seed-7-4")


def block(heading: str) -> str:
    """Return the first piece of code below a heading."""
    found = re.search(rf"### {heading}.*?```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Cells' folders as a dry run leaves them, whose scripts note that they ran."""
    for name in CELLS:
        folder = tmp_path / ".vestibular/scatter" / name
        folder.mkdir(parents=True)
        (folder / "run.sh").write_text(f"echo {name} >> {tmp_path}/ran\n")
    return tmp_path


def ran(folder: Path) -> list[str]:
    return (folder / "ran").read_text().split()


def in_shell(command: str, folder: Path, **variables: str) -> None:
    subprocess.run(["sh", "-ec", command], cwd=folder, env={**os.environ, **variables}, check=True)


def test_a_shell_runs_the_bases_first(folders: Path) -> None:
    """And then all."""
    lines = [line for line in block("A shell").splitlines() if line.startswith("ls ")]
    in_shell("\n".join(lines), folders)
    assert set(ran(folders)[:2]) == set(CELLS[:2])
    assert set(ran(folders)[2:]) == set(CELLS)


def test_each_pod_of_an_indexed_job_runs_a_cell_of_its_own(folders: Path) -> None:
    """By its number, which Kubernetes gives in a variable."""
    (container,) = yaml.safe_load(block("Kubernetes"))["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["sh", "-c"]
    (script,) = container["args"]
    for index in range(len(CELLS)):
        in_shell(script, folders, JOB_COMPLETION_INDEX=str(index))
    assert sorted(ran(folders)) == sorted(CELLS)


def test_each_job_of_skypilot_runs_a_cell_of_its_own(folders: Path) -> None:
    """By its rank."""
    change, script = yaml.safe_load(block("SkyPilot"))["run"].strip().split("\n")
    assert change == "cd /work/exam"
    for rank in range(len(CELLS)):
        in_shell(script, folders, SKYPILOT_JOB_RANK=str(rank))
    assert sorted(ran(folders)) == sorted(CELLS)


def test_the_matrix_of_github_names_every_cell(folders: Path) -> None:
    """As a list that `fromJSON` reads."""
    jobs = yaml.safe_load(block("GitHub Actions"))["jobs"]
    script = jobs["list"]["steps"][1]["run"].replace("/work/exam/", f"{folders}/")
    in_shell(script, folders, GITHUB_OUTPUT=str(folders / "output"))
    name, _, value = (folders / "output").read_text().strip().partition("=")
    assert name == "cells"
    cells = yaml.safe_load(value)
    assert sorted(cells) == sorted(CELLS)
    (step,) = jobs["cell"]["steps"]
    for cell in cells:
        command = step["run"].replace("${{ matrix.cell }}", cell)
        in_shell(command.replace("/work/exam/", f"{folders}/"), folders)
    assert sorted(ran(folders)) == sorted(CELLS)
