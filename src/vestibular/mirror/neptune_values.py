"""What Neptune's tables hold, and what can be done about what was deleted there."""

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
"""How a run is opened: what is known of it is in its spool, and nothing of this process is its."""
STOP_SECONDS = 5.0
STAGES: tuple[Stage, ...] = ("none", "staging", "production", "archived")


@dataclass
class Known:
    """A version that the server has."""

    sys_id: str
    name: str
    stage: str
    marks: str

    @property
    def as_stage(self) -> Stage:
        """The stage; `none` where the server says nothing of it."""
        return next((stage for stage in STAGES if stage == self.stage), "none")


def cell(entry: Any, name: str) -> str:
    """Return a cell of one of the client's tables as text; empty if the field is not there."""
    try:
        return str(entry.get_attribute_value(name))
    except ValueError:
        return ""


def run_rows(project: Any, columns: list[str], trashed: bool) -> list[Any]:
    """Return the rows of a project's table of runs, or of those of them in the trash."""
    table = project.fetch_runs_table(columns=columns, trashed=trashed, progress_bar=False)
    return list(table.to_rows())


def make_model(neptune: Any, key: str) -> str:
    """Make a model of a key; return Neptune's name of it.

    Raises:
        DataError: the key was another model's, which has been deleted.
    """
    from neptune.exceptions import NeptuneModelKeyAlreadyExistsError

    try:
        model = neptune.init_model(key=key, name=key, mode="sync")
    except NeptuneModelKeyAlreadyExistsError:
        raise DataError(
            f"the model of the key {key} has been deleted in Neptune, which gives no key twice; "
            "write another `registry.model_key` in params.yaml"
        ) from None
    name = str(model["sys/id"].fetch())
    model.stop(seconds=STOP_SECONDS)
    return name


def how_to_delete(project: str, name: str) -> str:
    """Return the command that takes a run out of the trash for good, as it can be typed.

    Args:
        project: its name, with the workspace's.
        name: Neptune's name of the run, such as `VEST-3`.
    """
    command = "from neptune.management import delete_objects_from_trash as delete; "
    return (
        f"{name} is in the trash; to have the run pushed anew, delete that for good: "
        f"python -c \"{command}delete('{project}', ['{name}'])\""
    )
