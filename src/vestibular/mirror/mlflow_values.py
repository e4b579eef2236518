"""Values and marks in MLflow's form, and the restoring of deleted runs."""

import itertools
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from vestibular.mirror.records import Point, RunRecord, Value
from vestibular.mirror.target import Call, Marks, TargetGoneError, read_marks

ADDRESS = "sqlite:///mlflow.db"
"""Default address if MLFLOW_TRACKING_URI is not set."""
ADDRESS_VARIABLE = "MLFLOW_TRACKING_URI"
MOST_AT_ONCE = 100
RUN_TAG = "vestibular.run"
MARKS_TAG = "vestibular.marks"
LONGEST_TAG = 7_500
"""In characters; MLflow accepts 8,000."""
SAME = 1e-5
"""Relative difference below which two values of a step are the same."""


def marks_as_tags(marks: Marks) -> dict[str, str]:
    """Split marks into texts of a tag's length, by tag name; each text is valid by itself."""
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
    """Return the names of the tags that contain marks."""
    return [tag for tag in tags if tag == MARKS_TAG or tag.startswith(f"{MARKS_TAG}.")]


def marks_in(tags: Mapping[str, str]) -> Marks:
    """Return the marks contained in tags."""
    marks: Marks = {}
    for tag in marks_tags(tags):
        marks |= read_marks(tags[tag])
    return marks


def changed_tags(known: Mapping[str, str], marks: Marks) -> dict[str, str]:
    """Return the tags that have to change; one that is no longer needed becomes empty."""
    tags = dict.fromkeys(marks_tags(known), "{}") | marks_as_tags(marks)
    return {tag: text for tag, text in tags.items() if known.get(tag) != text}


def address() -> str:
    """Return the address of the service."""
    return os.environ.get(ADDRESS_VARIABLE) or ADDRESS


def find_experiment(client: Any, name: str) -> str:
    """Return the id of an experiment, creating it if needed.

    Raises:
        TargetGoneError: it is in MLflow's trash; the text says how to restore it.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name))
    if found.lifecycle_stage == "deleted":
        advice = how_to_restore("experiment", str(found.experiment_id))
        raise TargetGoneError(f"the experiment {name} has been deleted in MLflow; {advice}")
    return str(found.experiment_id)


def how_to_restore(kind: str, identifier: str) -> str:
    """Return commands for something in MLflow's trash, ready to be typed.

    Args:
        kind: `experiment` or `run`.
        identifier: MLflow's id.
    """
    # a user who set the variable has it in the terminal too; MLflow's own default differs between
    # versions
    own = "" if os.environ.get(ADDRESS_VARIABLE) else f"{ADDRESS_VARIABLE}={ADDRESS} "
    # a server knows its own store
    served = address().startswith("http")
    store = "" if served else f"--backend-store-uri {address()} "
    return (
        f"restore it with `{own}mlflow {kind}s restore --{kind}-id {identifier}`, or delete it "
        f"permanently{' on the server' if served else ''} with `{own}mlflow gc "
        f"{store}--{kind}-ids {identifier}` to have it pushed again"
    )


def shown_name(run: RunRecord) -> str:
    """Return a run's name in MLflow's lists: its candidate, and DVC's experiment if any."""
    experiment = run.fields.get("run/experiment")
    return run.candidate if experiment is None else f"{run.candidate} ({experiment})"


def versions_by_run(versions: Iterable[Any], run_ids: Collection[str]) -> dict[str, Any]:
    """Return model versions by our names of their runs; if there are several, the oldest.

    A version whose run was permanently deleted has lost its files too. It stays under a name of its
    own, and the run gets a new version.

    Args:
        versions: MLflow's versions.
        run_ids: MLflow's ids of all existing runs, including those in the trash.
    """
    found = {}
    for version in sorted(versions, key=lambda version: -int(version.version)):
        if (name := version.tags.get(RUN_TAG)) is not None:
            lost = version.run_id not in run_ids
            found[f"{name} of {version.run_id}" if lost else name] = version
    return found


def log_in_parts(
    client: Any,
    call: Call,
    run_id: str,
    metrics: Sequence[Any] = (),
    params: Sequence[Any] = (),
    tags: Sequence[Any] = (),
) -> None:
    """Log metrics, parameters and tags in batches of the size that MLflow accepts."""
    for start in range(0, max(len(metrics), len(params), len(tags)), MOST_AT_ONCE):
        call("set fields")
        part = slice(start, start + MOST_AT_ONCE)
        client.log_batch(
            run_id, metrics=metrics[part], params=params[part], tags=tags[part], synchronous=True
        )


def make_model(client: Any, name: str) -> None:
    """Create a registered model unless it exists."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def as_text(value: Value) -> str:
    """Format a value as text; whole numbers without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def differ(known: Mapping[int, float], points: Iterable[Point]) -> bool:
    """Return whether a step has another value than before; a curve's values are rounded."""
    return any(
        abs(known[point.step] - point.value) > SAME * max(abs(known[point.step]), abs(point.value))
        for point in points
        if point.step in known
    )


def names_of(run: str) -> Iterator[str]:
    """Yield a run's name, then those of further trainings that should have been the same."""
    yield run
    for number in itertools.count(2):
        yield f"{run}-{number}"


def list_runs(client: Any, experiment: str, view: int) -> dict[str, Any]:
    """Return an experiment's runs by our names; if there are several, the one that started first.

    Args:
        client: MLflow's client.
        experiment: id of the experiment.
        view: one of `ViewType`: existing or deleted runs.
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
