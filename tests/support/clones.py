"""Clones of the project that are small enough to run."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.support.commands import ROOT, run
from tests.support.settings import change

MadeOnce = Callable[[str, Callable[[Path], None]], Path]


def clone_project(clone: Path) -> None:
    """Copy the working tree, shorten its questions, and commit both."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        # a run's results stay behind: the clone makes its own
        result = name.startswith(("dvc.lock", "metrics/")) and not name.endswith(".gitkeep")
        if (ROOT / name).is_file() and not result:
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    few_questions(clone / "demo/data/train.json", 12)
    few_questions(clone / "demo/data/dev.json", 3)
    change(clone, {"train.epochs": 2, "train.checkpoint_steps": 5})
    # so short a training beats no reference point
    change(clone, {"select.allow_below_reference": True})
    commit_first(clone)
    # the shortened questions are what the demo's own pipeline has "made"
    run(clone, "dvc", "commit", "--force", "--quiet", "demo/dvc.yaml")
    subprocess.run(["git", "commit", "--all", "--quiet", "--message=Data"], cwd=clone, check=True)


def commit_first(folder: Path) -> None:
    """Make a folder a repository, with all that it holds in its first commit."""
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["config", "user.name", "Test"],
        ["config", "user.email", "test@example.org"],
        ["add", "--all"],
        ["commit", "--quiet", "--message=Start"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)


def few_questions(path: Path, documents: int) -> None:
    """Cut a SQuAD file down to its first documents."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["data"] = content["data"][:documents]
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
