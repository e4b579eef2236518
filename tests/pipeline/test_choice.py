"""The choice on real runs: folds and seeds, two revisions, and FaQuAD's own questions."""

import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.clones import few_questions
from tests.support.commands import ROOT, run
from tests.support.settings import change
from vestibular.core.exam_results import AnsweredQuestion
from vestibular.core.questions import read_questions
from vestibular.core.repeats import Repeat

pytestmark = pytest.mark.slow


def ran(project: Path) -> set[str]:
    """Run what has changed; return the stages that ran."""
    output = run(project, "dvc", "repro").stdout
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


def selection(project: Path) -> Any:
    return json.loads((project / "metrics/selection.json").read_text(encoding="utf-8"))


def prepared(project: Path) -> list[dict[str, Any]]:
    lines = [
        line
        for split in ("train", "validation")
        for line in (project / f"data/prepared/{split}.jsonl").read_text("utf-8").splitlines()
    ]
    return [json.loads(line) for line in lines]


def repeats(name: str, *named: str) -> set[str]:
    """The stages of a candidate's repeats."""
    return {f"{do}_repeat@{name}-{one}" for do in ("train", "evaluate") for one in named}


def test_cross_validation_and_seeds(reproduced_project: Path) -> None:
    """Every question is answered by an adapter that has not seen its document.

    What is trained already stays; one changed candidate reruns its own folds alone; without folds
    the rest is as it was.
    """
    project = reproduced_project
    change(project, {"repeats": ["fold-1", "fold-2", "seed-7"]}, remove=["candidates.opt-tiny"])
    names = ("gpt2-mini", "gpt2-tiny")
    further = {name: repeats(name, "fold-1", "fold-2", "seed-7") for name in names}
    # a fold asks training questions too, which the bases have not been asked yet
    bases = {f"{do}@{name}" for do in ("evaluate_base", "evaluate") for name in names}
    assert ran(project) == {
        *("prepare", "select"),
        *(*bases, *further["gpt2-mini"], *further["gpt2-tiny"]),
    }

    questions = prepared(project)
    trained = len(read_questions(project / "data/prepared", "train"))
    held_out = []
    for fold in ("fold-1", "fold-2"):
        places = Repeat.read(project / f"data/repeats/{fold}.json").held_out
        assert places is not None
        held_out.append([*places.train, *(trained + place for place in places.validation)])
    assert sorted(held_out[0] + held_out[1]) == list(range(len(questions)))
    # whole documents, the largest first, each to the emptier fold
    largest = max(Counter(question["title"] for question in questions).values())
    assert abs(len(held_out[0]) - len(held_out[1])) <= largest
    for part in ("context", "title"):
        first, second = ({questions[place][part] for place in fold} for fold in held_out)
        assert first
        assert not first & second
    answered = [
        row.question
        for fold in ("fold-1", "fold-2")
        for row in AnsweredQuestion.read_lines(project / f"metrics/repeats/gpt2-mini-{fold}.jsonl")
    ]
    assert sorted(answered) == sorted(row["question"] for row in questions)
    found = selection(project)
    assert found["questions"]["basis"] == "out_of_fold"
    assert found["questions"]["count"] == len(questions)
    row = found["candidates"]["gpt2-mini"]
    assert set(row["seeds"]["values"]) == {"42", "7"}
    assert row["seeds"]["values"]["42"] != row["seeds"]["values"]["7"]
    # the folds' models are of one seed
    assert found["questions"]["seeds"] == 1
    assert found["questions"]["documents"] == len({row["title"] for row in questions}) == 15
    assert found["corrected"]["measured"] == row["scores"]["f1"]["value"]

    run(project, "git", "add", "--all")
    run(project, "git", "commit", "--quiet", "--message=Run")

    change(project, {"candidates.gpt2-tiny.learning_rate": 0.02})
    own = {"train@gpt2-tiny", "evaluate@gpt2-tiny"}
    assert ran(project) == {"prepare", *own, *further["gpt2-tiny"], "select"}
    said = run(project, sys.executable, "-m", "vestibular", "compare", "HEAD", "--all").stdout
    # the candidates stand in the settings' order, each under a line of its own
    tiny, mini = said.split("\ngpt2-tiny\n")[1].split("\ngpt2-mini\n")
    assert "on the out-of-fold answers" in said
    assert "learning_rate: not set -> 0.02" in tiny
    assert "after Holm's correction" in tiny
    assert f"of {len(questions)} questions" in tiny
    assert "settings, data, base and code are the same" in mini

    change(project, {"repeats": ["seed-8", "seed-7"]})
    # a new seed trains no other one again, and what the bases said before is known
    new = {stage for name in names for stage in repeats(name, "seed-8")}
    assert ran(project) == {"prepare", *new, "evaluate@gpt2-tiny", "select"}
    found = selection(project)
    assert (found["questions"]["basis"], found["questions"]["seeds"]) == ("validation", 3)
    assert any("the mean of 3 seeds" in reason for reason in found["reasons"])
    assert set(found["candidates"]["gpt2-mini"]["seeds"]["values"]) == {"42", "8", "7"}
    # what was made for the folds is gone with them
    assert {path.name for path in (project / "models/repeats").iterdir()} == {
        f"{name}-seed-{seed}" for name in names for seed in (7, 8)
    }

    change(project, {"repeats": []})
    assert ran(project) == {"prepare", "select"}
    found = selection(project)
    assert (found["questions"]["basis"], found["questions"]["seeds"]) == ("validation", 1)
    assert found["candidates"]["gpt2-mini"]["seeds"] is None


@pytest.mark.long
def test_nothing_below_the_overlap_sentence_is_promoted(project: Path, faquad: Path) -> None:
    """On FaQuAD's validation questions the demo's model is refused in one line.

    With the flag it is promoted, and the choice says below what.
    """
    shutil.copy(ROOT / "params/faquad-local.yaml", project / "params.yaml")
    (project / "data/faquad").mkdir()
    for name in ("train.json", "dev.json"):
        shutil.copy(faquad / name, project / "data/faquad" / name)
    # a short training is enough: with all of it the best reaches F1 0.14
    few_questions(project / "data/faquad/train.json", 3)
    others = ["candidates.gpt2-mini", "candidates.opt-tiny"]
    change(project, {"train.epochs": 1}, remove=others)
    output = run(project, "dvc", "repro").stdout
    (line,) = [line for line in output.splitlines() if line.startswith("nothing is promoted")]
    assert "gpt2-tiny, has F1 0." in line
    assert "the overlap sentence (0.561)" in line
    found = selection(project)
    assert (found["promoted"], found["winner"]) == (False, None)
    # the console's is a sentence
    reason = found["reason"]
    assert line == f"{reason}."
    assert [path.name for path in (project / "models/production").iterdir()] == ["refusal.json"]
    answer = [sys.executable, "-m", "vestibular", "answer", "--context", "-", "Quem?"]
    refused = run(project, *answer, status=2, text="Ana dirige.")
    assert refused.stderr == f"models/production: contains no model: {reason}\n"
    assert line in run(project, sys.executable, "-m", "vestibular", "leaderboard").stdout
    # DVC is content with it
    assert ran(project) == set()

    change(project, {"select.allow_below_reference": True})
    assert ran(project) == {"prepare", "select"}
    found = selection(project)
    assert (found["promoted"], found["winner"]) == (True, "gpt2-tiny")
    assert "overlap_sentence" in found["below"]
    assert "although it is not above the whole context" in found["reason"]
    said = run(project, *answer, text="Ana dirige.").stderr
    assert said.startswith("models/production: gpt2-tiny, ")
    assert said.count("\n") == 1
