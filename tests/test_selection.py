"""The order of the candidates, and what goes into production."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibular.errors import DataError
from vestibular.selection import as_text, leaderboard, rank, read_results


def scored(exact_match: float, f1: float) -> dict[str, Any]:
    return {
        "before": {"exact_match": 0.0, "f1": 0.0},
        "after": {"exact_match": exact_match, "f1": f1},
    }


def result(exact_match: float, f1: float) -> dict[str, Any]:
    parameters = {"trainable": 8192, "total": 300000}
    return {
        "scores": {**scored(exact_match, f1), "parameters": parameters},
        "shortened": {"train": 0, "validation": 0},
    }


@pytest.mark.parametrize(
    ("sort_by", "winner"), [(("exact_match", "f1"), "b"), (("f1", "exact_match"), "c")]
)
def test_the_first_score_decides(sort_by: tuple[str, ...], winner: str) -> None:
    """Exact match first, then F1; or the other way round if the settings say so."""
    scores = {"a": scored(0.5, 0.6), "b": scored(0.5, 0.7), "c": scored(0.4, 0.9)}
    assert rank(scores, sort_by)[0] == winner


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_the_settings_never_matters(names: list[str]) -> None:
    """Even in a full tie the same candidate wins."""
    values = {"a": (0.5, 0.5), "b": (0.5, 0.5), "c": (0.1, 0.9), "d": (0.5, 0.4)}
    board = leaderboard({name: result(*values[name]) for name in names}, ("exact_match", "f1"))
    assert list(board["candidates"]) == ["a", "b", "d", "c"]
    assert board["winner"] == "a"


def test_the_table_shows_both_scores_before_and_after() -> None:
    """A line a candidate, under a header, in columns."""
    board = leaderboard({"a": result(0.25, 0.5), "long-name": result(0.1, 0.2)}, ("exact_match",))
    header, first, second = as_text(board).splitlines()
    assert header.split() == [
        "candidate",
        "EM",
        "before",
        "EM",
        "after",
        "F1",
        "before",
        "F1",
        "after",
        "parameters",
        "trained",
    ]
    assert first.split() == ["1", "a", "0.000", "0.250", "0.000", "0.500", "300,000", "2.73%"]
    assert second.startswith("2  long-name")


def test_a_candidate_without_scores_is_named(in_folder: Path) -> None:
    """The message says which command makes what is missing."""
    with pytest.raises(DataError, match="dvc repro train@a"):
        read_results(["a"])
    Path("models/adapters/a").mkdir(parents=True)
    Path("models/adapters/a/training.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="dvc repro evaluate@a"):
        read_results(["a"])


def test_leftovers_do_not_count(in_folder: Path) -> None:
    """Files of a candidate that the settings no longer name stay out of the results."""
    for name in ("a", "gone"):
        for path, content in {
            f"metrics/candidates/{name}.json": json.dumps(scored(1, 1)),
            f"metrics/cost/train/{name}.json": "{}",
            f"metrics/cost/evaluate/{name}.json": "{}",
            f"metrics/curves/{name}.tsv": "step\tloss\n1\t0.5\n",
            f"metrics/predictions/{name}.jsonl": '{"shortened": true}\n{"shortened": false}\n',
            f"models/adapters/{name}/training.json": '{"shortened": 3}',
        }.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(content, encoding="utf-8")
    results = read_results(["a"])
    assert list(results) == ["a"]
    assert results["a"]["shortened"] == {"train": 3, "validation": 1}
    assert results["a"]["curve"] == [{"step": "1", "loss": "0.5"}]
