"""Makes sure that a table has the columns that the settings name, each of them once."""

from collections import Counter
from collections.abc import Iterable

from vestibular.data.findings import Origin, refusal


def check_columns(origin: Origin, wanted: Iterable[str], found: Iterable[str]) -> None:
    """Make sure that all columns are there, and that no two have one name.

    Args:
        origin: the file, and the line of its header if it has lines.
        wanted: names of the columns that are read.
        found: names of those that are there.

    Raises:
        DataError: some are missing, and says which there are; or a name stands there twice.
    """
    names = list(found)
    # spreadsheets leave columns without a name at the end
    counts = Counter(name for name in names if name.strip())
    if twice := [name for name, count in counts.items() if count > 1]:
        raise refusal(
            "repeated_column",
            origin,
            f"has the column {', '.join(twice)} twice; give every column a name of its own",
        )
    if missing := [column for column in wanted if column not in counts]:
        raise refusal(
            "missing_column",
            origin,
            f"has no column {', '.join(missing)} (it has {', '.join(sorted(names)) or 'none'}); "
            "name the right ones in params.yaml under data.columns",
        )
