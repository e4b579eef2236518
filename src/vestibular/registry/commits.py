"""The commit that a result belongs to, asked from git."""

import subprocess
from pathlib import Path

from vestibular.core.errors import DataError
from vestibular.core.files import file_md5

LOCK = "dvc.lock"


def commit_of(path: Path) -> str | None:
    """Return the commit that recorded a stage's output as it lies here; None if none has.

    `dvc.lock` names every output by its MD5, so that the commit which first has it there is the
    run's. A file cannot name that commit itself: the commit depends on its bytes.

    Raises:
        DataError: this is no git repository, or git is not installed.
    """
    digest = file_md5(path)
    command = ["git", "log", "--format=%H", "-S", digest, "--", LOCK]
    try:
        result = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    except FileNotFoundError:
        raise DataError("git: not found; install it to find out a result's commit") from None
    except subprocess.CalledProcessError as error:
        raise DataError(f"git: {error.stderr.strip()}") from None
    # the newest is the last one to bring or to remove it
    commits = result.stdout.split()
    return commits[0] if commits and digest in _lock_at(commits[0]) else None


def _lock_at(commit: str) -> str:
    command = ["git", "show", f"{commit}:./{LOCK}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
