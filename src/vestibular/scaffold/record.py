"""The library's record in a project: `code/`, tracked by git."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Self

from vestibular.core.errors import DataError
from vestibular.core.file_formats import FileFormat
from vestibular.core.files import atomic_file
from vestibular.core.installed import CODE, REQUIREMENT, hash_line, library_version, packages

RECORD = CODE / "record.json"


class Record(FileFormat):
    """`code/record.json`: the files of the library, with the texts that it wrote."""

    MADE_BY = f"git checkout HEAD -- {RECORD}"

    library: str
    """Version of the library that last wrote the project's files."""
    packages: list[str]
    """Packages that have a file in `code`."""
    files: dict[str, list[str]]
    """Lines of each file as written by the library, by path: the base for a merge."""

    @classmethod
    def of(cls, texts: Mapping[str, str], packages: Iterable[str]) -> Self:
        """Record files with their texts."""
        lines = {name: text.splitlines(keepends=True) for name, text in texts.items()}
        return cls(library=library_version(), packages=list(packages), files=lines)

    @classmethod
    def here(cls) -> Self:
        """Read the current project's record.

        Raises:
            DataError: this is not a project, or the file is damaged.
        """
        if not CODE.is_dir():
            raise DataError(
                f"{CODE}: not found; run the command in the top folder of a project made by "
                "`vestibular new` (a clone of the library's own repository is updated with git)"
            )
        found = cls.read(RECORD)
        for name in (*found.files, *found.packages):
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise DataError(f"{RECORD}: {name}: is outside the project; {cls._again()}")
        return found

    def texts(self) -> dict[str, str]:
        """Return the files' texts by path."""
        return {name: "".join(lines) for name, lines in self.files.items()}


def code_files(names: Iterable[str]) -> dict[str, str]:
    """Return the files of `code` that stages depend on, by path: each has its package's hash.

    Raises:
        DataError: the library has no package of that name.
    """
    known = packages()
    for name in names:
        if name not in known:
            raise DataError(
                f"dvc.yaml: ${{code}}/{name}: the library has no such package ({', '.join(known)})"
            )
    return {(CODE / name).as_posix(): hash_line(name) for name in names}


def requirement_file() -> dict[str, str]:
    """Return the pip requirement file for the library, by path."""
    return {(CODE / REQUIREMENT).as_posix(): f"vestibular=={library_version()}\n"}


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files below a folder, each atomically."""
    for name, text in texts.items():
        with atomic_file(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
