"""What is read for the choice, how it is shown, and what goes into production."""

import json
from pathlib import Path

import pytest
from vestibular.selection.selection import as_text, leaderboard, read_results, write_refusal

from vestibular.core.errors import DataError


def score(value: float) -> dict[str, dict[str, float]]:
    interval = {"value": value, "low": value - 0.1, "high": value + 0.1}
    return {"exact_match": interval, "f1": interval}


FOUND = {
    "promoted": True,
    "winner": "a",
    "reason": "because",
    "candidates": {
        "a": {"rank": 1, "status": "winner", "before": score(0.1), "scores": score(0.25)},
        "long-name": {"rank": 2, "status": "tied", "before": score(0.1), "scores": score(0.2)},
    },
    "reference_points": {"overlap_sentence": {"questions": 9, "scores": score(0.15)}},
}
RESULT = {
    "scores": {"parameters": {"trainable": 8192, "total": 300000}},
    "shortened": {"train": 0, "validation": 0},
    "details": {"questions": 1},
}


def test_the_table_shows_scores_intervals_and_reference_points() -> None:
    """A line a candidate and a reference point, under a header, in columns."""
    board = leaderboard(FOUND, {"a": RESULT, "long-name": RESULT})
    header, first, second, reference = as_text(board).splitlines()
    assert "F1 after  95 % interval" in header
    assert first.split() == (
        ["1", "a", *["0.100", "0.250", "0.150", "-", "0.350"] * 2, "300,000", "2.73%", "winner"]
    )
    assert second.startswith("2  long-name")
    assert reference.split() == (
        ["overlap", "sentence", *["0.150", "0.050", "-", "0.250"] * 2, "reference"]
    )
    assert first.index("0.250") == second.index("0.200") == reference.index("0.150")


def test_the_scores_stay_plain_numbers_for_dvc() -> None:
    """`dvc metrics` compares numbers; the intervals stand beside them."""
    board = leaderboard(FOUND, {"a": RESULT, "long-name": RESULT})
    assert board["winner"] == "a"
    assert board["candidates"]["a"]["after"] == {"exact_match": 0.25, "f1": 0.25}
    assert board["candidates"]["a"]["intervals"]["f1"] == [0.15, 0.35]


def test_a_refusal_leaves_no_model(in_folder: Path) -> None:
    """The production folder then holds the reason alone, whatever was there."""
    Path("models/production").mkdir(parents=True)
    Path("models/production/model.json").touch()
    write_refusal("nothing is promoted: why")
    assert [path.name for path in Path("models/production").iterdir()] == ["refusal.json"]
    assert json.loads(Path("models/production/refusal.json").read_text("utf-8")) == {
        "reason": "nothing is promoted: why"
    }


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
            f"metrics/candidates/{name}.json": "{}",
            f"metrics/cost/train/{name}.json": "{}",
            f"metrics/cost/evaluate/{name}.json": "{}",
            f"metrics/curves/{name}.tsv": "step\tloss\n1\t0.5\n",
            f"metrics/predictions/{name}.jsonl": '{"windows": 2}\n{"windows": 1}\n',
            f"metrics/details/{name}.json": "{}",
            f"models/adapters/{name}/training.json": '{"shortened": 3}',
        }.items():
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(content, encoding="utf-8")
    results = read_results(["a"])
    assert list(results) == ["a"]
    assert results["a"]["shortened"] == {"train": 3, "validation": 1}
    assert results["a"]["rows"] == [{"windows": 2}, {"windows": 1}]
    assert results["a"]["curve"] == [{"step": "1", "loss": "0.5"}]
