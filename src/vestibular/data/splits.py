"""A validation split drawn for a source without one: whole documents, by hashed name."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vestibular.core.data_metrics import DrawnSplit
from vestibular.data.findings import Origin, refusal
from vestibular.data.leaks import joined_documents
from vestibular.data.sources import SourceQuestion


def split_by_document(
    records: Sequence[SourceQuestion],
    validation_size: float,
    seed: int,
    source: Path = Path("data"),
) -> tuple[list[SourceQuestion], list[SourceQuestion]]:
    """Return training and validation questions that share no document and no overlapping text.

    Documents are taken in the order of a hash of seed and name until `validation_size` (a fraction
    of the questions) is reached, so that the same documents are held out whatever the order of the
    file, and a new document moves few others.

    Args:
        records: all questions.
        validation_size: fraction of them to hold out.
        seed: another seed holds out other documents.
        source: their file, for messages.

    Raises:
        DataError: there is only one document, or no question at all.
    """
    if not records:
        raise refusal("no_question", Origin(source), "contains no question")
    numbers = joined_documents(records)
    names: dict[int, str] = {}
    for number, record in zip(numbers, records, strict=True):
        name = record.title or record.context
        names[number] = min(name, names.get(number, name))
    if len(names) < 2:
        raise refusal(
            "one_document",
            Origin(source),
            "data.validation_size: all questions are about one document, which cannot be split; "
            "name a file of validation questions as data.validation",
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
    """Return the share that was held out, with a warning if it is far from the requested one.

    Documents are held out whole, so that a large one may take the split far beyond the request.

    Args:
        trained: number of training questions.
        held_out: number of validation questions.
        asked: fraction of the questions to hold out.
    """
    share = held_out / (trained + held_out)
    far = abs(share - asked) > asked / 2
    warning = (
        f"data.validation_size: {asked:.0%} was requested, but {share:.0%} of the questions are "
        "held out, since documents are held out whole and one is large; set another seed, or "
        "name a file of validation questions as data.validation"
    )
    return DrawnSplit(asked=asked, share=round(share, 6), warning=warning if far else None)
