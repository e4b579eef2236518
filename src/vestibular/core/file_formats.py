"""Files that stages exchange and users read: typed, versioned, read in one place.

A format is a pydantic model with a docstring per field. Its `version` grows when a reader of the
previous version can no longer read it; a file without a version is version 1.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vestibular.core.errors import DataError
from vestibular.core.files import atomic_file, read_json, to_json


class Part(BaseModel):
    """A group of values in a file: frozen, typed, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        # allow field names such as model_bytes
        protected_namespaces=(),
    )


class FileFormat(Part):
    """The content of a whole file, or of one line of a JSON Lines file."""

    VERSION: ClassVar[int] = 1
    """Version written by this code."""
    MADE_BY: ClassVar[str] = "dvc repro"
    """Command that creates the file, for messages."""

    version: int = Field(default=1, ge=1)
    """Version of the format; not written if it is 1."""

    @model_validator(mode="before")
    @classmethod
    def _is_of_this_version(cls, content: Any) -> Any:
        # an object created here equals the one read back
        return {"version": cls.VERSION, **content} if isinstance(content, dict) else content

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Return the content of an older file in the current version."""
        raise DataError(f"is of version {version}, which is no longer supported")

    @classmethod
    def parse(cls, content: Any, path: Path) -> Self:
        """Check a file's content.

        Args:
            content: the parsed JSON.
            path: the file, for messages.

        Raises:
            DataError: it is of a newer version, or malformed.
        """
        if not isinstance(content, dict):
            raise DataError(f"{path}: must contain a JSON object; {cls._again()}")
        version = content.get("version", 1)
        if not isinstance(version, int) or version > cls.VERSION:
            raise DataError(
                f"{path}: is of version {version}, but this Vestibular reads only up to "
                f"{cls.VERSION}; use the Vestibular that wrote it, or {cls._again()}"
            )
        if version < cls.VERSION:
            try:
                content = {**cls.upgrade(dict(content), version), "version": cls.VERSION}
            except (KeyError, TypeError, DataError) as error:
                raise DataError(
                    f"{path}: cannot be read as a file of version {version} ({error}); "
                    f"{cls._again()}"
                ) from None
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            place = ".".join(map(str, fault["loc"]))
            raise DataError(
                f"{path}: {place or 'the file'}: {fault['msg'].lower()}; it is a result: "
                f"{cls._again()}"
            ) from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            DataError: it is missing, of a newer version, or malformed.
        """
        if not path.exists():
            raise DataError(f"{path}: not found; {cls._again()} first")
        return cls.parse(read_json(path), path)

    @classmethod
    def read_lines(cls, path: Path) -> list[Self]:
        """Read a JSON Lines file.

        Raises:
            DataError: as `read`, with the line.
        """
        if not path.exists():
            raise DataError(f"{path}: not found; {cls._again()} first")
        found = []
        # as bytes: a line that is not UTF-8 is reported with its number
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                place = Path(f"{path}:{number}")
                try:
                    content = json.loads(line)
                except ValueError as error:
                    raise DataError(f"{place}: not JSON: {error}; {cls._again()}") from None
                found.append(cls.parse(content, place))
        return found

    def to_text(self) -> str:
        """Render the file's text, the version first."""
        return to_json(self._content())

    def write(self, path: Path) -> None:
        """Write the file atomically."""
        with atomic_file(path) as temporary:
            temporary.write_text(self.to_text(), encoding="utf-8")

    @classmethod
    def write_lines(cls, path: Path, rows: Iterable[Self]) -> None:
        """Write a JSON Lines file atomically."""
        with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row._content(), ensure_ascii=False, allow_nan=False) + "\n")

    def _content(self) -> dict[str, Any]:
        content = self.model_dump(mode="json", by_alias=True, exclude={"version"})
        # DVC shows every number in a metrics file as a column
        return content if self.VERSION == 1 else {"version": self.VERSION, **content}

    @classmethod
    def _again(cls) -> str:
        return f"run `{cls.MADE_BY}`"
