"""Content of Neptune's tables, and the handling of what was deleted there."""

from dataclasses import dataclass
from typing import Any

from vestibular.core.errors import DataError
from vestibular.mirror.records import Stage

QUIET: dict[str, Any] = {
    "mode": "sync",
    "source_files": [],
    "git_ref": False,
    "capture_hardware_metrics": False,
    "capture_stdout": False,
    "capture_stderr": False,
    "capture_traceback": False,
}
"""Options for opening a run: its data come from the spool, not from this process."""
STOP_SECONDS = 5.0
STAGES: tuple[Stage, ...] = ("none", "staging", "production", "archived")


@dataclass
class Known:
    """A version on the server."""

    sys_id: str
    name: str
    stage: str
    marks: str

    @property
    def as_stage(self) -> Stage:
        """The stage; `none` if the server has none."""
        return next((stage for stage in STAGES if stage == self.stage), "none")


def cell(entry: Any, name: str) -> str:
    """Return a cell of one of the client's tables as text; empty if the field is missing."""
    try:
        return str(entry.get_attribute_value(name))
    except ValueError:
        return ""


def run_rows(project: Any, columns: list[str], trashed: bool) -> list[Any]:
    """Return the rows of a project's table of runs, or of its trash."""
    table = project.fetch_runs_table(columns=columns, trashed=trashed, progress_bar=False)
    return list(table.to_rows())


def make_model(neptune: Any, key: str) -> str:
    """Create a model with a key; return Neptune's name of it.

    Raises:
        DataError: the key belonged to a model that has been deleted.
    """
    from neptune.exceptions import NeptuneModelKeyAlreadyExistsError

    try:
        model = neptune.init_model(key=key, name=key, mode="sync")
    except NeptuneModelKeyAlreadyExistsError:
        raise DataError(
            f"the model of the key {key} has been deleted in Neptune, which never reuses a key; "
            "write another `registry.model_key` in params.yaml"
        ) from None
    name = str(model["sys/id"].fetch())
    model.stop(seconds=STOP_SECONDS)
    return name


def how_to_delete(project: str, name: str) -> str:
    """Return the command that permanently deletes a run in the trash, ready to be typed.

    Args:
        project: name of the project, with the workspace.
        name: Neptune's name of the run, such as `VEST-3`.
    """
    command = "from neptune.management import delete_objects_from_trash as delete; "
    return (
        f"{name} is in the trash; to have the run pushed again, delete it permanently: python -c "
        f"\"{command}delete('{project}', ['{name}'])\""
    )
