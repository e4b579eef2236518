"""The folder whose state a scatter runs: the project itself, or a variant's workspace."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from vestibular.clones.clone import make_clone
from vestibular.core.errors import first_line
from vestibular.core.version_control import last_line, run_dvc, run_git
from vestibular.scatter.errors import ScatterError
from vestibular.scatter.folders import scatter_folder
from vestibular.scatter.pipeline import Progress
from vestibular.scatter.snapshot import Snapshot, take


def follow_dvc(project: Path, *arguments: str) -> int:
    """Run a DVC command and show its output; return its exit status.

    Stages use this Python, even if another one comes first in PATH.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "dvc", *arguments],
        check=False,
        cwd=project,
        env={**os.environ, "PATH": path},
    ).returncode


def run_trunk(project: Path, trunk: Sequence[str]) -> None:
    """Run the stages that all cells depend on.

    Raises:
        ScatterError: a stage failed; DVC has printed why.
    """
    if trunk and follow_dvc(project, "repro", *trunk):
        raise ScatterError(f"{', '.join(trunk)}: failed, as DVC says above; no cell was started")


def cache_folder(project: Path) -> Path:
    """Return the folder of DVC's cache."""
    done = run_dvc("cache", "dir", folder=project)
    if done.returncode:
        raise ScatterError(f"dvc cache dir: {last_line(done.stderr)}")
    return (project / done.stdout.strip()).absolute()


def state_of(project: Path) -> tuple[Snapshot, str]:
    """Commit the project's tracked files on no branch; return the commit and its content's hash."""
    snapshot = take(project, Progress((), (), ()))
    asked = run_git("rev-parse", f"{snapshot.ref}^{{tree}}", folder=project)
    return snapshot, asked.stdout.strip()


def make_variant(name: str, overrides: Sequence[str], untracked: Sequence[str]) -> tuple[Path, str]:
    """Make a workspace that holds the project with other settings.

    The project's own files stay unchanged, since the cells may take days.

    Args:
        name: name of the experiment.
        overrides: settings in the form of `dvc exp run --set-param`.
        untracked: folders that `prepare` reads and that git may not track.

    Returns:
        the project's folder in the workspace, and the hash of the project's content without the
        other settings.

    Raises:
        ScatterError: DVC cannot parse an override, or it does not fit the settings.
    """
    snapshot, content = state_of(Path())
    remove_variant(name)
    project = make_clone(snapshot.commit, _variant(name)).project
    for folder in (*untracked, *snapshot.linked):
        place = project / folder
        if Path(folder).exists() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(Path(folder).absolute())
    _override(project, overrides)
    return project, content


def remove_variant(name: str) -> None:
    """Remove a variant's workspace, if there is one."""
    shutil.rmtree(_variant(name), ignore_errors=True)


def _variant(name: str) -> Path:
    return scatter_folder().absolute() / f"variant-{name}"


def _override(project: Path, overrides: Sequence[str]) -> None:
    from dvc.exceptions import DvcException
    from dvc.utils.cli_parse import to_path_overrides
    from dvc.utils.hydra import apply_overrides

    try:
        for path, values in to_path_overrides(overrides).items():
            apply_overrides(project / path, values)
    except (DvcException, ValueError) as error:
        raise ScatterError(f"--set-param: {first_line(error)}") from None
