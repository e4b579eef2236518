"""A validation split for a source that has none: whole documents, drawn by their names."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from vestibular.core.documents import document_numbers
from vestibular.core.errors import DataError
from vestibular.data.records import Record


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
    numbers = document_numbers(records)
    names: dict[int, str] = {}
    for number, record in zip(numbers, records, strict=True):
        name = record.title or record.context
        names[number] = min(name, names.get(number, name))
    if len(names) < 2:
        raise DataError(
            "data.validation_size: all questions are about one document, which cannot be "
            "split; give a file of validation questions as data.validation"
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
