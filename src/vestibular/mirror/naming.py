"""Names and values that every service takes, and that tell what they stand for."""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from vestibular.mirror.records import Value

LONGEST_PART = 100
"""Characters between two slashes."""
LONGEST_NAME = 240
"""Characters in all; MLflow takes 250."""
LARGEST_EXACT = 2**53
"""Whole numbers up to here are exact as floats."""


def flatten(prefix: str, content: Mapping[str, Any]) -> dict[str, Value]:
    """Return nested mappings as one, with paths for keys and a value of each leaf.

    Numbers become floats, since services cut large integers off or take the first value's type
    for the field's; lists become text; None becomes `None`.
    """
    return dict(_leaves(prefix, content))


def _leaves(prefix: str, content: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    for key, value in content.items():
        # a slash within a key would open a level that is not there
        name = f"{prefix}/{str(key).replace('/', '_')}"
        if isinstance(value, Mapping):
            yield from _leaves(name, value)
        else:
            yield name, simple(value)


def simple(value: Any) -> Value:
    """Return a value as text, truth or a finite float, with nothing lost."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return float(value) if abs(value) <= LARGEST_EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return str(value)


def safe_names(names: list[str]) -> dict[str, str]:
    """Return for each name one that every service takes, different names for different ones.

    A name that cannot stay as it is gets a piece of its hash at its end.
    """
    plain = {name: "/".join(_safe_part(part) for part in name.split("/")) for name in names}
    # of the names as they become: a folder may have been changed into a field's name
    parents = {
        "/".join(parts[:level])
        for parts in (safe.split("/") for safe in plain.values())
        for level in range(1, len(parts))
    }
    result = {}
    for name, safe in plain.items():
        # a field cannot be a folder of fields as well
        if safe != name or len(safe) > LONGEST_NAME or safe in parents:
            mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            safe = f"{safe[: LONGEST_NAME - 9].rstrip('/')}_{mark}"
        result[name] = safe
    return result


def _safe_part(part: str) -> str:
    # a comma, a quote or a bracket means something in one or the other service's queries
    part = re.sub(r"[^\w.\- ]", "_", part, flags=re.ASCII).strip()[:LONGEST_PART].strip()
    return part if part.strip(".") else "_"
