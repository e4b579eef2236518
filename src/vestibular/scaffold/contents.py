"""Which of the library's own repository a user's project is made of.

The build reads this module too, without the library's dependencies: it imports the standard
library alone.
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
"""What every project has, and `vestibular upgrade` keeps up to date."""
STARTED = (".dvc/config", "metrics/repeats/.gitkeep")
"""What every project has, and is the user's from then on."""
DEMO = ("params.yaml", "demo/data/*.json", "demo/bases/*/*")
"""What a project with the demo has in addition to these."""

TEMPLATE = "vestibular/scaffold/template"
"""Where a wheel has these files."""
SOURCES = ("src/neptune_server", "src/vestibular")
"""The packages of the wheel."""
DESCRIPTION = ("LICENSE", "README.md", "pyproject.toml", "hatch_build.py")
"""What else decides what is in a wheel."""


def found(root: Path, patterns: Iterable[str]) -> Iterator[str]:
    """Yield the files below a folder that match, by their paths from there, in a fixed order."""
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            if path.is_file():
                yield path.relative_to(root).as_posix()


def packed(root: Path) -> dict[str, str]:
    """Return what the wheel has in addition to its packages: the path there by the path here."""
    names = found(root, (*MAINTAINED, *STARTED, *DEMO))
    return {str(root / name): f"{TEMPLATE}/{name}" for name in names}


def content_sha256(root: Path) -> str:
    """Return one SHA-256 over the names and bytes of all that decides what is in a wheel."""
    names = list(found(root, (*MAINTAINED, *STARTED, *DEMO, *DESCRIPTION)))
    sources = found(root, [f"{source}/**/*" for source in SOURCES])
    names += [name for name in sources if "__pycache__" not in name]
    digest = hashlib.sha256()
    for name in sorted(names):
        content = hashlib.sha256((root / name).read_bytes()).hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
