"""Two runs compared: invented locks and answers, and a repository that lacks what is asked."""

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from tests.support.commands import run
from tests.support.repositories import git
from tests.support.results import answered
from vestibular.core.errors import DataError, GitError
from vestibular.registry.changes import compare, holm
from vestibular.registry.changes_text import as_text
from vestibular.registry.revisions import Revision, read_revision

COUNT = 60


Rows = list[dict[str, Any]]


def rows(right: set[int], count: int = COUNT, answer: str = "Ana") -> Rows:
    """Answers to questions of 10 documents, right at some places."""
    found = []
    for place in range(count):
        score = float(place in right)
        row = answered(
            id=str(place),
            title=f"t{place % 10}",
            question=f"Quem {place}?",
            references=(answer,),
            answer=answer if score else "?",
            exact_match=score,
            f1=score,
        )
        found.append({"version": 2, **row.model_dump(mode="json", exclude={"version"})})
    return found


def first_version(answers: Rows) -> Rows:
    """The same as they were written when a row held the untouched base's answer too."""
    found = []
    for row in answers:
        after = {key: row[key] for key in ("answer", "exact_match", "f1")}
        rest = {key: value for key, value in row.items() if key not in (*after, "version")}
        before = {"answer": "", "exact_match": 0.0, "f1": 0.0}
        found.append({**rest, "before": before, "after": after})
    return found


def earliest(answers: Rows) -> Rows:
    """The same as the first runs of all wrote them: no context, no windows, nothing leaked."""
    unknown = ("context", "windows", "leaked")
    return [
        {**{key: value for key, value in row.items() if key not in unknown}, "shortened": False}
        for row in first_version(answers)
    ]


def store(answers: Rows) -> str:
    """Put answers into DVC's cache; return their hash."""
    text = "".join(json.dumps(row) + "\n" for row in answers)
    md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    path = Path(".dvc/cache/files/md5", md5[:2], md5[2:])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return md5


def lock(
    answers: dict[str, Rows], rate: float = 0.01, base: str = "b", data: str = "d", code: str = "c"
) -> dict[str, Any]:
    """A lock as DVC writes it, of a run with these answers."""
    stages: dict[str, Any] = {
        "prepare": {
            "params": {
                "params.yaml": {
                    "seed": 1,
                    "evaluate": {"articles": "pt"},
                    "repeats": [],
                    "candidates": {name: {} for name in answers},
                }
            }
        }
    }
    for name, rows_of in answers.items():
        stages[f"train@{name}"] = {
            "params": {"params.yaml": {"train.learning_rate": rate, "train.lora": {"r": 8}}},
            "deps": [
                {"path": "data/prepared", "md5": data},
                {"path": f"data/bases/{name}.json", "md5": base},
                {"path": "stages/train.py", "md5": "s"},
                {"path": "src/vestibular/training", "md5": f"{code}.dir"},
            ],
        }
        path = f"metrics/predictions/{name}.jsonl"
        stages[f"evaluate@{name}"] = {"deps": [], "outs": [{"path": path, "md5": store(rows_of)}]}
    return {"schema": "2.0", "stages": stages}


def test_a_change_beyond_noise(in_folder: Path) -> None:
    """Many questions won, none lost: better; the settings that changed are named."""
    old = Revision("old", lock({"a": rows(set(range(10)))}))
    new = Revision("new", lock({"a": rows(set(range(40)))}, rate=0.02))
    found = compare(old, new)
    row = found.candidates["a"]
    assert row.scores["exact_match"].p_corrected < 0.001
    assert row.scores["f1"].difference.low > 0
    assert len(row.flipped) == 30
    assert row.changed == {
        "settings": ["train.learning_rate: 0.01 -> 0.02"],
        "data": [],
        "base": [],
        "code": [],
    }
    text = as_text(found, old, new, 2)
    assert "exact match 0.167 -> 0.667: better, beyond noise" in text
    assert "of 60 questions, 30 are newly right and 0 newly wrong" in text
    assert "    + Quem 10? [10]  '?' -> 'Ana'" in text
    assert "and 28 more (--all shows them)" in text
    assert text.count("    + ") == 2
    assert as_text(found, old, new, None).count("    + ") == 30


def test_without_titles_a_context_is_a_document(in_folder: Path) -> None:
    """A table needs no column of titles: its runs are compared by context, not as one document."""

    def untitled(right: set[int], context: str | None = "c") -> list[dict[str, Any]]:
        found = [{**row, "title": ""} for row in rows(right)]
        if context is not None:
            found = [{**row, "context": f"{context}{row['id'][-1]}"} for row in found]
        return found

    before, after = set(range(10)), set(range(40))
    titled = (
        compare(
            Revision("old", lock({"a": rows(before)})), Revision("new", lock({"a": rows(after)}))
        )
        .candidates["a"]
        .scores["f1"]
    )
    new = Revision("new", lock({"a": untitled(after)}))
    for earlier in ("c", None):
        old = Revision("old", lock({"a": untitled(before, earlier)}))
        assert compare(old, new).candidates["a"].scores["f1"] == titled
        # whichever of the two names the contexts
        back = compare(new, old).candidates["a"].scores["f1"].difference
        assert back.p_value == pytest.approx(titled.difference.p_value)


def test_a_change_within_the_noise(in_folder: Path) -> None:
    """A few questions this way and that way mean nothing, and are shown."""
    before = set(random.Random(1).sample(range(COUNT), 30))
    after = (before - {min(before)}) | {next(i for i in range(COUNT) if i not in before)}
    old = Revision("old", lock({"a": rows(before)}))
    new = Revision("new", lock({"a": rows(after)}, base="other", data="more"))
    found = compare(old, new)
    text = as_text(found, old, new, 10)
    assert "better" not in text
    assert "F1 0.500 -> 0.500: within the noise" in text
    assert "1 are newly right and 1 newly wrong" in text
    assert found.candidates["a"].changed["base"] == ["data/bases/a.json"]
    assert "  data: data/prepared" in text


def test_equal_runs_are_equal(in_folder: Path) -> None:
    """No difference, no change, p is 1."""
    same = Revision("same", lock({"a": rows({1, 2})}))
    found = compare(same, same)
    assert found.candidates["a"].same_answers
    assert found.candidates["a"].scores["f1"].difference.p_value == 1
    text = as_text(found, same, same, 10)
    assert "every answer is the same" in text
    assert "settings, data, base and code are the same" in text


def test_the_correction_is_over_the_candidates_that_changed(in_folder: Path) -> None:
    """One whose answers are the same is no comparison, and makes none of the others less sure."""
    old = Revision("old", lock({name: rows(set()) for name in "abc"}))
    new = Revision(
        "new", lock({"a": rows(set(range(12))), "b": rows(set(range(5, 25))), "c": rows(set())})
    )
    found = compare(old, new).candidates
    a, b = (found[name].scores["exact_match"] for name in "ab")
    raw = {"a": a.difference.p_value, "b": b.difference.p_value}
    assert {"a": a.p_corrected, "b": b.p_corrected} == holm(raw)
    assert found["c"].same_answers
    alone = compare(old, Revision("new", lock({"a": rows(set(range(12))), "c": rows(set())})))
    one = alone.candidates["a"].scores["exact_match"]
    assert one.p_corrected == one.difference.p_value == raw["a"]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_equals_statsmodels(values: list[float]) -> None:
    """The corrected p-values are statsmodels', whatever the order."""
    named = {str(place): value for place, value in enumerate(values)}
    theirs = multipletests(values, method="holm")[1]
    assert [holm(named)[name] for name in named] == pytest.approx(list(theirs))


def test_of_one_document_nothing_is_sure(in_folder: Path) -> None:
    """The scores are shown, and no verdict."""

    def titled(right: set[int]) -> Revision:
        return Revision("x", lock({"a": [{**row, "title": "one"} for row in rows(right)]}))

    old, new = titled({1}), titled(set(range(40)))
    text = as_text(compare(old, new), old, new, 1)
    assert "F1 0.017 -> 0.667: about one document, so nothing shows how certain" in text


def test_only_the_same_questions_count(in_folder: Path) -> None:
    """A question that is new, gone or has other references is left out; candidates likewise."""
    old = Revision("old", lock({"a": rows({1}, 30), "gone": rows({1})}))
    new = Revision("new", lock({"a": rows({1}, 40), "fresh": rows({1})}))
    found = compare(old, new)
    assert found.candidates["a"].questions == 30
    assert (found.added, found.removed) == (["fresh"], ["gone"])
    assert "removed: gone" in as_text(found, old, new, 10)
    other = Revision("new", lock({"a": rows({1}, answer="Bia")}))
    found = compare(old, other)
    assert "nothing can be compared" in as_text(found, old, other, 10)


def folded(right: set[int], folds: tuple[str, ...] = ("fold-1", "fold-2")) -> Revision:
    """A run with two folds, the names in the settings' order."""
    content = lock({"a": rows({0}, 5)})
    content["stages"]["prepare"]["params"]["params.yaml"]["repeats"] = [*folds, "seed-7"]
    everything = rows(right)
    for fold, part in (("fold-1", everything[:25]), ("fold-2", everything[25:])):
        path = f"metrics/repeats/a-{fold}.jsonl"
        content["stages"][f"evaluate_repeat@a-{fold}"] = {
            "outs": [{"path": path, "md5": store(part)}]
        }
    return Revision("x", content)


def folded_before_repeats(right: set[int]) -> Revision:
    """The same as a commit from before `repeats` holds it."""
    content = lock({"a": first_version(rows({0}, 5))})
    settings = content["stages"]["prepare"]["params"]["params.yaml"]
    del settings["repeats"]
    settings["evaluate"]["folds"] = [1, 2]
    content["stages"]["train@a"]["params"]["params.yaml"] |= {
        "train.seeds": [7],
        "evaluate.folds": [1, 2],
    }
    everything = first_version(rows(right))
    for fold, part in ((1, everything[:25]), (2, everything[25:])):
        path = f"metrics/folds/a-{fold}.jsonl"
        content["stages"][f"evaluate_fold@a-{fold}"] = {
            "outs": [{"path": path, "md5": store(part)}]
        }
    return Revision("x", content)


@pytest.mark.parametrize(
    "old", [folded, folded_before_repeats, lambda right: folded(right, ("fold-2", "fold-1"))]
)
def test_out_of_fold_answers_are_compared_where_both_have_them(
    in_folder: Path, old: Callable[[set[int]], Revision]
) -> None:
    """The same folds in both runs, however they are named, give far more questions."""
    found = compare(old({1}), folded({1, 2}))
    assert (found.out_of_fold, found.candidates["a"].questions) == (True, COUNT)
    assert found.candidates["a"].changed["settings"] == []
    assert [row.id for row in found.candidates["a"].flipped] == ["2"]


def test_without_the_same_folds_the_validation_questions_are_compared(in_folder: Path) -> None:
    """A run with folds against one without, and against one with other folds."""
    for other in (Revision("y", lock({"a": rows({0}, 5)})), folded({1}, ("fold-1",))):
        new = folded({1, 2})
        found = compare(other, new)
        assert (found.out_of_fold, found.candidates["a"].questions) == (False, 5)
        # the candidate is the same, and the choice is another one
        (line,) = found.of_the_choice
        assert line.startswith("repeats: ")
        assert line.endswith("-> ['fold-1', 'fold-2', 'seed-7']")
        assert f"the choice\n  settings: {line}" in as_text(found, other, new, 1)


@pytest.mark.parametrize("write", [first_version, earliest])
def test_a_run_of_an_earlier_version_is_compared(
    in_folder: Path, write: Callable[[Rows], Rows]
) -> None:
    """Its rows held both answers: the fine-tuned model's is the one that counts."""
    before, after = rows(set(range(10))), rows(set(range(40)))
    new = Revision("new", lock({"a": after}))
    same = compare(Revision("old", lock({"a": before})), new)
    assert compare(Revision("old", lock({"a": write(before)})), new) == same


def test_code_that_changed_is_named(in_folder: Path) -> None:
    """Whole packages, as the graph names them."""
    old = Revision("old", lock({"a": rows({1})}))
    new = Revision("new", lock({"a": rows({1})}, code="other"))
    changed = compare(old, new).candidates["a"].changed
    assert changed == {"settings": [], "data": [], "base": [], "code": ["src/vestibular/training"]}


def test_a_damaged_file_of_answers_is_named(in_folder: Path) -> None:
    """With the line, and what a run is made again with."""
    new = Revision("new", lock({"a": [*rows({1}, 2), {"version": 2, "id": "x"}]}))
    with pytest.raises(DataError, match=r":3: title: field required; .* `dvc repro`"):
        new.answers("a", ())


@pytest.fixture
def repository(in_folder: Path) -> Path:
    """A git repository with one commit that holds a run."""
    content = lock({"a": rows({1})})
    Path("dvc.lock").write_text(yaml.safe_dump(content), encoding="utf-8")
    settings = content["stages"]["prepare"]["params"]["params.yaml"]
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    for command in (
        ["init", "--quiet"],
        ["config", "user.name", "Test"],
        ["config", "user.email", "test@example.org"],
        ["commit", "--quiet", "--allow-empty", "--message=Empty"],
        ["add", "dvc.lock"],
        ["commit", "--quiet", "--message=Run"],
    ):
        subprocess.run(["git", *command], check=True)
    return in_folder


def test_a_revision_is_read_without_a_checkout(repository: Path) -> None:
    """The working tree's last run against a commit, by the command itself."""
    content = lock({"a": rows(set(range(20)))}, rate=0.02)
    Path("dvc.lock").write_text(yaml.safe_dump(content), encoding="utf-8")
    said = run(repository, sys.executable, "-m", "vestibular", "compare", "HEAD").stdout
    assert "-> the working tree, on the validation questions" in said
    assert "train.learning_rate: 0.01 -> 0.02" in said
    assert "has changed since" not in said
    Path("params.yaml").write_text("seed: 2\n", encoding="utf-8")
    said = run(repository, sys.executable, "-m", "vestibular", "compare", "HEAD").stdout
    assert "params.yaml has changed since the last `dvc repro`" in said


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("absent", "absent: neither git nor `dvc exp show` knows this revision"),
        ("--all", "--all: neither git nor"),
        ("HEAD~1", "HEAD~1: contains no dvc.lock"),
    ],
)
def test_a_revision_without_a_run_is_refused(repository: Path, revision: str, message: str) -> None:
    """In one line that names it."""
    with pytest.raises(DataError, match=message):
        read_revision(revision)


def test_an_experiment_is_a_revision_by_its_name(repository: Path) -> None:
    """DVC keeps it as a reference below that of its baseline; without a name, HEAD is meant."""
    head = git(repository, "rev-parse", "HEAD").strip()
    baseline = git(repository, "rev-parse", "HEAD~1").strip()
    content = lock({"a": rows(set(range(20)))}, rate=0.02)
    Path("dvc.lock").write_text(yaml.safe_dump(content), encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "--message=Experiment")
    experiment = git(repository, "rev-parse", "HEAD").strip()
    git(repository, "reset", "--quiet", "--hard", head)
    for at in (head, baseline):
        git(repository, "update-ref", f"refs/exps/{at[:2]}/{at[2:]}/hot", experiment)
    found = read_revision("hot")
    assert experiment.startswith(found.name)
    assert found.settings("a")["train.learning_rate"] == 0.02
    compare_alone = [sys.executable, "-m", "vestibular", "compare"]
    said = run(repository, *compare_alone).stdout
    assert said.startswith(f"{head[:7]} -> the working tree")
    said = run(repository, *compare_alone, "HEAD", "hot").stdout
    assert "train.learning_rate: 0.01 -> 0.02" in said

    git(repository, "update-ref", "-d", f"refs/exps/{head[:2]}/{head[2:]}/hot")
    other = git(repository, "rev-parse", "HEAD^{tree}").strip()
    git(repository, "update-ref", f"refs/exps/{other[:2]}/{other[2:]}/hot", head)
    with pytest.raises(GitError, match="hot: several experiments have this name"):
        read_revision("hot")


def test_answers_that_the_cache_lacks_are_named(repository: Path) -> None:
    """Which file, and how to get it; equal hashes are equal answers, wherever these are."""
    compare_head = [sys.executable, "-m", "vestibular", "compare", "HEAD"]
    content = lock({"a": rows(set(range(20)))})
    for path in Path(".dvc/cache/files/md5").rglob("*"):
        if path.is_file():
            path.unlink()
    assert "every answer is the same" in run(repository, *compare_head).stdout
    Path("dvc.lock").write_text(yaml.safe_dump(content), encoding="utf-8")
    said = run(repository, *compare_head).stdout
    assert "not compared question by question: metrics/predictions/a.jsonl of " in said
    assert "is not in DVC's cache" in said
    assert "no DVC remote is set up here" in said


def test_without_a_run_here_the_message_says_so(in_folder: Path) -> None:
    """There is no dvc.lock."""
    with pytest.raises(DataError, match="run `dvc repro`"):
        read_revision(None)
