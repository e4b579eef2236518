"""Files in DVC's cache, found by their MD5."""

import functools
from pathlib import Path

from vestibular.core.version_control import run_dvc

DEFAULT = Path(".dvc/cache/files/md5")
"""Place of the cache unless DVC's configuration says otherwise."""


def cached_object(md5: str) -> Path | None:
    """Return the path of a file, or a folder's list of files, in the cache; None if missing."""
    place, project = Path(md5[:2], md5[2:]), Path.cwd()
    if (usual := project / DEFAULT / place).exists():
        return usual
    elsewhere = _configured(project)
    return elsewhere / place if elsewhere and (elsewhere / place).exists() else None


@functools.cache
def _configured(project: Path) -> Path | None:
    """Return the configured place, None without a project; asking DVC takes a second."""
    asked = run_dvc("cache", "dir", folder=project)
    # DVC prints an inner folder relative to the project
    return project / asked.stdout.strip() / "files/md5" if asked.returncode == 0 else None
