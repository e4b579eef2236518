"""Git repositories as users have them: of another user, without git, cut short."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.commands import RUN_SECONDS, environment, run

STRANGER = 4242
"""A user that is neither root nor who runs the tests."""


def git(folder: Path, *arguments: str) -> str:
    """Run git and return what it prints."""
    return run(folder, "git", *arguments).stdout


def commit_all(folder: Path, message: str) -> str:
    """Commit everything, in a repository that is made if need be; return the commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "config", "user.name", "Ana Prado")
        git(folder, "config", "user.email", "ana@example.org")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", f"--message={message}")
    return git(folder, "rev-parse", "HEAD").strip()


def give_away(folder: Path) -> dict[str, str]:
    """Make a repository another user's; return the variables with which git sees it so.

    Only root can give a folder away. For everybody else git has a variable of its own tests.
    """
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    (home / ".gitconfig").write_text("[user]\nname = Ana\nemail = ana@example.org\n")
    mine = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    if os.geteuid() != 0:
        return {**mine, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    for path in (folder, *folder.rglob("*")):
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    return mine


def without_git(folder: Path) -> dict[str, str]:
    """Return a PATH that names every program here except git."""
    place = folder / "programs-without-git"
    if not place.exists():
        place.mkdir()
        for name in ("sh", "env", "cat"):
            (place / name).symlink_to(str(shutil.which(name)))
    return {"PATH": str(place)}


def command(
    folder: Path, variables: dict[str, str], module: str, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """Run a module of the project as a program, with variables of one's own."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
