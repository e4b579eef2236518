"""A validation split for a source that has none: whole documents, drawn by their names."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vestibular.core.data_metrics import DrawnSplit
from vestibular.data.findings import Origin, refusal
from vestibular.data.leaks import joined_documents
from vestibular.data.records import Record


def split_by_document(
    records: Sequence[Record], validation_size: float, seed: int, source: Path = Path("data")
) -> tuple[list[Record], list[Record]]:
    """Return training and validation questions, no document in both, nor two that overlap.

    Documents are taken in the order of a hash of seed and name until `validation_size` (a
    fraction of the questions) is reached, so that the same documents are held out whatever the
    order of the file, and a new document moves few others.

    Args:
        records: all questions.
        validation_size: fraction of them that is to be held out.
        seed: another one holds other documents out.
        source: their file, for messages.

    Raises:
        DataError: there is only one document, or no question at all.
    """
    if not records:
        raise refusal("no_question", Origin(source), "holds no question")
    numbers = joined_documents(records)
    names: dict[int, str] = {}
    for number, record in zip(numbers, records, strict=True):
        name = record.title or record.context
        names[number] = min(name, names.get(number, name))
    if len(names) < 2:
        raise refusal(
            "one_document",
            Origin(source),
            "data.validation_size: all questions are about one document, which cannot be "
            "split; give a file of validation questions as data.validation",
        )
    counts = Counter(numbers)
    order = sorted(
        names, key=lambda number: hashlib.sha256(f"{seed}\0{names[number]}".encode()).digest()
    )
    held_out: set[int] = set()
    taken = 0
    for number in order[:-1]:
        held_out.add(number)
        taken += counts[number]
        if taken >= validation_size * len(records):
            break
    pairs = list(zip(numbers, records, strict=True))
    return (
        [record for number, record in pairs if number not in held_out],
        [record for number, record in pairs if number in held_out],
    )


def drawn_split(trained: int, held_out: int, asked: float) -> DrawnSplit:
    """Return how large a share was held out, with a warning if it is far from the one asked for.

    Whole documents are held out, so that a large one may take the split far beyond what was asked.

    Args:
        trained: training questions.
        held_out: validation questions.
        asked: fraction of the questions that was to be held out.
    """
    share = held_out / (trained + held_out)
    far = abs(share - asked) > asked / 2
    warning = (
        f"data.validation_size: {asked:.0%} was asked for, and {share:.0%} of the questions are "
        "held out, since documents are held out whole and one is large; set another seed, or give "
        "a file of validation questions as data.validation"
    )
    return DrawnSplit(asked=asked, share=round(share, 6), warning=warning if far else None)
