"""The installed library, and whether a project's stages were hashed with it.

In the library's own repository DVC hashes the packages themselves. A user's project instead has a
file per package, `code/<package>`, with the hash of its content; `vestibular upgrade` writes these
files.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vestibular.core.errors import LaunchError, exit_on_error
from vestibular.core.files import file_sha256

LIBRARY = Path(__file__).parents[1]
CODE = Path("code")
"""In a user's project: one file per package that `dvc.yaml` names, and their record."""
REQUIREMENT = "requirements.txt"
"""In that folder: the library that the files belong to, as a pip requirement."""
BYTECODE = "__pycache__"


def library_version() -> str:
    """Return the version of the running library, without the hash if it may have been edited."""
    try:
        installed = version("vestibular")
    except PackageNotFoundError:
        return "unknown"
    return installed.partition("+")[0] if in_checkout() else installed


def in_checkout() -> bool:
    """Return whether the library runs from its own repository."""
    return (LIBRARY.parents[1] / "pyproject.toml").is_file() and LIBRARY.parent.name == "src"


def packages() -> list[str]:
    """Return the names of the library's packages."""
    return sorted(path.parent.name for path in LIBRARY.glob("*/__init__.py"))


def package_sha256(name: str) -> str:
    """Return one SHA-256 over the names and bytes of a package's files, bytecode excluded."""
    folder = LIBRARY / name
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_file() and BYTECODE not in place.parts:
            digest.update(f"{place.as_posix()}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()


def hash_line(name: str) -> str:
    """Return the content of a project's file for a package."""
    return f"{package_sha256(name)}\n"


def named_packages(code: Path) -> list[str]:
    """Return the packages for which a project has a file."""
    return sorted(path.name for path in code.iterdir() if path.name.isidentifier())


def differing(code: Path) -> list[str]:
    """Return the packages whose installed content differs from a project's file."""
    known = set(packages())
    return [
        name
        for name in named_packages(code)
        if name not in known or (code / name).read_bytes() != hash_line(name).encode()
    ]


@exit_on_error
def refuse_another_library(project: Path) -> None:
    """Stop a stage if the project belongs to another library than the installed one.

    DVC would record the results of one library under the hashes of another. The
    `stages/__init__.py` of every project, old ones included, calls this function: its name and
    argument must stay.

    Args:
        project: the project's top folder.

    Raises:
        SystemExit: a package differs.
    """
    code = project / CODE
    if code.is_dir() and (names := differing(code)):
        wanted = code / REQUIREMENT
        asked = wanted.read_text("utf-8", "replace").strip() if wanted.is_file() else "missing"
        raise LaunchError(
            f"{CODE}: {', '.join(names)}: the installed library differs from this project's "
            f"(installed: vestibular=={library_version()}; {CODE / REQUIREMENT}: {asked}); run "
            "`vestibular upgrade` to continue with the installed one, or install the project's"
        )
