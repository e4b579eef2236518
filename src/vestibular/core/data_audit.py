"""The audit of the data: one row per value that `prepare` converted, mended, noted or refused.

The counts in `metrics/data.json` are sums over these rows. Quoted texts are cut to `MOST_SHOWN`
characters; the source has the full text.
"""

from typing import Literal

from pydantic import Field

from vestibular.core.file_formats import FileFormat

MOST_SHOWN = 200
"""Maximum number of characters of a quoted text."""

Action = Literal["converted", "mended", "kept", "left_out", "refused"]


class AuditRow(FileFormat):
    """A line of `data/audit.jsonl`, or of `.vestibular/refused_data.jsonl` after a refusal."""

    MADE_BY = "dvc repro prepare"

    split: Literal["train", "validation"] | None
    """Split of the source row; null if it belongs to none."""
    kind: str
    """Name of the finding: a field of `LeftOut`, `Faults` or `Converted` in `data_metrics.py`, or
    the kind of a refusal."""
    action: Action
    """What was done: `converted` to the obvious meaning, `mended`, `kept` as it is despite the
    fault, `left_out`, or `refused`, which ended `prepare`."""
    file: str
    """The source file."""
    row: int | None = Field(default=None, ge=1)
    """Number of the question or table row in its file, counted from 1, header excluded; null if the
    finding concerns the whole file."""
    line: int | None = Field(default=None, ge=1)
    """Line of the text file on which the row begins; null for formats without lines."""
    place: str | None = None
    """Path in SQuAD's JSON (`data[0].paragraphs[2].qas[1]`) or the name of the column."""
    question: str | None = None
    """The question's id in the source, if known."""
    found: str
    """Value in the source."""
    done: str
    """What `prepare` made of it."""
