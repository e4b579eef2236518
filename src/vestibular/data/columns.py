"""Check that a table has each column named in the settings exactly once."""

from collections import Counter
from collections.abc import Iterable

from vestibular.data.findings import Origin, refusal


def check_columns(origin: Origin, wanted: Iterable[str], found: Iterable[str]) -> None:
    """Check that all columns exist and that no name is used twice.

    Args:
        origin: the file, and the line of its header if the format has lines.
        wanted: names of the required columns.
        found: names of the existing columns.

    Raises:
        DataError: a column is missing, or a name is used twice.
    """
    names = list(found)
    # spreadsheets leave unnamed columns at the end
    counts = Counter(name for name in names if name.strip())
    if twice := [name for name, count in counts.items() if count > 1]:
        raise refusal(
            "repeated_column",
            origin,
            f"has the column {', '.join(twice)} twice; give every column a unique name",
        )
    if missing := [column for column in wanted if column not in counts]:
        raise refusal(
            "missing_column",
            origin,
            f"has no column {', '.join(missing)} (it has {', '.join(sorted(names)) or 'none'}); "
            "correct the names in params.yaml under data.columns",
        )
