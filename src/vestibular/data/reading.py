"""Source files read as text and as JSON; anything else is refused with its position."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, BinaryIO

from vestibular.core.characters import is_visible
from vestibular.core.errors import DataError
from vestibular.data.findings import Origin, refusal

TYPOGRAPHY = "\u201c\u201d\u201e\u2018\u2019\u2013\u2014\u2026\u20ac"
"""Quotation marks, dashes and the euro sign, which Windows-1252 encodes in one byte."""
BYTE_ORDER_MARK = "\ufeff"
HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
"""JSON's escape for half a surrogate pair, usually followed by the other half."""


class RepeatedKeyError(ValueError):
    """A JSON object has two values under one name."""


def opened(path: Path) -> BinaryIO:
    """Open a source file.

    Raises:
        DataError: the file does not exist or is empty.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise DataError(
            f"{path}: not found; put the file there, or name another in params.yaml under data"
        ) from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, not a file") from None
    except NotADirectoryError:
        raise DataError(f"{path.parent}: is a file, but data.source must name a folder") from None
    if path.stat().st_size == 0:
        file.close()
        raise refusal("empty_file", Origin(path), "is empty")
    return file


def read_text(path: Path) -> str:
    """Read a source file as UTF-8, with or without a byte order mark.

    Raises:
        DataError: the file does not exist, is empty, or is not UTF-8 text; names the line.
    """
    with opened(path) as file:
        data = file.read()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise refusal("not_utf8", Origin(path), "is UTF-16; save it as UTF-8 text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # the error's position does not count the byte order mark
        wrong = data.removeprefix(b"\xef\xbb\xbf")
        line = wrong.count(b"\n", 0, error.start) + 1
        raise refusal(
            "not_utf8",
            Origin(path, line=line),
            f"not UTF-8 text: {error.reason} (byte 0x{wrong[error.start]:02x}); save it as UTF-8"
            f"{_as_latin_1(path, wrong, error.start)}",
        ) from None
    if not is_visible(text):
        raise refusal("empty_file", Origin(path), "is empty")
    return text


def _as_latin_1(path: Path, data: bytes, at: int) -> str:
    """Return how the place reads in Windows-1252, and how to convert the file; or nothing."""
    try:
        letter = data[at : at + 1].decode("cp1252")
    except UnicodeDecodeError:
        return ""
    if not letter.isalpha() and letter not in TYPOGRAPHY:
        return ""
    start = data.rfind(b"\n", 0, at) + 1
    line = data[start:].partition(b"\n")[0].decode("cp1252", "replace")
    # in this encoding every byte is a character
    words = re.finditer(r'[^\s,;"]+', line)
    word = next((found[0] for found in words if found.start() <= at - start < found.end()), letter)
    name, mended = (shlex.quote(f"{path}{ending}") for ending in ("", ".utf-8"))
    return (
        f". As Latin-1 it reads {word[:40]!r}; save it as CSV UTF-8 in a spreadsheet, or convert "
        f"it: iconv -f CP1252 -t UTF-8 {name} > {mended} && mv {mended} {name}"
    )


def parse_json(text: str) -> Any:
    """Parse JSON; refuse objects with duplicate keys, and half characters.

    Raises:
        ValueError: it is not valid; says why.
    """
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    # UTF-8 has no half characters; escapes can spell them
    if HALF_CHARACTER.search(text):
        _refuse_half_characters(content)
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        beside = ", ".join(
            f"{name}: {value!r:.60}"
            for name, value in pairs
            if isinstance(value, str | int) and name != twice
        )
        raise RepeatedKeyError(
            f"an object has the key {twice!r} twice ({beside or 'it has no other keys'}); keep one"
        )
    return content


def _refuse_half_characters(content: object) -> None:
    """Refuse what JSON can spell but UTF-8 cannot hold.

    Raises:
        ValueError: `content` contains half a surrogate pair.
    """
    try:
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        near = error.object[max(0, error.start - 30) : error.start]
        raise ValueError(f"contains {half}, which is half a character, after {near!r}") from None
