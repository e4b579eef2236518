"""A first project of one's own, command by command, as the documents name them."""

import json
import shutil
from pathlib import Path

import pytest

from bench.german_questions import write_table
from tests.support.commands import ROOT, run
from tests.support.settings import change
from vestibular.core.files import folder_sha256
from vestibular.core.questions import read_questions

pytestmark = pytest.mark.slow

CONTEXT = "O programa Aurora é dirigido por Ana Prado."
QUESTION = "Quem dirige o programa Aurora?"


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


def test_own_data_and_bases_are_dvcs(project: Path) -> None:
    """`dvc add` takes the folders that the documents name; git gets their names, and is clean."""
    write_table(project / "data/mine/fragen.csv", 7)
    shutil.copytree(ROOT / "demo/bases/gpt2-tiny", project / "models/bases/mini")
    run(project, "dvc", "add", "data/mine", "models/bases")
    run(
        project,
        *("vestibular", "init", "--source", "data/mine", "--language", "de", "--force"),
        *("--candidate", "models/bases/mini"),
    )
    assert ran(run(project, "dvc", "repro", "prepare").stdout) == ["prepare"]
    commit(project, "Own data")
    assert status(project) == ""
    kept = run(project, "git", "ls-files", "data", "models").stdout.split()
    assert sorted(kept) == [
        *("data/.gitignore", "data/README.md", "data/mine.dvc"),
        *("models/.gitignore", "models/bases.dvc"),
    ]
    shutil.rmtree(project / "data/mine")
    shutil.rmtree(project / "models/bases")
    # by name: what the lock file says of the demo was not pulled into this project
    run(project, "dvc", "checkout", "--quiet", "data/mine.dvc", "models/bases.dvc")
    assert (project / "data/mine/fragen.csv").exists()
    assert ran(run(project, "dvc", "repro", "prepare").stdout) == []


def test_a_colleague_has_the_run_and_nothing_to_do(
    reproduced_project: Path, tmp_path: Path
) -> None:
    """A remote of one's own, a commit, both pushes; then a clone and a pull."""
    mine, shared, theirs = reproduced_project, tmp_path / "shared.git", tmp_path / "theirs"
    run(tmp_path, "git", "clone", "--quiet", "--bare", str(mine), str(shared))
    run(mine, "git", "remote", "add", "origin", str(shared))
    run(mine, "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    commit(mine, "First run")
    run(mine, "dvc", "push", "--quiet")
    run(mine, "git", "push", "--quiet", "origin", "HEAD")
    run(tmp_path, "git", "clone", "--quiet", str(shared), str(theirs))
    run(theirs, "dvc", "pull", "--quiet")
    assert ran(run(theirs, "dvc", "repro").stdout) == []
    assert status(theirs) == ""
    for name in ("metrics/report.html", "models/production/model.json"):
        assert (theirs / name).read_bytes() == (mine / name).read_bytes()


def test_a_variant_leads_back_to_the_commit(reproduced_project: Path) -> None:
    """After `dvc exp run`, two commands bring the commit's files back, and nothing reruns."""
    project = reproduced_project
    commit(project, "First run")
    folders = ("data", "metrics", "models")
    before = {name: folder_sha256(project / name) for name in folders}
    variant = "+candidates.opt-tiny.learning_rate=0.02"
    output = run(project, "dvc", "exp", "run", "--name", "hot", "-S", variant).stdout
    assert ran(output) == ["prepare", "train@opt-tiny", "evaluate@opt-tiny", "select"]
    assert folder_sha256(project / "metrics") != before["metrics"]
    run(project, "git", "checkout", "--quiet", ".")
    run(project, "dvc", "checkout", "--quiet")
    assert {name: folder_sha256(project / name) for name in folders} == before
    assert ran(run(project, "dvc", "repro").stdout) == []
    assert status(project) == ""
    assert "hot" in run(project, "vestibular", "experiments").stdout


def test_any_candidate_answers_as_in_its_exam(reproduced_project: Path) -> None:
    """One that was not promoted too; other settings than the training's are said."""
    project = reproduced_project
    produced = json.loads((project / "models/production/model.json").read_text("utf-8"))[
        "candidate"
    ]
    other = "opt-tiny"
    assert produced != other
    lines = (project / f"metrics/predictions/{other}.jsonl").read_text("utf-8").splitlines()
    predictions = [json.loads(line) for line in lines]
    asked = [
        {"context": one.context, "question": one.question}
        for one in read_questions(project / "data/prepared", "validation")
    ]
    text = "\n".join(map(json.dumps, asked))
    (project / "asked.jsonl").write_text(text, encoding="utf-8")
    run(
        project,
        *("vestibular", "answer", "--candidate", other, "--questions", "asked.jsonl"),
        *("--output", "answers.jsonl"),
    )
    lines = (project / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["answer"] for line in lines] == [row["answer"] for row in predictions]
    said, beside = answered(project, "--candidate", other)
    assert said
    assert f"{other}, demo/bases/{other} (F1 " in beside
    assert "note:" not in beside
    change(project, {"train.learning_rate": 5e-2})
    again, beside = answered(project, "--candidate", other)
    assert again == said
    assert f"note: {other} was trained with other settings or data" in beside
    nobody = run(
        project,
        *("vestibular", "answer", "--candidate", "nobody", "--context", "-", QUESTION),
        status=2,
        text=CONTEXT,
    )
    assert nobody.stderr.startswith("params.yaml: candidates.nobody: no such candidate (gpt2-tiny,")


def test_parameters_are_counted_alike_wherever_they_stand(reproduced_project: Path) -> None:
    """Before the training, in the table, in the model card and in the report."""
    project = reproduced_project
    board = json.loads((project / "metrics/leaderboard.json").read_text(encoding="utf-8"))
    counts = {name: f"{row['parameters']['total']:,}" for name, row in board["candidates"].items()}
    plan = run(project, "vestibular", "plan").stdout
    table = run(project, "vestibular", "leaderboard").stdout
    report = (project / "metrics/report.html").read_text(encoding="utf-8")
    for count in counts.values():
        assert count in plan
        assert count in table
        assert count in report
    card = (project / "models/production/README.md").read_text(encoding="utf-8")
    assert f"it has {counts[board['winner']]} parameters" in card


def test_a_roll_back_is_said_when_the_model_is_asked(
    reproduced_project: Path, tmp_path: Path
) -> None:
    """Two versions, the second from a run without the first one's model; then back, no further."""
    project = reproduced_project
    run(tmp_path, "git", "init", "--quiet", "--bare", "shared.git")
    run(project, "git", "remote", "add", "origin", str(tmp_path / "shared.git"))
    run(project, "dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    commit(project, "First run")
    produced = json.loads((project / "models/production/model.json").read_text("utf-8"))[
        "candidate"
    ]

    def register(version: str) -> None:
        run(project, "dvc", "push", "--quiet")
        run(project, "git", "push", "--quiet", "origin", "HEAD")
        run(project, "vestibular", "registry", "register")
        run(project, "vestibular", "registry", "promote", version)

    register("v0.1.0")
    without = f"~candidates.{produced}"
    output = run(project, "dvc", "exp", "run", "-S", without).stdout
    assert ran(output) == ["prepare", "select"]
    commit(project, f"Without {produced}")
    register("v0.2.0")
    back = run(project, "vestibular", "registry", "rollback").stdout
    assert "v0.1.0 is in production, before it v0.2.0" in back
    _, beside = answered(project)
    assert "note: the registry has v0.1.0, another model, in production" in beside
    _, beside = answered(project, "--stage", "production")
    assert f": {produced}, " in beside
    again = run(project, "vestibular", "registry", "rollback", status=2).stderr
    assert "v0.1.0 is in production, and none was before it (v0.2.0 came after it and" in again
