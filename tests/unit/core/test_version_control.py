"""Git where it is missing, refuses, or has not all of the history."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from tests.support.repositories import command, commit_all, git, give_away, without_git
from vestibular.commands.cli import main
from vestibular.core.errors import GitError, NoGitError, NoRepositoryError
from vestibular.core.version_control import (
    check_repository,
    committed_text,
    head_commit,
    is_shallow,
    run_git,
    shallow_commits,
)
from vestibular.tracking.spool import Spool

COMMANDS = (
    ("report",),
    ("compare", "HEAD"),
    ("registry", "list"),
    ("registry", "history"),
    ("registry", "register"),
    ("registry", "promote", "v0.1.0"),
    ("registry", "rollback"),
    ("registry", "download", "x"),
    ("mirror", "--target", "mlflow"),
)
"""Every command that asks git."""


Say = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def say(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in the project, in this process unless it starts others."""

    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        if arguments[0] == "mirror":
            return command(project, variables, "vestibular", *arguments)
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        monkeypatch.chdir(project)
        monkeypatch.setattr("sys.argv", ["vestibular", *arguments])
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, said.out, said.err)

    return run


@pytest.fixture
def project(in_folder: Path) -> Path:
    """A repository with settings, a lock and a report, all committed."""
    folder = in_folder / "project"
    (folder / "metrics").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "metrics/report.html").write_text('<p id="commit">not in this copy</p>')
    (folder / "dvc.lock").write_text("stages: {}\n")
    commit_all(folder, "Start")
    return folder


def test_a_foreign_repository_is_refused_with_what_helps(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that the message names is run as it stands, and git opens the repository."""
    for key, value in give_away(project).items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(project)
    with pytest.raises(GitError, match="belongs to another user") as refused:
        check_repository()
    assert not isinstance(refused.value, NoGitError | NoRepositoryError)
    advice = str(refused.value).partition("run: ")[2]
    subprocess.run(shlex.split(advice), check=True)
    check_repository()
    assert len(head_commit()) == 40


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_foreign_repository_in_one_message(
    project: Path, say: Say, arguments: tuple[str, ...]
) -> None:
    """No traceback of a git library, and no word that there is no repository."""
    said = say(*arguments, **give_away(project))
    assert said.returncode == 2, said.stderr
    assert said.stderr.startswith(f"git: {project}: belongs to another user")
    assert said.stderr.count("\n") == 1
    # the page is there all the same
    assert said.stdout.startswith("file://") == (arguments == ("report",))


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_a_repository_every_command_says_so(
    project: Path, say: Say, arguments: tuple[str, ...]
) -> None:
    """The report is shown and the runs are mirrored; the others end in one line."""
    shutil.rmtree(project / ".git")
    said = say(*arguments, MLFLOW_TRACKING_URI="sqlite:///x.db")
    assert "Traceback" not in said.stderr
    if arguments[0] in ("report", "mirror"):
        assert said.returncode == 0, said.stderr
        assert ("not a git repository" in said.stdout) == (arguments[0] == "report")
    else:
        assert said.returncode == 2
        assert "not a git repository" in said.stderr
        assert said.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_git_every_command_says_so(
    project: Path, say: Say, arguments: tuple[str, ...]
) -> None:
    """What only reads tags does without the program."""
    git(project, "tag", "--annotate", "--message=x", "qa-model@v0.1.0")
    said = say(*arguments, **without_git(project.parent), MLFLOW_TRACKING_URI="sqlite:///x.db")
    assert "Traceback" not in said.stderr
    if arguments in (("registry", "list"), ("registry", "history")):
        assert (said.returncode, said.stderr) == (0, "")
        assert "v0.1.0" in said.stdout
    elif arguments[0] in ("report", "mirror"):
        assert said.returncode == 0, said.stderr
        assert ("git: not found" in said.stdout) == (arguments[0] == "report")
    else:
        assert said.returncode == 2
        assert said.stderr.count("\n") == 1
        # no version is in production here, with git or without
        assert ("git: not found" in said.stderr) == (arguments[1] != "download")


def test_a_report_without_git_is_copied_too(project: Path, say: Say) -> None:
    """The copy says that its commit is unknown, and names no folder of this machine."""
    shutil.rmtree(project / ".git")
    said = say("report", "--output", "copy.html")
    assert said.returncode == 0
    assert (project / "copy.html").read_text() == '<p id="commit">unknown</p>'


@pytest.mark.parametrize("state", ["foreign", "no git", "no repository", "empty", "committed"])
def test_a_spool_is_kept_whatever_git_says(
    project: Path, state: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stage goes on with its spool, which has the commit or the reason why it has none."""
    commit = git(project, "rev-parse", "HEAD").strip()
    variables = {}
    if state == "foreign":
        variables = give_away(project)
    elif state == "no git":
        variables = without_git(project.parent)
    elif state != "committed":
        shutil.rmtree(project / ".git")
    if state == "empty":
        git(project, "init", "--quiet")
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(project)
    spool = Spool("train")
    spool.open("aaaa", "tiny", {})
    spool.close(None)
    lines = [
        json.loads(line)
        for line in Path(".vestibular/spool/aaaa/0001-train.jsonl").read_text().splitlines()
    ]
    assert [line["event"] for line in lines][-1] == "end"
    found = lines[0]["git"]
    if state == "committed":
        assert found == {"commit": commit, "dirty": False}
    elif state == "foreign":
        assert "belongs to another user" in found["unknown"]
    elif state == "no git":
        assert "git: not found" in found["unknown"]
    else:
        assert found == {}
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_stages_run_in_a_foreign_project(prepared_project: Path) -> None:
    """As in a container: settings, data and training do not depend on git."""
    variables = give_away(prepared_project)
    for arguments in (("stages.prepare",), ("stages.train", "gpt2-tiny")):
        said = command(prepared_project, variables, *arguments)
        assert said.returncode == 0, said.stderr
        assert "git" not in said.stderr
    (spool,) = (prepared_project / ".vestibular/spool").rglob("*-train.jsonl")
    assert json.loads(spool.read_text().splitlines()[-1])["event"] == "end"


def test_a_file_of_a_commit_is_told_from_a_commit_that_is_not_here(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None where the commit has no such file; an error where the commit is unknown."""
    monkeypatch.chdir(project)
    assert committed_text("HEAD", "dvc.lock") == "stages: {}\n"
    assert committed_text("HEAD", "metrics/absent.json") is None
    with pytest.raises(GitError, match="0123456"):
        committed_text("0123456" * 5 + "01234", "dvc.lock")
    # from a folder below, as a project within a larger repository is
    monkeypatch.chdir(project / "metrics")
    assert str(committed_text("HEAD", "report.html")).startswith("<p")


def test_a_shallow_clone_is_known(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its history ends at a commit whose parent is not here; a whole one's does not."""
    head = commit_all(project, "More")
    clone = project.parent / "clone"
    git(project.parent, "clone", "--quiet", "--depth=1", f"file://{project}", str(clone))
    for folder, expected in ((clone, {head}), (project, set())):
        monkeypatch.chdir(folder)
        assert is_shallow() == bool(expected)
        assert shallow_commits() == expected


def test_git_is_understood_in_any_language(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of a missing repository is looked at in one language."""
    monkeypatch.setenv("LC_ALL", "pt_BR.UTF-8")
    monkeypatch.setenv("LANGUAGE", "pt_BR")
    shutil.rmtree(project / ".git")
    monkeypatch.chdir(project)
    with pytest.raises(NoRepositoryError):
        run_git("status")
    assert os.environ["LC_ALL"] == "pt_BR.UTF-8"
