"""Draw whole documents from FaQuAD's training file, for trying recipes in minutes.

python -m bench.real_sample [--questions 280]

The questions of the exam (dev.json) are not used.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

FOLDER = Path("data/faquad")


def main() -> None:
    """Write data/faquad/sample.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=280, help="smallest number of questions")
    options = parser.parse_args()
    whole = json.loads((FOLDER / "train.json").read_text(encoding="utf-8"))
    drawn = sample(whole["data"], options.questions)
    text = json.dumps({**whole, "data": drawn}, ensure_ascii=False)
    (FOLDER / "sample.json").write_text(text + "\n", encoding="utf-8")
    print(f"{sum(map(questions, drawn))} questions of {len(drawn)} documents")


def sample(documents: list[dict[str, Any]], wanted: int) -> list[dict[str, Any]]:
    """Draw documents by a hash of their titles until they hold `wanted` questions."""
    order = sorted(documents, key=lambda one: hashlib.sha256(one["title"].encode()).digest())
    drawn: list[dict[str, Any]] = []
    for document in order:
        if sum(map(questions, drawn)) >= wanted:
            break
        drawn.append(document)
    return drawn


def questions(document: dict[str, Any]) -> int:
    """Return the number of questions in a document of a SQuAD file."""
    return sum(len(paragraph["qas"]) for paragraph in document["paragraphs"])


if __name__ == "__main__":
    main()
