"""The registry, in a temporary clone with a local DVC remote."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import ROOT, run
from tests.support.commands import run as run_command
from tests.support.repositories import git
from vestibular.commands.registry_commands import print_table
from vestibular.core.errors import DataError
from vestibular.registry import checks
from vestibular.registry.tags import full_name, version_tag

VESTIBULAR = (sys.executable, "-m", "vestibular", "registry")

DVC_YAML = """
stages:
  select:
    cmd: python make.py
    deps: [make.py, choice.json]
    outs: [models/production]
    metrics:
      - metrics/leaderboard.json: {cache: false}
      - metrics/selection.json: {cache: false}
artifacts:
  qa-model: {path: models/production, type: model}
"""
MAKE = """
import json, pathlib, shutil
choice = json.loads(pathlib.Path("choice.json").read_text())
folder = pathlib.Path("models/production")
folder.mkdir(parents=True, exist_ok=True)
model = {
    "version": 2, "candidate": choice["name"], "base": {"base_model": "b", "sha256": "c" * 64},
    "loading": {"method": "lora", "quantization": "none", "precision": "float32", "max_length": 9},
    "prompt": {"template": "{context}{question}", "answer_prefix": " ", "chat": False},
    "max_new_tokens": 5, "window_overlap": 0.5, "unanswerable": None, "seed": 1,
    "train": {}, "before": {"em": 0.0, "f1": 0.1}, "after": choice["scores"], "data": {},
}
training = {
    "questions": 1, "shortened": 0, "steps": 1, "batching": "padded", "max_tokens_per_batch": 9,
    "gradient_checkpointing": False, "run": choice["name"] * 2,
}
(folder / "model.json").write_text(json.dumps(model))
(folder / "training.json").write_text(json.dumps(training))
(folder / "weights").write_text(choice["name"])
pathlib.Path("metrics").mkdir(exist_ok=True)
pathlib.Path("metrics/leaderboard.json").write_text(json.dumps({"winner": choice["name"]}))
verdict = {"promoted": choice["promoted"], "reason": choice["reason"]}
pathlib.Path("metrics/selection.json").write_text(json.dumps(verdict))
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose only stage puts a model into production, with a local DVC remote."""
    folder = tmp_path / "original"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    (folder / "make.py").write_text(MAKE, encoding="utf-8")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "Ana Prado")
    git(folder, "config", "user.email", "ana@example.org")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "dvc", "config", "core.analytics", "false")
    run(folder, "dvc", "remote", "add", "--quiet", "--default", "local", str(tmp_path / "remote"))
    return folder


@pytest.fixture
def choose(repository: Path) -> Callable[..., None]:
    """Run the stage with another winner, commit, and push the files."""

    def work(name: str, f1: float, promoted: bool = True, push: bool = True) -> None:
        choice = {
            "name": name,
            "scores": {"em": f1 / 2, "f1": f1},
            "promoted": promoted,
            "reason": "below the overlap sentence" if not promoted else "the best",
        }
        (repository / "choice.json").write_text(json.dumps(choice), encoding="utf-8")
        run(repository, "dvc", "repro", "--quiet")
        git(repository, "add", "--all")
        git(repository, "commit", "--quiet", f"--message={name}")
        if push:
            run(repository, "dvc", "push", "--quiet")

    return work


def registry(folder: Path, *arguments: str, status: int = 0) -> "subprocess.CompletedProcess[str]":
    return run_command(folder, *VESTIBULAR, *arguments, status=status)


@pytest.mark.slow
def test_versions_are_promoted_and_rolled_back(
    repository: Path, choose: Callable[..., None], tmp_path: Path
) -> None:
    """Three versions, promotions and rollbacks; then a fresh clone downloads by stage."""
    for name, f1 in (("first", 0.5), ("second", 0.6), ("third", 0.7)):
        choose(name, f1)
        registry(repository, "register")
    assert git(repository, "tag", "--list").split() == [
        *("qa-model@v0.1.0", "qa-model@v0.2.0", "qa-model@v0.3.0")
    ]
    for version in ("v0.1.0", "v0.2.0", "0.3.0"):
        registry(repository, "promote", version, "--reason", f"try {version}")
    # the second rollback goes on to the first version, and not back to the third
    assert "v0.2.0 is in production, before it v0.3.0" in registry(repository, "rollback").stdout
    back = registry(repository, "rollback", "--reason", "v0.2.0 rambles")
    assert "v0.1.0 is in production, before it v0.2.0" in back.stdout
    last = registry(repository, "rollback", status=2)
    assert (
        "v0.1.0 is in production, and none was before it (v0.2.0, v0.3.0 came after it and "
        "were rolled back); nothing to roll back to. `vestibular registry promote" in last.stderr
    )

    # who, when, why and the scores stand in the tag itself
    message = git(repository, "cat-file", "tag", "qa-model#production#5")
    assert "tagger Ana Prado <ana@example.org>" in message
    assert "Reason: v0.2.0 rambles" in message
    assert "F1: 0.5\n" in message
    assert "Candidate: first" in message

    listed = registry(repository, "list").stdout.splitlines()
    assert len(listed) == 4
    assert listed[1].split()[:5] == ["v0.1.0", "first", "0.250", "0.500", "production"]
    assert listed[3].split()[4] == "-"
    history = registry(repository, "history").stdout.splitlines()
    assert len(history) == 1 + 3 + 3 + 2
    assert "rollback" in history[1]
    assert "v0.2.0 rambles" in history[1]
    assert all("Ana Prado" in line and "ana@" not in line for line in (listed[1], history[1]))

    # promoted after a rollback, the chain goes on from there
    registry(repository, "promote", "v0.3.0")
    assert "v0.1.0 is in production, before it v0.3.0" in registry(repository, "rollback").stdout

    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    registry(clone, "download", "--stage", "production", str(tmp_path / "got"))
    assert (tmp_path / "got/weights").read_text(encoding="utf-8") == "first"
    registry(clone, "download", "--version", "0.3.0", str(tmp_path / "newest"))
    assert (tmp_path / "newest/weights").read_text(encoding="utf-8") == "third"
    assert git(clone, "status", "--porcelain") == ""

    # a folder in use is left alone; a stage that nothing is in, a version that is not there
    used = registry(clone, "download", str(tmp_path / "got"), status=2)
    assert "exists already" in used.stderr
    nowhere = registry(clone, "download", "--stage", "staging", str(tmp_path / "x"), status=2)
    assert "no version is in staging" in nowhere.stderr
    absent = registry(clone, "download", "--version", "v9.0.0", str(tmp_path / "x"), status=2)
    assert "no such version (v0.1.0, v0.2.0, v0.3.0)" in absent.stderr

    # a clone that lacks the first tags has the rest of the history
    git(clone, "tag", "--delete", *(f"qa-model#production#{number}" for number in (1, 2, 3, 6)))
    assert "nothing to roll back to" in registry(clone, "rollback", status=2).stderr
    assert len(registry(clone, "history").stdout.splitlines()) == len(history) - 2

    # without the remote's files the message says so, and nothing is left behind
    shutil.rmtree(tmp_path / "remote")
    shutil.rmtree(clone / ".dvc/cache", ignore_errors=True)
    shutil.rmtree(clone / ".dvc/tmp", ignore_errors=True)
    gone = registry(clone, "download", str(tmp_path / "x"), status=2)
    assert "neither in DVC's cache nor in a remote" in gone.stderr
    assert "Traceback" not in gone.stderr
    assert not (tmp_path / "x").exists()
    assert not list(tmp_path.glob(".x*"))


@pytest.mark.slow
def test_a_folders_versions_bear_its_name(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As GTO has it; where the project is a repository of its own, and where there is none, not."""
    monkeypatch.chdir(repository)
    assert full_name("qa-model") == "qa-model"
    assert version_tag("qa-model", "v0.1.0") == "qa-model@v0.1.0"
    folder = repository / "exams/law"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert full_name("qa-model") == "exams/law:qa-model"
    assert version_tag("exams/law:qa-model", "v0.1.0") == "exams/law=qa-model@v0.1.0"
    monkeypatch.chdir(repository.parent)
    assert full_name("qa-model") == "qa-model"


@pytest.mark.slow
def test_a_tag_of_gtos_own_command_counts(repository: Path, choose: Callable[..., None]) -> None:
    """Without a number, too: somebody may promote by GTO's command and by the simple form."""
    choose("first", 0.5)
    registry(repository, "register")
    options = ("--version", "v0.1.0", "--stage", "staging", "--simple", "true")
    run(repository, "gto", "assign", "qa-model", *options)
    assert git(repository, "tag", "--list").split() == ["qa-model#staging", "qa-model@v0.1.0"]
    assert registry(repository, "list").stdout.splitlines()[1].split()[4] == "staging"


@pytest.mark.slow
def test_a_stage_taken_away_by_gtos_own_command_is_not_held(
    repository: Path, choose: Callable[..., None]
) -> None:
    """As `gto show` has it, the version before is in the stage again, and then none is."""
    for name, f1 in (("first", 0.5), ("second", 0.6)):
        choose(name, f1)
        registry(repository, "register")
    for version in ("v0.1.0", "v0.2.0"):
        registry(repository, "promote", version)

    def stages() -> list[str]:
        lines = registry(repository, "list").stdout.splitlines()[1:]
        return [line.split()[4] for line in lines]

    assert stages() == ["-", "production"]
    run(repository, "gto", "deprecate", "qa-model", "v0.2.0", "production")
    assert "v0.1.0" in run(repository, "gto", "show", "qa-model#production").stdout
    assert stages() == ["production", "-"]
    assert "unassign" in registry(repository, "history").stdout
    run(repository, "gto", "deprecate", "qa-model", "v0.1.0", "production")
    assert stages() == ["-", "-"]
    nowhere = registry(repository, "download", "x", status=2)
    assert "no version is in production" in nowhere.stderr
    back = registry(repository, "rollback", status=2)
    assert "no version is in production; nothing to roll back" in back.stderr
    registry(repository, "promote", "v0.2.0")
    assert stages() == ["-", "production"]


@pytest.fixture
def two_clones(repository: Path, choose: Callable[..., None], tmp_path: Path) -> tuple[Path, Path]:
    """Two people's clones, in which each has registered the same commit, and both have pushed."""
    choose("start", 0.4)
    registry(repository, "register")
    choose("first", 0.5)
    git(tmp_path, "clone", "--quiet", "--bare", str(repository), "shared")
    clones = tmp_path / "one", tmp_path / "other"
    for clone in clones:
        git(tmp_path, "clone", "--quiet", str(tmp_path / "shared"), str(clone))
        git(clone, "config", "user.name", clone.name)
        git(clone, "config", "user.email", f"{clone.name}@example.org")
        run(clone, "dvc", "pull", "--quiet")
    for clone, bump in zip(clones, ("patch", "minor"), strict=True):
        registry(clone, "register", "--bump", bump)
        git(clone, "push", "--quiet", "origin", "--tags")
    for clone in clones:
        git(clone, "fetch", "--quiet", "--tags")
    return clones


@pytest.mark.slow
def test_a_commit_registered_in_two_clones_stays_in_use(
    repository: Path, two_clones: tuple[Path, Path], tmp_path: Path
) -> None:
    """Listed, promoted, downloaded, rolled back; and every command says what is doubled."""
    one, other = two_clones
    assert git(one, "tag", "--list") == git(other, "tag", "--list")
    listed = registry(one, "list")
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == [
        *("v0.1.0", "v0.1.1", "v0.2.0")
    ]
    note = "v0.1.1 and v0.2.0 are one commit"
    assert note in listed.stderr
    for version in ("v0.1.1", "v0.2.0"):
        said = registry(one, "promote", version)
        assert f"qa-model {version} is in production" in said.stdout
        assert note in said.stderr
    # the tag itself says which of the two: GTO's own would leave it open
    assert [line.split()[4] for line in registry(one, "list").stdout.splitlines()[1:]] == [
        *("-", "-", "production")
    ]
    git(one, "push", "--quiet", "origin", "--tags")
    git(other, "fetch", "--quiet", "--tags")
    history = registry(other, "history")
    assert [line.split()[3] for line in history.stdout.splitlines()[1:3]] == ["v0.2.0", "v0.1.1"]
    for arguments, folder in ((("--stage", "production"), "a"), (("--version", "v0.1.1"), "b")):
        got = registry(other, "download", *arguments, str(tmp_path / folder))
        assert note in got.stderr
        assert (tmp_path / folder / "weights").read_text(encoding="utf-8") == "first"
    back = registry(other, "rollback")
    assert "v0.1.1 is in production, before it v0.2.0" in back.stdout
    assert note in back.stderr
    # nothing is half done: a refusal leaves no tag
    tags = git(other, "tag", "--list")
    registry(other, "promote", "v0.1.1", status=2)
    registry(other, "register", status=2)
    assert git(other, "tag", "--list") == tags


@pytest.mark.slow
def test_what_the_note_names_ends_the_double(two_clones: tuple[Path, Path]) -> None:
    """The version that was never in a stage is deleted by the commands as they stand there."""
    one, _ = two_clones
    registry(one, "promote", "v0.2.0")
    note = registry(one, "list").stderr
    assert "To keep only v0.2.0" in note
    for command in re.findall(r"git (?:push|tag) [^,\n]*'", note):
        run(one, *shlex.split(command))
    assert registry(one, "list").stderr == ""
    assert "v0.1.1" not in git(one, "ls-remote", "--tags", "origin")
    assert [line.split()[0] for line in registry(one, "list").stdout.splitlines()[1:]] == [
        *("v0.1.0", "v0.2.0")
    ]


@pytest.mark.slow
def test_a_stage_given_by_gto_before_the_double_is_the_one_that_was_there(
    repository: Path, choose: Callable[..., None]
) -> None:
    """A tag that names no version is about the newest of its commit at that time."""
    choose("first", 0.5)
    registry(repository, "register")
    run(repository, "gto", "assign", "qa-model", "--version", "v0.1.0", "--stage", "production")
    later = {"GIT_COMMITTER_DATE": "2099-01-01T00:00:00"}
    subprocess.run(
        ["git", "tag", "--annotate", "--message=x", "qa-model@v0.2.0"],
        cwd=repository,
        env={**os.environ, **later},
        check=True,
    )
    assert [line.split()[4] for line in registry(repository, "list").stdout.splitlines()[1:]] == [
        *("production", "-")
    ]


@pytest.mark.slow
def test_a_shallow_clone_makes_no_tag(
    repository: Path, choose: Callable[..., None], tmp_path: Path
) -> None:
    """It lacks the tags of earlier commits, whose names it would give once more."""
    choose("first", 0.5)
    registry(repository, "register")
    choose("second", 0.6)
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")
    clone = tmp_path / "shallow"
    git(clone, "config", "user.name", "Ana")
    git(clone, "config", "user.email", "ana@example.org")
    run(clone, "dvc", "pull", "--quiet")
    refused = registry(clone, "register", status=2)
    assert "git fetch --unshallow --tags" in refused.stderr
    assert git(clone, "tag", "--list") == ""
    listed = registry(clone, "list")
    assert "this clone is shallow" in listed.stderr
    advice = refused.stderr.partition("run: ")[2].split()
    run(clone, *advice)
    assert "v0.2.0: second" in registry(clone, "register").stdout
    assert registry(clone, "list").stderr == ""


@pytest.mark.slow
def test_what_select_refused_is_promoted_only_by_force(
    repository: Path, choose: Callable[..., None]
) -> None:
    """The refusal's reason is told; with force and a reason both are kept."""
    choose("weak", 0.1, promoted=False)
    registry(repository, "register")
    refused = registry(repository, "promote", "v0.1.0", status=2)
    assert "`select` promoted nothing at this commit: below the overlap sentence" in refused.stderr
    silent = registry(repository, "promote", "v0.1.0", "--force", status=2)
    assert "give a reason" in silent.stderr
    assert git(repository, "tag", "--list").split() == ["qa-model@v0.1.0"]
    registry(repository, "promote", "v0.1.0", "--force", "--reason", "a first trial")
    message = git(repository, "cat-file", "tag", "qa-model#production#1")
    assert "Against-selection: below the overlap sentence" in message
    assert "Reason: a first trial" in message


@pytest.mark.slow
def test_only_a_commit_that_others_can_have_is_registered(
    repository: Path, choose: Callable[..., None]
) -> None:
    """Changed files, changed outputs, files that are not pushed, a second version of a commit."""
    choose("first", 0.5, push=False)
    unpushed = registry(repository, "register", status=2)
    assert "not in the DVC remote yet" in unpushed.stderr
    run(repository, "dvc", "push", "--quiet")

    text = (repository / "make.py").read_text(encoding="utf-8")
    (repository / "make.py").write_text(text + "\n", encoding="utf-8")
    dirty = registry(repository, "register", status=2)
    assert "make.py: changed since the last commit" in dirty.stderr
    git(repository, "commit", "--all", "--quiet", "--message=Change")
    stale = registry(repository, "register", status=2)
    assert "make.py (modified): differs from dvc.lock" in stale.stderr
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")

    (repository / "models/production/weights").unlink()
    broken = registry(repository, "register", status=2)
    assert "models/production" in broken.stderr
    shutil.rmtree(repository / "models/production")
    run(repository, "dvc", "checkout", "--quiet")
    registry(repository, "register")
    twice = registry(repository, "register", status=2)
    assert "this commit is already registered as v0.1.0" in twice.stderr
    again = registry(repository, "promote", "v0.2.0", status=2)
    assert "v0.2.0: no such version (v0.1.0)" in again.stderr
    registry(repository, "promote", "v0.1.0")
    held = registry(repository, "promote", "v0.1.0", status=2)
    assert "is already in production" in held.stderr
    odd = registry(repository, "promote", "v0.1.0", "--stage", "Pro Duction", status=2)
    assert odd.stderr.count("\n") == 1


@pytest.mark.slow
def test_without_a_remote_it_is_said(repository: Path, choose: Callable[..., None]) -> None:
    """A version that nobody else can have is registered with a note."""
    run(repository, "dvc", "remote", "remove", "local")
    choose("first", 0.5, push=False)
    assert "no DVC remote is set up" in registry(repository, "register").stderr


@pytest.mark.slow
@pytest.mark.parametrize("relative", [True, False])
def test_a_version_is_older_than_the_remote(
    repository: Path, choose: Callable[..., None], tmp_path: Path, relative: bool
) -> None:
    """Its files are pushed later, to a folder by either kind of path, and downloaded elsewhere."""
    run(repository, "dvc", "remote", "remove", "local")
    choose("first", 0.5, push=False)
    registry(repository, "register")
    nowhere = registry(repository, "push", "--version", "v0.1.0", status=2)
    assert "dvc remote add --default NAME ADDRESS" in nowhere.stderr
    choose("second", 0.6, push=False)
    address = "../later" if relative else str(tmp_path / "later")
    run(repository, "dvc", "remote", "add", "--quiet", "--default", "later", address)
    git(repository, "commit", "--all", "--quiet", "--message=Name the remote")
    pushed = registry(repository, "push", "--version", "v0.1.0")
    assert pushed.stdout.startswith("qa-model v0.1.0: ")
    assert registry(repository, "push", "--version", "v0.1.0").stdout == "up to date\n"
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    registry(clone, "download", "--version", "v0.1.0", str(tmp_path / "got"))
    assert (tmp_path / "got/weights").read_text(encoding="utf-8") == "first"


@pytest.mark.slow
def test_results_outside_git_are_refused(repository: Path, choose: Callable[..., None]) -> None:
    """`git commit --all` leaves new files out, a new project's results among them."""
    choose("first", 0.5)
    git(repository, "rm", "--quiet", "--cached", "metrics/selection.json")
    (repository / "notes.txt").write_text("my own", encoding="utf-8")
    git(repository, "commit", "--quiet", "--message=Lose it")
    refused = registry(repository, "register", status=2)
    assert "metrics/selection.json: not in git" in refused.stderr
    assert "git add . && git commit" in refused.stderr
    git(repository, "add", "metrics")
    git(repository, "commit", "--quiet", "--message=Find it")
    # a file of the user's own is no result
    registry(repository, "register")


def test_a_remote_that_is_silent_is_waited_for_no_longer(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts, and says nothing: one message, and no hang."""
    # in DVC's place: it lists a remote, and waits for it
    program = in_folder / "python"
    program.write_text('#!/bin/sh\n[ "$3" = remote ] && echo local || exec sleep 60\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(checks, "REMOTE_SECONDS", 0.5)
    with pytest.raises(DataError, match=r"the DVC remote: no answer within 0.5 s"):
        checks.check_pushed()


@pytest.mark.slow
def test_without_a_name_nothing_is_tagged(
    repository: Path, choose: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The registry records who: git must know."""
    choose("first", 0.5)
    for key in ("user.name", "user.email"):
        git(repository, "config", "--unset", key)
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    nobody = registry(repository, "register", status=2)
    assert 'git config user.name "Your Name"' in nobody.stderr
    assert git(repository, "tag", "--list") == ""


def test_the_registry_says_where_it_is_not(tmp_path: Path) -> None:
    """Outside a git repository the message is one line."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for command in (["list"], ["history"], ["rollback"], ["download", "x"]):
        result = registry(tmp_path, *command, status=2)
        assert "not a git repository" in result.stderr, command
        assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_fresh_clone_answers_with_the_model_in_production(
    reproduced_project: Path, tmp_path: Path
) -> None:
    """The real pipeline: register, promote, clone, download, answer."""
    project = reproduced_project
    run(project, "dvc", "remote", "add", "--default", "local", str(tmp_path / "remote"))
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message=Run")
    run(project, "dvc", "push", "--quiet")
    registry(project, "register")
    registry(project, "promote", "v0.1.0")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(project), str(clone))
    registry(clone, "download", "--stage", "production", str(tmp_path / "model"))

    def answer(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
        return run(
            folder,
            *(sys.executable, "-m", "vestibular", "answer", *options),
            *("--context", "-", "Quem dirige o programa Aurora?"),
            text="O programa Aurora é dirigido por Ana Prado.",
        )

    # the last run's model is the one in production
    here = answer(project)
    assert here.stderr.startswith("models/production: ")
    assert here.stderr.count("\n") == 1
    # once it is another's, that is said
    record = project / "models/production/training.json"
    content = record.read_text(encoding="utf-8").replace('"run": "', '"run": "x')
    record.unlink()
    record.write_text(content, encoding="utf-8")
    assert "note: the registry has v0.1.0, another model, in production" in answer(project).stderr
    shutil.rmtree(project)

    said = answer(clone, "--model", str(tmp_path / "model"))
    assert said.stdout == here.stdout
    assert said.stdout.count("\n") == 1
    assert said.stderr.count("\n") == 1
    # or without a download of one's own: by stage or by version, fetched once
    assert answer(clone, "--stage", "production").stdout == said.stdout
    shutil.rmtree(tmp_path / "remote")
    assert answer(clone, "--version", "0.1.0").stdout == said.stdout


def test_a_long_reason_is_wrapped_in_its_own_column(capsys: pytest.CaptureFixture[str]) -> None:
    """Tables fit 100 columns; no word is lost."""
    reason = " ".join(f"word-{number}" for number in range(40))
    print_table([["when", "by", "why"], ["today", "Ana Maria Prado de Sá e Melo", reason]])
    printed = capsys.readouterr().out.splitlines()
    assert max(map(len, printed)) <= 100
    assert len(printed) > 4
    column = printed[0].index("why")
    assert "Melo" in printed[2]
    assert {line[:column].strip() for line in printed[3:]} == {""}
    assert " ".join(line[column:] for line in printed[1:]) == reason
