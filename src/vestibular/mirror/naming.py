"""Names and values in a form that every service accepts without loss."""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from vestibular.mirror.records import Value

LONGEST_PART = 100
"""Maximum number of characters between two slashes."""
LONGEST_NAME = 240
"""Maximum number of characters in total; MLflow accepts 250."""
LARGEST_EXACT = 2**53
"""Integers up to here are exact as floats."""


def flatten(prefix: str, content: Mapping[str, Any]) -> dict[str, Value]:
    """Flatten nested mappings: slash-separated paths to simple values.

    Numbers become floats, since services truncate large integers or fix a field's type by its first
    value; lists become text; None becomes `None`.
    """
    return dict(_leaves(prefix, content))


def _leaves(prefix: str, content: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    for key, value in content.items():
        # a slash in a key would add a level
        name = f"{prefix}/{str(key).replace('/', '_')}"
        if isinstance(value, Mapping):
            yield from _leaves(name, value)
        else:
            yield name, simple(value)


def simple(value: Any) -> Value:
    """Return a value as text, boolean or finite float, without loss."""
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
    """Return for each name a unique name that every service accepts.

    A name that has to change gets a part of its hash appended.
    """
    plain = {name: "/".join(_safe_part(part) for part in name.split("/")) for name in names}
    # based on the changed names: a folder's new name may equal a field's
    parents = {
        "/".join(parts[:level])
        for parts in (safe.split("/") for safe in plain.values())
        for level in range(1, len(parts))
    }
    result = {}
    for name, safe in plain.items():
        # a field cannot also be a folder of fields
        if safe != name or len(safe) > LONGEST_NAME or safe in parents:
            mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            safe = f"{safe[: LONGEST_NAME - 9].rstrip('/')}_{mark}"
        result[name] = safe
    return result


def _safe_part(part: str) -> str:
    # commas, quotes and brackets have a meaning in the services' queries
    part = re.sub(r"[^\w.\- ]", "_", part, flags=re.ASCII).strip()[:LONGEST_PART].strip()
    return part if part.strip(".") else "_"
