"""The winner's scores, the first row of `dvc metrics show` and `dvc exp show`."""

from pydantic import Field

from vestibular.core.file_formats import FileFormat


class WinnerFile(FileFormat):
    """`metrics/winner.json`."""

    MADE_BY = "dvc repro select"

    winner: str
    """The promoted candidate, or `none`."""
    exact_match: float | None = Field(alias="em")
    """Its exact match on the questions that decided, rounded to four places; null if none is
    promoted."""
    f1: float | None
    """Its F1 on the same questions."""
