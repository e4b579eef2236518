"""Values and marks as MLflow keeps them."""

import json
from collections.abc import Iterable
from typing import Any

from vestibular.mirror.records import Value
from vestibular.mirror.target import Marks

RUN_TAG = "vestibular.run"
MARKS_TAG = "vestibular.marks"
LONGEST_TAG = 7_500
"""Characters; MLflow takes 8,000."""
SAME = 1e-5
"""Two values of a step nearer than this, in parts of the value, are one."""


def marks_as_tags(marks: Marks) -> dict[str, str]:
    """Return marks as texts of a tag's length, by the tag's name; each is marks of its own."""
    parts: list[Marks] = [{}]
    length = 0
    for name, mark in marks.items():
        length += len(json.dumps({name: mark}))
        if length > LONGEST_TAG:
            parts.append({})
            length = len(json.dumps({name: mark}))
        parts[-1][name] = mark
    return {
        f"{MARKS_TAG}.{number}" if number else MARKS_TAG: json.dumps(part)
        for number, part in enumerate(parts)
    }


def marks_tags(tags: Iterable[str]) -> list[str]:
    """Return the names of those tags that hold marks."""
    return [tag for tag in tags if tag == MARKS_TAG or tag.startswith(f"{MARKS_TAG}.")]


def as_text(value: Value) -> str:
    """Return a value as text; a whole number without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def is_same(one: float, other: float) -> bool:
    """Say whether two values of a step are one: a curve is rounded."""
    return abs(one - other) <= SAME * max(abs(one), abs(other))


def list_runs(client: Any, experiment: str, view: int) -> dict[str, Any]:
    """Return an experiment's runs by our names for them; of several the one that started first.

    Args:
        client: MLflow's.
        experiment: its id.
        view: one of `ViewType`: those there are, or those deleted.
    """
    runs: dict[str, Any] = {}
    page = None
    while True:
        found = client.search_runs(
            [experiment],
            run_view_type=view,
            max_results=1000,
            page_token=page,
            order_by=["start_time"],
        )
        for run in found:
            if RUN_TAG in run.data.tags:
                runs.setdefault(run.data.tags[RUN_TAG], run)
        page = found.token
        if not page:
            return runs
