"""Git and DVC, called through their own commands.

Git may be missing, may have no repository here, or may refuse one that another user owns, such as
the host's project inside a container. Each case has its own message.
"""

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from vestibular.core.errors import GitError, NoGitError, NoRepositoryError, first_line


def run_git(*arguments: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a git command; judging its failure is left to the caller.

    Args:
        arguments: arguments of the command.
        folder: where to run it; by default the current folder.

    Raises:
        NoGitError: git is not installed.
        NoRepositoryError: there is no repository here.
        GitError: there is one, and git does not open it.
    """
    # git's messages in English, as they are matched below
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            capture_output=True,
            check=False,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            cwd=folder,
        )
    except FileNotFoundError:
        raise NoGitError("git: not found; install it to look at the project's history") from None
    if done.returncode == 0:
        return done
    if "dubious ownership" in done.stderr:
        raise foreign_repository()
    if "not a git repository" in done.stderr:
        raise NoRepositoryError(f"{folder or Path.cwd()}: not a git repository")
    return done


def git_output(*arguments: str, folder: Path | None = None) -> str:
    """Run a git command that should succeed; return its output.

    Args:
        arguments: arguments of the command.
        folder: where to run it; by default the current folder.

    Raises:
        GitError: it fails.
    """
    done = run_git(*arguments, folder=folder)
    if done.returncode:
        raise GitError(f"git: {last_line(done.stderr)}")
    return done.stdout


def foreign_repository() -> GitError:
    """Return the error for a repository owned by another user."""
    return GitError(
        f"git: {top_folder()}: belongs to another user, so git does not open it; if you trust its "
        f"files, run: git config --global --add safe.directory {shlex.quote(str(top_folder()))}"
    )


def top_folder() -> Path:
    """Return the folder that contains `.git`, here or above; by default the current folder."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)


def check_repository() -> None:
    """Check that git opens the repository here.

    Raises:
        GitError: it does not.
    """
    git_output("rev-parse", "--git-dir")


@contextlib.contextmanager
def foreign_repositories_named() -> Iterator[None]:
    """Turn libgit2's refusal of another user's repository, which DVC passes on, into our error.

    Libgit2 reads git's configuration from files only, whereas git also reads the environment.

    Raises:
        GitError: libgit2 does not open the repository.
    """
    # imported here: the caller is about to import all of DVC anyway
    from pygit2 import GitError as RefusedError

    try:
        yield
    except RefusedError as error:
        if "not owned by current user" in str(error):
            raise foreign_repository() from None
        raise GitError(f"git: {first_line(error)}") from None


def folder_in_repository(folder: Path | None = None) -> str:
    """Return the path from the repository's top to a folder, by default the current one.

    Empty at the top itself, and outside a repository.

    Raises:
        GitError: git does not open the repository.
    """
    try:
        return git_output("rev-parse", "--show-prefix", folder=folder).rstrip("\n").rstrip("/")
    except NoRepositoryError:
        return ""


def missing_identity(folder: Path | None = None) -> bool:
    """Return whether git lacks the name or address for a commit or a tag.

    Raises:
        GitError: git does not open the repository.
    """
    return any(
        not os.environ.get(f"GIT_COMMITTER_{variable}")
        and not run_git("config", key, folder=folder).stdout.strip()
        for key, variable in (("user.name", "NAME"), ("user.email", "EMAIL"))
    )


def is_shallow() -> bool:
    """Return whether the history ends before the project's first commit.

    Raises:
        GitError: git does not open the repository.
    """
    return run_git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"


def shallow_commits() -> set[str]:
    """Return the commits at which a shallow clone's history ends: their parents are missing.

    Raises:
        GitError: git does not open the repository.
    """
    path = Path(run_git("rev-parse", "--git-path", "shallow").stdout.strip())
    return set(path.read_text(encoding="ascii").split()) if path.is_file() else set()


def head_commit() -> str:
    """Return the current commit.

    Raises:
        GitError: there is no commit yet, or git does not open the repository.
    """
    return git_output("rev-parse", "--verify", "HEAD^{commit}").strip()


def committed_text(commit: str, path: Path | str) -> str | None:
    """Return a file below the current folder as of a commit; None if the commit lacks it.

    Raises:
        GitError: git does not open the repository, or lacks the commit or the content.
    """
    name = f"./{Path(path).as_posix()}"
    listed = run_git("ls-tree", "-z", "--name-only", commit, "--", name)
    if listed.returncode == 0 and not listed.stdout:
        return None
    shown = run_git("show", f"{commit}:{name}")
    if shown.returncode:
        raise GitError(f"git: {commit}: {path}: {last_line(shown.stderr)}")
    return shown.stdout


def run_dvc(
    *arguments: str, seconds: float | None = None, folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a DVC command with this Python, whatever is on the PATH.

    Args:
        arguments: arguments of the command.
        seconds: timeout.
        folder: where to run it; by default the current folder.

    Raises:
        subprocess.TimeoutExpired: it took longer than `seconds`.
    """
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "dvc", *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=seconds,
        cwd=folder,
    )


def experiment_commit(name: str) -> str | None:
    """Return the commit of a DVC experiment, by its name in `dvc exp show`; None if unknown.

    If several experiments share the name, the current commit's one is meant.

    Raises:
        GitError: git does not open the repository, or the name is ambiguous.
    """
    # imported here: it takes a second, and only names unknown to git need it
    from dvc.exceptions import DvcException
    from dvc.repo.experiments.utils import AmbiguousExpRefInfo, resolve_name
    from dvc.scm import Git, SCMError

    try:
        with foreign_repositories_named(), contextlib.closing(Git()) as repository:
            found = resolve_name(repository, name)[name]
            return repository.get_ref(str(found)) if found else None
    except AmbiguousExpRefInfo:
        raise GitError(
            f"{name}: several experiments have this name; use a commit, as shown by `dvc exp list "
            "--all-commits`"
        ) from None
    except (DvcException, SCMError) as error:
        raise GitError(f"{name}: {first_line(error)}") from None


def last_line(text: str) -> str:
    """Return the last line of a command's output."""
    return (text.strip().splitlines() or ["no message"])[-1]
