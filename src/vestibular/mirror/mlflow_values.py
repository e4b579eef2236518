"""Values and marks as MLflow keeps them."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vestibular.mirror.records import Point, Value
from vestibular.mirror.target import Marks, read_marks

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


def marks_in(tags: Mapping[str, str]) -> Marks:
    """Return the marks that tags hold."""
    marks: Marks = {}
    for tag in marks_tags(tags):
        marks |= read_marks(tags[tag])
    return marks


def changed_tags(known: Mapping[str, str], marks: Marks) -> dict[str, str]:
    """Return those tags that hold marks and are not known; one that is not needed holds none."""
    tags = dict.fromkeys(marks_tags(known), "{}") | marks_as_tags(marks)
    return {tag: text for tag, text in tags.items() if known.get(tag) != text}


def make_model(client: Any, name: str) -> None:
    """Make a registered model, if it is not there."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def as_text(value: Value) -> str:
    """Return a value as text; a whole number without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def differ(known: Mapping[int, float], points: Iterable[Point]) -> bool:
    """Say whether a step has another value than is known; a curve's values are rounded."""
    return any(
        abs(known[point.step] - point.value) > SAME * max(abs(known[point.step]), abs(point.value))
        for point in points
        if point.step in known
    )


def names_of(run: str) -> Iterator[str]:
    """Yield a run's name, and those of further trainings that should have been the same."""
    yield run
    for number in itertools.count(2):
        yield f"{run}-{number}"


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
