"""What `prepare` converted, mended, noted, left out or refused: a row each, in one file.

The counts in `metrics/data.json` are sums over these rows. Texts that are quoted are cut to
`MOST_SHOWN` characters; the source has the whole.
"""

from typing import Literal

from pydantic import Field

from vestibular.core.file_formats import FileFormat

MOST_SHOWN = 200
"""Characters of a text that a row quotes."""

Action = Literal["converted", "mended", "kept", "left_out", "refused"]


class AuditRow(FileFormat):
    """A line of `data/audit.jsonl`, or of `.vestibular/refused_data.jsonl` after a refusal."""

    MADE_BY = "dvc repro prepare"

    split: Literal["train", "validation"] | None
    """Split that the row of the source is in; null where it is in none."""
    kind: str
    """What was found, by its name: a field of `LeftOut`, `Faults` or `Converted` in
    `data_metrics.py`, or the kind of a refusal."""
    action: Action
    """What became of it: `converted` to what it plainly means, `mended`, `kept` as it is though
    it is a fault, `left_out`, or `refused`, upon which `prepare` ended."""
    file: str
    """The source file."""
    row: int | None = Field(default=None, ge=1)
    """Number of the question or of the table's row in its file, counted from 1 without a header;
    null where it concerns the whole file."""
    line: int | None = Field(default=None, ge=1)
    """Line of a text file on which the row begins, where the format has lines."""
    place: str | None = None
    """Path into SQuAD's JSON (`data[0].paragraphs[2].qas[1]`) or name of the column."""
    question: str | None = None
    """The question's id in the source, where it is known."""
    found: str
    """What stands there."""
    done: str
    """What was made of it."""
