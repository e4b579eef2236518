"""A first project of one's own, command by command, as the documents name them."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, run

from bench.german_questions import write_table
from vestibular.core.files import folder_sha256

pytestmark = pytest.mark.slow

NAMES = ("gpt2-tiny", "opt-tiny")
CONTEXT = "Der Verein Grünau wurde im Jahr 1987 von Jörg Müller gegründet."
QUESTION = "Wer hat den Verein Grünau gegründet?"


def ran(output: str) -> list[str]:
    """The stages that DVC ran, in order."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def status(folder: Path) -> str:
    """What git would have to commit."""
    return run(folder, "git", "status", "--porcelain").stdout


def answered(folder: Path, *options: str) -> tuple[str, str]:
    """The answer to one question, and what is said beside it."""
    result = run(folder, "vestibular", "answer", *options, "--context", "-", QUESTION, text=CONTEXT)
    return result.stdout.strip(), result.stderr


def commit(folder: Path, message: str) -> None:
    """Commit what a run has left."""
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", f"--message={message}")


def test_from_a_clone_to_a_colleague_and_back(project: Path, tmp_path: Path) -> None:
    """Own data and bases, a run, a colleague, a variant and back, a removed candidate, versions."""
    shared = tmp_path / "shared.git"
    run(tmp_path, "git", "clone", "--quiet", "--bare", str(project), str(shared))
    mine = tmp_path / "mine"
    run(tmp_path, "git", "clone", "--quiet", str(shared), str(mine))
    for name, value in (("user.name", "Ana Prado"), ("user.email", "ana@example.org")):
        run(mine, "git", "config", name, value)
    # own data and bases, at the folders that the documents name
    write_table(mine / "data/mine/fragen.csv", 7)
    for name in NAMES:
        shutil.copytree(ROOT / "demo/bases" / name, mine / "models/bases" / name)
    run(mine, "dvc", "add", "data/mine", "models/bases")
    candidates = [option for name in NAMES for option in ("--candidate", f"models/bases/{name}")]
    run(
        mine,
        *("vestibular", "init", "--source", "data/mine", "--language", "de", "--force"),
        *candidates,
    )
    params = mine / "params.yaml"
    text = params.read_text(encoding="utf-8")
    for old, new in (
        # so short a training beats no reference point
        ("epochs: 10", "epochs: 1"),
        ("allow_below_reference: false", "allow_below_reference: true"),
    ):
        assert old in text
        text = text.replace(old, new)
    params.write_text(text, encoding="utf-8")
    run(mine, "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    first = run(mine, "dvc", "repro").stdout
    assert "prepare" in ran(first)
    commit(mine, "First run")
    assert status(mine) == ""
    assert not [
        name
        for name in run(mine, "git", "ls-files", "data", "models").stdout.split()
        if not name.endswith((".dvc", ".gitignore", "README.md"))
    ]
    run(mine, "dvc", "push", "--quiet")
    run(mine, "git", "push", "--quiet")

    # a colleague has all of it, and nothing to do
    theirs = tmp_path / "theirs"
    run(tmp_path, "git", "clone", "--quiet", str(shared), str(theirs))
    run(theirs, "dvc", "pull", "--quiet")
    assert ran(run(theirs, "dvc", "repro").stdout) == []
    assert status(theirs) == ""
    assert answered(theirs)[0] == answered(mine)[0]

    # a variant, and back
    before = {name: folder_sha256(mine / name) for name in ("metrics", "models/production")}
    run(mine, "dvc", "exp", "run", "--name", "hot", "-S", "train.learning_rate=0.02")
    assert "learning_rate: 0.02" in params.read_text(encoding="utf-8")
    assert folder_sha256(mine / "models/production") != before["models/production"]
    run(mine, "git", "checkout", "--quiet", ".")
    run(mine, "dvc", "checkout", "--quiet")
    assert {name: folder_sha256(mine / name) for name in before} == before
    assert ran(run(mine, "dvc", "repro").stdout) == []
    assert status(mine) == ""
    assert "hot" in run(mine, "vestibular", "experiments").stdout

    # any candidate can be asked, whichever is in production
    produced = json.loads((mine / "models/production/model.json").read_text("utf-8"))["candidate"]
    (other,) = set(NAMES) - {produced}
    said, beside = answered(mine, "--candidate", other)
    assert f"{other}, models/bases/{other} (F1 " in beside
    assert answered(mine, "--candidate", produced)[0] == answered(mine)[0]
    rows = [
        json.loads(line)
        for line in (mine / f"metrics/predictions/{other}.jsonl").read_text("utf-8").splitlines()
    ]
    asked = [
        json.loads(line)
        for line in (mine / "data/prepared/validation.jsonl").read_text("utf-8").splitlines()
    ]
    table = mine / "asked.jsonl"
    table.write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    run(
        mine,
        *("vestibular", "answer", "--candidate", other, "--questions", "asked.jsonl"),
        *("--output", "answers.jsonl"),
    )
    lines = (mine / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["answer"] for line in lines] == [row["answer"] for row in rows]
    table.unlink()
    (mine / "answers.jsonl").unlink()
    assert said is not None

    # parameters are counted alike wherever they stand
    board = json.loads((mine / "metrics/leaderboard.json").read_text(encoding="utf-8"))
    counted = f"{board['candidates'][produced]['parameters']['total']:,}"
    assert counted in run(mine, "vestibular", "plan").stdout
    assert counted in run(mine, "vestibular", "leaderboard").stdout
    assert counted in (mine / "models/production/README.md").read_text(encoding="utf-8")
    assert counted in (mine / "metrics/report.html").read_text(encoding="utf-8")

    # versions: register, promote; without the winner, another one; then back
    run(mine, "vestibular", "registry", "register")
    run(mine, "vestibular", "registry", "promote", "v0.1.0")
    settings = yaml.safe_load(params.read_text(encoding="utf-8"))
    del settings["candidates"][produced]
    params.write_text(yaml.safe_dump(settings), encoding="utf-8")
    assert ran(run(mine, "dvc", "repro").stdout) == ["prepare", "select"]
    assert answered(mine)[0] == said
    # the settings are those that it was trained with
    _, beside = answered(mine, "--candidate", other)
    assert "note:" not in beside
    commit(mine, f"Without {produced}")
    run(mine, "dvc", "push", "--quiet")
    run(mine, "vestibular", "registry", "register")
    run(mine, "vestibular", "registry", "promote", "v0.2.0")
    back = run(mine, "vestibular", "registry", "rollback").stdout
    assert "v0.1.0 is in production, before it v0.2.0" in back
    _, beside = answered(mine)
    assert "note: the registry has v0.1.0, another model, in production" in beside
    _, beside = answered(mine, "--stage", "production")
    assert f"{produced}, " in beside
    again = run(mine, "vestibular", "registry", "rollback", status=2).stderr
    assert "v0.1.0 is in production, and none was before it (v0.2.0 came after it, and" in again

    # other settings than the training's are said
    settings["train"]["learning_rate"] = 0.5
    params.write_text(yaml.safe_dump(settings), encoding="utf-8")
    _, beside = answered(mine, "--candidate", other)
    assert f"note: {other} was trained with other settings or data" in beside
    unknown = (sys.executable, "-m", "vestibular", "answer", "--candidate", produced)
    missing = run(mine, *unknown, "--context", "-", QUESTION, status=2, text=CONTEXT).stderr
    assert missing == f"params.yaml: candidates.{produced}: no such candidate ({other})\n"
