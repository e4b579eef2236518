"""The rows of a Parquet file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestibular.core.errors import first_line
from vestibular.data.columns import check_columns
from vestibular.data.findings import Origin, refusal
from vestibular.data.reading import opened
from vestibular.data.sources import Row

if TYPE_CHECKING:
    import pyarrow

ROWS_AT_ONCE = 1000


def parquet_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[Origin, Row]]:
    """Yield the rows with their numbers, counted from 1.

    Raises:
        DataError: it is not Parquet, a column is missing or duplicated, or a text is not UTF-8.
    """
    # imported here: a third of a second that the other formats do not need
    import pyarrow
    import pyarrow.parquet

    with opened(path) as source:
        try:
            file = pyarrow.parquet.ParquetFile(source)
            check_columns(Origin(path), columns, file.schema_arrow.names)
            table = file.read(columns=list(columns))
        # some errors of pyarrow derive from Python's own types
        except (pyarrow.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            what = f"not Parquet: {first_line(error)}"
            raise refusal("not_parquet", Origin(path), what) from None
    number = 0
    for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE):
        for row in _values(batch, path, number):
            number += 1
            yield Origin(path, number), row


def parquet_columns(path: Path) -> list[str]:
    """Return the names of the columns.

    Raises:
        DataError: it is not Parquet.
    """
    import pyarrow
    import pyarrow.parquet

    with opened(path) as source:
        try:
            return list(pyarrow.parquet.read_schema(source).names)
        except (pyarrow.ArrowException, OSError, ValueError) as error:
            what = f"not Parquet: {first_line(error)}"
            raise refusal("not_parquet", Origin(path), what) from None


def _values(batch: "pyarrow.RecordBatch", path: Path, before: int) -> list[dict[str, Any]]:
    """Return a batch's rows as Python values; `before` rows precede it.

    Raises:
        DataError: a text is not UTF-8, or a value is out of Python's range; names the row.
    """
    import pyarrow

    try:
        # texts are not decoded before they are accessed
        batch.validate(full=True)
        return batch.to_pylist()  # type: ignore[no-any-return]
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        fault = error
    for place in range(batch.num_rows):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            try:
                one = column.slice(place, 1)
                one.validate(full=True)
                one.to_pylist()
            except (pyarrow.ArrowException, ValueError, OverflowError) as error:
                origin = Origin(path, before + place + 1).at(f"column {name}")
                unreadable = (
                    "not UTF-8 text"
                    if "utf" in str(error).lower()
                    else "cannot be read as a Python value"
                )
                what = f"{unreadable}: {first_line(error)}"
                raise refusal("not_utf8", origin, what) from None
    raise refusal("not_parquet", Origin(path), f"not Parquet: {first_line(fault)}")
