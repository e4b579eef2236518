"""Two runs compared where the answers of one are on another machine."""

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.commands import run
from tests.support.repositories import commit_all, git
from tests.unit.registry.test_changes import Rows, lock, rows
from vestibular.registry.changes import compare
from vestibular.registry.changes_text import advice, as_text
from vestibular.registry.revisions import Revision, read_revision

CACHE = Path(".dvc/cache/files/md5")


def write(path: str, content: Any) -> dict[str, str]:
    """Write a file of a run's metrics; return what the lock says of it."""
    text = json.dumps(content)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")
    return {"path": path, "md5": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}


def run_pipeline(answers: dict[str, Rows], early: bool = False, **inputs: str) -> dict[str, Any]:
    """Leave what a run of these answers leaves, its scores and its leaderboard; return its lock."""
    content = lock(answers, **inputs)
    board = {}
    for name, given in answers.items():
        score = sum(row["exact_match"] for row in given) / len(given)
        if early:
            values = {"before": {}, "after": {"exact_match": score, "f1": score}}
            file = write(f"metrics/candidates/{name}.json", values)
        else:
            short = round(score, 4)
            base = {"em": 0.0, "f1": 0.0}
            values = {"base": base, "tuned": {"em": short, "f1": short}}
            file = write(f"metrics/exam/{name}.json", values)
        content["stages"][f"evaluate@{name}"]["outs"].append(file)
        board[name] = {
            "after": {"exact_match": score, "f1": score},
            "intervals": {metric: [score - 0.1, score + 0.1] for metric in ("exact_match", "f1")},
        }
    outs = [write("metrics/leaderboard.json", {"candidates": board})]
    content["stages"]["select"] = {"outs": outs}
    Path("dvc.lock").write_text(yaml.safe_dump(content), encoding="utf-8")
    settings = content["stages"]["prepare"]["params"]["params.yaml"]
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    Path(".gitignore").write_text(".dvc\n", encoding="utf-8")
    return content


def right(count: int) -> Rows:
    """Answers of which so many of 60 are right."""
    return rows(set(range(count)))


def lose_answers() -> None:
    """Empty the cache, as it is in a clone."""
    shutil.rmtree(CACHE)


def compared(old: str) -> str:
    """Compare a revision with the working tree."""
    before, after = read_revision(old), read_revision(None)
    return as_text(compare(before, after), before, after, 10)


@pytest.mark.parametrize("early", [False, True], ids=["these files", "earlier ones"])
def test_scores_are_compared_where_answers_are_elsewhere(in_folder: Path, early: bool) -> None:
    """By the command: a clone that has run the pipeline on another processor."""
    run_pipeline({"a": right(20), "b": right(20)}, early)
    commit_all(in_folder, "Run")
    lose_answers()
    run_pipeline({"a": right(21), "b": right(50)}, early)
    said = run(in_folder, sys.executable, "-m", "vestibular", "compare", "HEAD").stdout
    commit = git(in_folder, "rev-parse", "--short", "HEAD").strip()
    for name in ("a", "b"):
        assert f"metrics/predictions/{name}.jsonl of {commit} is not in DVC's cache" in said
    assert "predictions/a.jsonl of the working tree" not in said
    similar, apart = said.split("\nb\n")
    assert "exact match 0.333 (0.233 to 0.433) -> 0.350 (0.250 to 0.450): similar" in similar
    assert "exact match 0.333 (0.233 to 0.433) -> 0.833 (0.733 to 0.933): outside" in apart
    assert "on another machine, a run is similar to this one" in similar
    assert "beyond noise" not in said
    assert "no DVC remote is set up here" in said
    assert "dvc repro" not in said


def test_a_remote_is_asked_only_where_there_is_one(in_folder: Path) -> None:
    """The advice is one that can help; without anything missing there is none."""
    content = run_pipeline({"a": right(20)})
    commit_all(in_folder, "Run")
    whole = compare(read_revision("HEAD"), Revision("new", content))
    lose_answers()
    run_pipeline({"a": right(21)})
    found = compare(read_revision("HEAD"), read_revision(None))
    assert "dvc fetch --all-commits" in str(advice(found, lambda: True))
    assert "dvc fetch" not in str(advice(found, lambda: False))
    assert advice(whole, lambda: pytest.fail("asked for nothing")) is None


def test_a_candidate_whose_answers_are_here_is_compared_in_pairs(in_folder: Path) -> None:
    """The other one's missing answers change neither its test nor Holm's correction."""
    run_pipeline({"a": right(0), "b": right(20)})
    commit_all(in_folder, "Run")
    lose_answers()
    first = lock({"a": right(0)})
    assert (CACHE / first["stages"]["evaluate@a"]["outs"][0]["md5"][:2]).is_dir()
    run_pipeline({"a": right(6), "b": right(21)})
    found = compare(read_revision("HEAD"), read_revision(None)).candidates
    alone = found["a"].scores["exact_match"]
    assert alone.p_corrected == alone.difference.p_value is not None
    assert found["b"].missing
    assert not found["b"].scores


def test_equal_hashes_are_equal_answers(in_folder: Path) -> None:
    """Neither run's answers need be here to say so."""
    run_pipeline({"a": right(20)})
    commit_all(in_folder, "Run")
    lose_answers()
    said = compared("HEAD")
    assert "every answer is the same" in said
    assert "not compared" not in said


def test_scores_that_are_not_the_runs_are_not_shown(in_folder: Path) -> None:
    """A score file that was changed by hand says nothing of the run."""
    run_pipeline({"a": right(20)})
    Path("metrics/exam/a.json").write_text('{"base": {}, "tuned": {"em": 1, "f1": 1}}')
    commit = commit_all(in_folder, "Run")
    lose_answers()
    run_pipeline({"a": right(21)})
    said = compared("HEAD")
    assert f"the scores of {commit[:7]} are unknown too" in said
    assert "1.000" not in said


def test_an_interval_is_shown_beside_its_own_score_alone(in_folder: Path) -> None:
    """The leaderboard of a choice by folds is about other questions than the score file."""
    run_pipeline({"a": right(20)})
    board = json.loads(Path("metrics/leaderboard.json").read_text())
    board["candidates"]["a"]["after"]["f1"] = 0.9
    lock_text = Path("dvc.lock").read_text()
    md5 = yaml.safe_load(lock_text)["stages"]["select"]["outs"][0]["md5"]
    changed = write("metrics/leaderboard.json", board)["md5"]
    Path("dvc.lock").write_text(lock_text.replace(md5, changed))
    commit_all(in_folder, "Run")
    lose_answers()
    run_pipeline({"a": right(21)})
    said = compared("HEAD")
    assert "exact match 0.333 (0.233 to 0.433) -> 0.350 (0.250 to 0.450): similar" in said
    assert "F1 0.333 -> 0.350 (0.250 to 0.450)\n" in said


def test_questions_that_one_run_alone_asked_are_counted(in_folder: Path) -> None:
    """What could not be paired is told, and nothing is told where all was."""
    old, new = (
        Revision(name, lock({"a": rows({1}, count)})) for name, count in (("o", 30), ("n", 40))
    )
    text = as_text(compare(old, new), old, new, 10)
    assert "not compared: 0 questions of the old run and 10 of the new one" in text
    assert "not compared" not in as_text(compare(old, old), old, old, 10)


def test_a_revision_beyond_a_shallow_clone_is_not_called_unknown_alone(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what gets it."""
    project = in_folder / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    run_pipeline({"a": right(20)})
    commit_all(project, "Run")
    commit_all(project, "More")
    git(in_folder, "clone", "--quiet", "--depth=1", f"file://{project}", "clone")
    command = (sys.executable, "-m", "vestibular", "compare", "HEAD~1")
    said = run(in_folder / "clone", *command, status=2).stderr
    assert "git fetch --unshallow" in said
    assert said.count("\n") == 1
    assert "unshallow" not in run(project, *command[:-1], "HEAD~9", status=2).stderr
