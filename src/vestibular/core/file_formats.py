"""Files that stages hand each other, and that users read: typed, versioned, read in one place.

A format is a pydantic model with a docstring a field. Its `version` grows when a reader of the
version before could not read it any more; a file without one is of version 1.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vestibular.core.errors import DataError
from vestibular.core.files import atomic_file, read_json, to_json


class Part(BaseModel):
    """A group of values within a file: frozen, typed, without unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        populate_by_name=True,
        # fields may be called model_bytes
        protected_namespaces=(),
    )


class FileFormat(Part):
    """A file's whole content, or a line's in a file of JSON Lines."""

    VERSION: ClassVar[int] = 1
    """Version that this code writes."""
    MADE_BY: ClassVar[str] = "dvc repro"
    """Command that makes the file, for messages."""

    version: int = Field(default=1, ge=1)
    """Version of the format; not written where it is 1."""

    @model_validator(mode="before")
    @classmethod
    def _is_of_this_version(cls, content: Any) -> Any:
        # what is made here equals what is read back
        return {"version": cls.VERSION, **content} if isinstance(content, dict) else content

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Return the content of an older file as this version writes it."""
        raise DataError(f"is of version {version}, which is not read any more")

    @classmethod
    def parse(cls, content: Any, path: Path) -> Self:
        """Check a file's content.

        Args:
            content: what the JSON says.
            path: the file, for messages.

        Raises:
            DataError: it is of a newer version, or not what it should be.
        """
        if not isinstance(content, dict):
            raise DataError(f"{path}: must hold a JSON object; {cls._again()}")
        version = content.get("version", 1)
        if not isinstance(version, int) or version > cls.VERSION:
            raise DataError(
                f"{path}: is of version {version}, and this Vestibular reads up to "
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
            DataError: it is missing, of a newer version, or not what it should be.
        """
        if not path.exists():
            raise DataError(f"{path}: not found; {cls._again()} first")
        return cls.parse(read_json(path), path)

    @classmethod
    def read_lines(cls, path: Path) -> list[Self]:
        """Read a file of JSON Lines.

        Raises:
            DataError: as `read`, with the line.
        """
        if not path.exists():
            raise DataError(f"{path}: not found; {cls._again()} first")
        found = []
        # bytes: a line that is no UTF-8 is that line's fault, and named
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
        """Render the file's text, its version first."""
        return to_json(self._content())

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        with atomic_file(path) as temporary:
            temporary.write_text(self.to_text(), encoding="utf-8")

    @classmethod
    def write_lines(cls, path: Path, rows: Iterable[Self]) -> None:
        """Write a file of JSON Lines, whole or not at all."""
        with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row._content(), ensure_ascii=False, allow_nan=False) + "\n")

    def _content(self) -> dict[str, Any]:
        content = self.model_dump(mode="json", by_alias=True, exclude={"version"})
        # DVC shows every number of a metrics file in a column of its own
        return content if self.VERSION == 1 else {"version": self.VERSION, **content}

    @classmethod
    def _again(cls) -> str:
        return f"run `{cls.MADE_BY}`"
