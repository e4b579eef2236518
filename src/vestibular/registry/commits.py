"""The commit that a result belongs to, according to git."""

from pathlib import Path

from vestibular.core.errors import ShallowHistoryError
from vestibular.core.files import file_md5
from vestibular.core.version_control import (
    committed_text,
    git_output,
    shallow_commits,
)

LOCK = "dvc.lock"
UNSHALLOW = "git fetch --unshallow"
"""Command that downloads the rest of a shallow clone's history."""


def commit_of(path: Path) -> str | None:
    """Return the commit that recorded a stage's current output; None if there is none.

    `dvc.lock` names every output by its MD5, so that the run's commit is the one that introduced
    this MD5. A file cannot name that commit itself: the commit depends on its bytes.

    Raises:
        ShallowHistoryError: the history ends at a commit with this output, which may not be the
            first.
        GitError: git is not installed, or does not open a repository here.
    """
    digest = file_md5(path)
    # the newest commit that introduced or removed it
    commits = git_output("log", "--format=%H", "-S", digest, "--", LOCK).split()
    if not commits or digest not in (committed_text(commits[0], LOCK) or ""):
        return None
    if commits[0] in shallow_commits():
        raise ShallowHistoryError(
            f"{path}: this clone is shallow, and may lack the commit that recorded the file; run: "
            f"{UNSHALLOW}"
        )
    return commits[0]
