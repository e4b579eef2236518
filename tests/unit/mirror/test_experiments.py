"""What tells variants apart: DVC's experiment, and the settings that differ, in each run."""

import json
from pathlib import Path

import pytest

from tests.support.spooled import Spooled
from vestibular.mirror.commands import as_text
from vestibular.mirror.mlflow_values import shown_name
from vestibular.mirror.outputs import Sources
from vestibular.mirror.supervising import Result
from vestibular.params.project import load_params
from vestibular.tracking.spool import Spool, spool_folder


@pytest.fixture
def spooled(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Spooled:
    """An empty project."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return Spooled(in_folder)


def name_experiment(path: Path, name: str) -> None:
    """Let a spool's file say for which experiment its process ran."""
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    lines = [json.dumps({**json.loads(first), "experiment": name}), *rest]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_a_stage_tells_its_experiment(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC names it in a variable; without one there is none."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    for name in ("hot", None):
        if name is None:
            monkeypatch.delenv("DVC_EXP_NAME", raising=False)
        else:
            monkeypatch.setenv("DVC_EXP_NAME", name)
        spool = Spool("train")
        spool.open("aaaa", "tiny", {})
        spool.close(None)
    starts = [
        json.loads(path.read_text(encoding="utf-8").splitlines()[0])
        for path in sorted((spool_folder() / "aaaa").iterdir())
    ]
    assert [start["experiment"] for start in starts] == ["hot", ""]


def test_a_run_names_the_experiments_that_it_is_of(spooled: Spooled) -> None:
    """A training may be one's and its exam a later one's; one of no experiment says nothing."""
    training = spooled.run("aaaa", "gpt2-tiny")
    spooled.run("bbbb", "gpt2-mini")
    name_experiment(training, "hot")
    name_experiment(training.parent / "0002-evaluate.jsonl", "cold")
    found = {run.id: run for run in Sources(load_params(), spool_folder()).read()}
    assert found["aaaa"].fields["run/experiment"] == "hot, cold"
    assert "run/experiment" not in found["bbbb"].fields
    assert shown_name(found["aaaa"]) == "gpt2-tiny (hot, cold)"
    assert shown_name(found["bbbb"]) == "gpt2-mini"


def test_a_run_names_the_settings_in_which_it_differs(spooled: Spooled) -> None:
    """Once there is another run of its candidate, and from then on in both."""
    spooled.run("aaaa", "gpt2-tiny", settings={"train": {"epochs": 1, "learning_rate": 0.01}})
    sources = Sources(load_params(), spool_folder())
    (alone,) = sources.read()
    assert "run/differing_settings" not in alone.fields
    spooled.run("bbbb", "gpt2-tiny", settings={"train": {"epochs": 1, "learning_rate": 0.02}})
    spooled.run("cccc", "gpt2-mini", settings={"train": {"epochs": 9, "learning_rate": 0.03}})
    found = {run.id: run.fields.get("run/differing_settings") for run in sources.read()}
    assert found == {
        "aaaa": "train.learning_rate: 0.01",
        "bbbb": "train.learning_rate: 0.02",
        "cccc": None,
    }
    # what has no news is the very same object, and is not hashed again
    assert all(one is other for one, other in zip(sources.read(), sources.read(), strict=True))


def test_what_several_items_fail_for_is_said_once() -> None:
    """With the first of them and the number of the others; other reasons stand below."""
    result = Result("mlflow", {"aaaa": "tiny", "bbbb": "mini"})
    for run, item, reason in (
        ("aaaa", "version fields", "the model is gone"),
        ("aaaa", "version artifacts", "the model is gone"),
        ("aaaa", "file a", "the disk is full"),
        ("bbbb", "version fields", "the model is gone"),
    ):
        result.outcomes[run, item] = ("failed", reason)
    assert as_text([result]).splitlines()[3:] == [
        "mlflow  tiny aaaa  version fields and 2 more: the model is gone",
        "mlflow  tiny aaaa  file a: the disk is full",
    ]
