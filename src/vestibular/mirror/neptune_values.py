"""What Neptune's client returns, as the mirror uses it."""

from dataclasses import dataclass
from typing import Any


@dataclass
class KnownVersion:
    """A version that the server has."""

    sys_id: str
    name: str
    stage: str
    marks: str


def cell(entry: Any, name: str) -> str:
    """Return a cell of one of the client's tables as text; empty if the field is not there."""
    try:
        return str(entry.get_attribute_value(name))
    except ValueError:
        return ""
