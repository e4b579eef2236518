"""Compare the results of two clones of the project, output by output.

    python -m bench.compare_clones BEFORE AFTER

Run `dvc repro` in both first, on one machine, since last bits differ between machines. Use it to
check a change that should not change any result. It compares the content, not the files' format:
weights bit by bit, every answer with its scores, every curve, the choice. It ends with status 1 if
anything differs.
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vestibular.core.files import file_sha256


def main() -> None:
    """Print a line for each output, and end with status 1 if one differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("before", type=Path, help="a clone with a finished `dvc repro`")
    parser.add_argument("after", type=Path, help="another one")
    arguments = parser.parse_args()
    before, after = dict(results(arguments.before)), dict(results(arguments.after))
    differing = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    for name in {**before, **after}:
        print(f"{'differs' if name in differing else 'equal':8} {name}")
    print(f"{len(differing)} of {len({**before, **after})} outputs differ")
    sys.exit(bool(differing))


def results(project: Path) -> Iterator[tuple[str, Any]]:
    """Yield each result's name, and its content independently of the file's format."""
    adapters = sorted((project / "models/adapters").glob("*/*.safetensors"))
    for path in adapters:
        yield f"weights of {path.parent.name}", file_sha256(path)
    for name in [path.parent.name for path in adapters]:
        yield f"curve of {name}", _curve(project / f"metrics/curves/{name}.tsv")
        yield f"answers of {name}", _answers(project, name)
        yield f"scores of {name}", _scores(project, name)
    board = json.loads((project / "metrics/leaderboard.json").read_text(encoding="utf-8"))
    yield "choice", (board["promoted"], board["winner"])
    yield (
        "ranks",
        [(name, row["rank"], row["status"]) for name, row in board["candidates"].items()],
    )


def _curve(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _answers(project: Path, name: str) -> list[tuple[Any, ...]]:
    """Return each question's ID with the base's and the tuned model's answer and scores."""
    rows = _rows(project / f"metrics/predictions/{name}.jsonl")
    if "before" in rows[0]:
        # in older versions the base had no exam of its own, and a row held both answers
        return [(row["id"], _scored(row["before"]), _scored(row["after"])) for row in rows]
    base = {row["id"]: _scored(row) for row in _rows(project / f"metrics/bases/{name}.jsonl")}
    return [(row["id"], base[row["id"]], _scored(row)) for row in rows]


def _scored(row: dict[str, Any]) -> tuple[str, float, float]:
    return row["answer"], row["exact_match"], row["f1"]


def _rows(path: Path) -> list[dict[str, Any]]:
    # not splitlines, because a text may hold other line separators than the file's
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _scores(project: Path, name: str) -> list[float]:
    """Return exact match and F1 of the base and of the tuned model."""
    older = project / f"metrics/candidates/{name}.json"
    path = older if older.exists() else project / f"metrics/exam/{name}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    return [
        round(content[when][metric], 4)
        for when in (("before", "after") if path == older else ("base", "tuned"))
        for metric in (("exact_match", "f1") if path == older else ("em", "f1"))
    ]


if __name__ == "__main__":
    main()
