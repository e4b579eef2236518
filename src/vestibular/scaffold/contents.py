"""The files of the library's repository that make up a user's project.

The build imports this module without the library's dependencies: it uses only the standard library.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

MAINTAINED = (
    ".dvcignore",
    ".gitignore",
    ".dvc/.gitignore",
    ".dvc/plots/*.json",
    "dvc.yaml",
    "stages/*.py",
)
"""Files of every project that `vestibular upgrade` keeps up to date."""
STARTED = (".dvc/config", "metrics/repeats/.gitkeep")
"""Files of every project that belong to the user from the start."""
DEMO = ("params.yaml", "demo/data/*.json", "demo/bases/*/*")
"""Further files of a project with the demo."""

TEMPLATE = "vestibular/scaffold/template"
"""Place of these files in a wheel."""
SOURCES = ("src/neptune_server", "src/vestibular")
"""Packages in the wheel."""
DESCRIPTION = ("LICENSE", "README.md", "pyproject.toml", "hatch_build.py")
"""Other files that affect the content of a wheel."""


def found(root: Path, patterns: Iterable[str]) -> Iterator[str]:
    """Yield the paths of matching files below a folder, relative to it, in a fixed order."""
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            if path.is_file():
                yield path.relative_to(root).as_posix()


def packed(root: Path) -> dict[str, str]:
    """Return the wheel's files besides its packages: path in the wheel by path here."""
    names = found(root, (*MAINTAINED, *STARTED, *DEMO))
    return {str(root / name): f"{TEMPLATE}/{name}" for name in names}


def content_sha256(root: Path) -> str:
    """Return one SHA-256 over the names and bytes of everything that affects a wheel."""
    names = list(found(root, (*MAINTAINED, *STARTED, *DEMO, *DESCRIPTION)))
    sources = found(root, [f"{source}/**/*" for source in SOURCES])
    names += [name for name in sources if "__pycache__" not in name]
    digest = hashlib.sha256()
    for name in sorted(names):
        content = hashlib.sha256((root / name).read_bytes()).hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
