"""The project where users keep it: folders of any name, repositories of any kind, other disks."""

import shutil
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.repositories import git
from tests.support.settings import change

pytestmark = pytest.mark.slow

ODD = "Provas (cópia) & d'água #2 $HOME"
"""A folder's name that shells, URLs and templates have uses of their own for."""


def renamed(clone: Path) -> Path:
    """The folder has another name."""
    return clone.rename(clone.parent / ODD)


def separated(clone: Path) -> Path:
    """What git keeps lies elsewhere; a file says where."""
    git(clone, "init", "--quiet", "--separate-git-dir", "../kept by git")
    assert (clone / ".git").is_file()
    return renamed(clone)


def linked(clone: Path) -> Path:
    """A second work tree of the repository, on a branch of its own."""
    git(clone, "worktree", "add", "--quiet", "-b", "other", f"../{ODD}")
    return clone.parent / ODD


def within(clone: Path) -> Path:
    """A submodule of another repository."""
    outer = clone.parent / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    local = ("-c", "protocol.file.allow=always")
    git(outer, *local, "submodule", "--quiet", "add", str(clone), ODD)
    for key, value in (("user.name", "Ana"), ("user.email", "ana@example.org")):
        git(outer / ODD, "config", key, value)
    return outer / ODD


@pytest.mark.parametrize("place", [separated, linked, within])
def test_a_project_is_one_wherever_it_lies(clone: Path, place: object) -> None:
    """Outputs are pulled, found up to date, compared, registered and asked."""
    assert callable(place)
    project = place(clone)
    run(project, "dvc", "pull", "--quiet")
    assert git(project, "status", "--porcelain") == ""
    assert "No changes." in run(project, "dvc", "data", "status").stdout
    head = git(project, "rev-parse", "HEAD").strip()
    said = run(project, "vestibular", "report").stdout
    assert said.splitlines()[1] == f"commit {head}"
    # a browser finds the page by it
    assert said.startswith(f"{(project / 'metrics/report.html').as_uri()}\n")
    compared = run(project, "vestibular", "compare", "HEAD").stdout
    assert "settings, data, base and code are the same" in compared
    # where the code has changed since the demo ran, its outputs count as that code's here
    run(project, "dvc", "commit", "--force", "--quiet")
    git(project, "commit", "--quiet", "--all", "--allow-empty", "--message=Run")
    run(project, "vestibular", "registry", "register")
    assert git(project, "tag", "--list").strip() == "qa-model@v0.1.0"
    assert "v0.1.0" in run(project, "vestibular", "registry", "list").stdout
    question = ("vestibular", "answer", "--context", "-", "Quem dirige?")
    assert run(project, *question, text="Ana Prado dirige o programa.").stdout.strip()


def test_a_project_without_git_goes_through(clone: Path) -> None:
    """A downloaded archive: DVC is told that there is no git, and all that needs none is done."""
    shutil.rmtree(clone / ".git")
    run(clone, "dvc", "config", "core.no_scm", "true")
    run(clone, "dvc", "config", "--unset", "core.autostage")
    run(clone, "dvc", "pull", "--quiet")
    run(clone, "dvc", "repro", "--quiet", "--force", "--single-item", "prepare")
    assert "up to date" in run(clone, "dvc", "status", "prepare").stdout
    assert "gpt2-mini" in run(clone, "vestibular", "leaderboard").stdout
    said = run(clone, "vestibular", "report").stdout
    assert "commit unknown" in said
    for command in (("compare", "HEAD"), ("registry", "register")):
        error = run(clone, "vestibular", *command, status=2).stderr
        assert error.count("\n") == 1


@pytest.mark.parametrize("how", ["its path", "a link", "a link to a file"])
def test_data_on_another_disk_are_watched(clone: Path, tmp_path: Path, how: str) -> None:
    """Outside the repository, by their path or by a link: a change there is noticed."""
    elsewhere = tmp_path / "disk/questions"
    elsewhere.parent.mkdir()
    inside = clone / "demo/data"
    shutil.copytree(inside, elsewhere)
    source = str(elsewhere) if how == "its path" else "data/mine"
    if how == "a link":
        (clone / "data/mine").symlink_to(elsewhere)
    elif how == "a link to a file":
        (clone / "data/mine").mkdir()
        for name in ("train.json", "dev.json"):
            (clone / "data/mine" / name).symlink_to(elsewhere / name)
    change(clone, {"data.source": source})
    run(clone, "dvc", "repro", "--quiet", "--single-item", "prepare")
    assert "up to date" in run(clone, "dvc", "status", "prepare").stdout
    with (elsewhere / "dev.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert "changed deps" in run(clone, "dvc", "status", "prepare").stdout
