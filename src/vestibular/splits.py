"""A validation split for a source that has none: whole documents, drawn by their names."""

import hashlib
from collections.abc import Sequence

from vestibular.errors import DataError
from vestibular.records import Record


def split_by_document(
    records: Sequence[Record], validation_size: float, seed: int
) -> tuple[list[Record], list[Record]]:
    """Return training and validation questions, no document in both.

    Documents are taken in the order of a hash of seed and name until `validation_size` (a
    fraction of the questions) is reached, so that the same documents are held out whatever the
    order of the file, and a new document moves few others.

    Raises:
        DataError: there is only one document.
    """
    counts: dict[str, int] = {}
    for record in records:
        counts[record.document] = counts.get(record.document, 0) + 1
    if len(counts) < 2:
        raise DataError(
            "data.validation_size: all questions are about one document, which cannot be "
            "split; give a file of validation questions as data.validation"
        )
    order = sorted(counts, key=lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest())
    held_out: set[str] = set()
    wanted = validation_size * len(records)
    for name in order[:-1]:
        held_out.add(name)
        if sum(counts[document] for document in held_out) >= wanted:
            break
    return (
        [record for record in records if record.document not in held_out],
        [record for record in records if record.document in held_out],
    )
