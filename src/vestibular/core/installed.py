"""Which library is installed, and whether it is the one that a project's stages were hashed with.

In the library's own repository DVC hashes the packages themselves. A user's project has a file in
the place of each, `code/<package>`, with the hash of its content; `vestibular upgrade` writes them.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vestibular.core.errors import LaunchError, exit_on_error
from vestibular.core.files import file_sha256

LIBRARY = Path(__file__).parents[1]
CODE = Path("code")
"""In a user's project: a file for each package that `dvc.yaml` names, and the record of them."""
REQUIREMENT = "requirements.txt"
"""Among these: the library that they are of, as pip reads it."""
BYTECODE = "__pycache__"


def library_version() -> str:
    """Return the version of the library that runs, without a hash where it may have been edited."""
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
    """Return one SHA-256 over the names and bytes of a package's files, bytecode left out."""
    folder = LIBRARY / name
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if path.is_file() and BYTECODE not in place.parts:
            digest.update(f"{place.as_posix()}\0{file_sha256(path)}\n".encode())
    return digest.hexdigest()


def hash_line(name: str) -> str:
    """Return what a project's file for a package holds."""
    return f"{package_sha256(name)}\n"


def named_packages(code: Path) -> list[str]:
    """Return the packages that a project has a file for."""
    return sorted(path.name for path in code.iterdir() if path.name.isidentifier())


def differing(code: Path) -> list[str]:
    """Return the packages of a project whose installed content is another than its file says."""
    known = set(packages())
    return [
        name
        for name in named_packages(code)
        if name not in known or (code / name).read_bytes() != hash_line(name).encode()
    ]


@exit_on_error
def refuse_another_library(project: Path) -> None:
    """End a stage whose project is of another library than the one that is installed.

    DVC would record what this one makes under the hashes of the other. `stages/__init__.py` of
    every project calls it, those of older ones too: name and argument stay.

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
            f"{CODE}: {', '.join(names)}: the installed library is another one than this project's "
            f"(installed: vestibular=={library_version()}; {CODE / REQUIREMENT}: {asked}); run "
            "`vestibular upgrade` to go on with the installed one, or install the project's"
        )
