"""Transfer of a version's files between DVC's cache, its remote and a folder."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vestibular.core.errors import DataError, first_line
from vestibular.core.paths import PRODUCTION
from vestibular.core.version_control import foreign_repositories_named

if TYPE_CHECKING:
    from dvc.repo import Repo


def download(artifact: str, version: str, folder: Path) -> None:
    """Get a version's files from the cache or the DVC remote into a new folder.

    Raises:
        DataError: the folder is in use, or neither the cache nor the remote has the files.
    """
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: exists already; name a new folder, or remove it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        try:
            with _repository() as repo:
                repo.artifacts.download(artifact, version=version, out=f"{scratch}/model")
        except (DvcException, DataIndexDirError, FileNotFoundError) as error:
            raise DataError(
                f"{artifact}: {version}: its files are neither in DVC's cache nor in a remote that "
                f"can be reached ({first_line(error)}); where they were made, run `vestibular "
                f"registry push --version {version}`"
            ) from None
        if folder.exists():
            folder.rmdir()
        shutil.move(Path(scratch, "model"), folder)


def push(artifact: str, version: str, tag: str) -> int:
    """Copy a version's files from the cache to the DVC remote; return how many were missing there.

    Raises:
        DataError: there is no remote, it does not take them, or the cache lacks one.
    """
    from dvc.exceptions import DvcException

    with _repository() as repo:
        if not repo.config["core"].get("remote"):
            raise DataError(
                "no default DVC remote is set up; run `dvc remote add --default NAME ADDRESS`"
            )
        try:
            return int(repo.push(targets=[PRODUCTION.as_posix()], revs=[tag], workspace=False))
        except (DvcException, OSError) as error:
            raise DataError(f"{artifact}: {version}: not pushed: {first_line(error)}") from None


@contextmanager
def _repository() -> Iterator["Repo"]:
    """Open the project for DVC so that the current remotes are used for every commit.

    By default DVC uses those of the commit: none if the remote was added later, and another folder
    if its address is relative, since DVC reads a commit as a file system of its own.
    """
    from dvc.config import Config
    from dvc.repo import Repo

    today = Config.from_cwd(validate=False)
    remotes = {"core": today.get("core", {}), "remote": today.get("remote", {})}
    with foreign_repositories_named(), Repo(".", config=remotes) as repo:
        yield repo
