"""Short descriptions of how much two files differ."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

from vestibular.verification.contents import kept_file

SHOWN = 2
"""Number of differences that are named before the others are counted."""
WEIGHTS = ".safetensors"


def describe_file(path: Path, old: bytes, new: bytes) -> str:
    """Describe the difference between two files.

    Args:
        path: their path, which determines their kind.
        old: the commit's own content.
        new: the new content.
    """
    try:
        if path.suffix == ".json":
            return _values(dict(_leaves(json.loads(old))), dict(_leaves(json.loads(new))))
        if path.suffix == ".tsv":
            return _tables(old.decode(), new.decode())
    except ValueError:
        # someone has edited it
        return f"the commit's own is not {path.suffix.removeprefix('.').upper()}"
    return _lines(old, new)


def describe_folder(old: Mapping[str, str] | None, new: Mapping[str, str], folder: Path) -> str:
    """Describe which files of a folder differ, and by how much if they are weights.

    Args:
        old: hash of each of the commit's own files, by name; None if they are not here.
        new: hash of each new file.
        folder: folder of the new files.
    """
    if old is None:
        return "amount unknown: the commit's own files are not here"
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    parts = []
    for name in names[:SHOWN]:
        if name not in new or name not in old:
            parts.append(f"{name} is {'missing' if name not in new else 'new'}")
        elif name.endswith(WEIGHTS):
            parts.append(f"{name}: {_weights(old[name], folder / name)}")
        else:
            parts.append(name)
    return f"{len(names)} of {len(new)} files: {_joined(parts, len(names))}"


def _leaves(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values of a JSON document, each with the path to it."""
    below: list[tuple[object, object]] = []
    if isinstance(value, dict):
        below = list(value.items())
    elif isinstance(value, list):
        below = list(enumerate(value))
    if not below:
        yield place, value
    for key, each in below:
        yield from _leaves(each, f"{place}.{key}" if place else str(key))


def _values(old: Mapping[str, object], new: Mapping[str, object]) -> str:
    names = [
        name
        for name in {**old, **new}
        if name not in old or name not in new or old[name] != new[name]
    ]
    parts = [
        f"{name}: {_short(old.get(name, 'missing'))} -> {_short(new.get(name, 'missing'))}"
        for name in names[:SHOWN]
    ]
    return _joined(parts, len(names)) or "the same values in a different form"


def _tables(old: str, new: str) -> str:
    """Describe by how much the number columns of two tables differ."""
    before, after = (list(csv.DictReader(io.StringIO(text), delimiter="\t")) for text in (old, new))
    if len(before) != len(after):
        return f"{len(before)} rows -> {len(after)} rows"
    largest: dict[str, float] = {}
    for one, other in zip(before, after, strict=True):
        for name in {**one, **other}:
            first, second = one.get(name), other.get(name)
            if first == second:
                continue
            try:
                apart = abs(float(first or "") - float(second or ""))
            except ValueError:
                return f"{name}: {_short(first)} -> {_short(second)}"
            largest[name] = max(largest.get(name, 0.0), apart)
    parts = [f"{name} by up to {apart:.2g}" for name, apart in list(largest.items())[:SHOWN]]
    return _joined(parts, len(largest)) or "the same values in a different form"


def _lines(old: bytes, new: bytes) -> str:
    pairs = zip_longest(old.split(b"\n"), new.split(b"\n"))
    apart = sum(one != other for one, other in pairs)
    return f"{apart} {'line' if apart == 1 else 'lines'}"


def _weights(old: str, new: Path) -> str:
    """Describe by how much the numbers of two weight files differ."""
    before = kept_file(old)
    if before is None:
        return "amount unknown"
    # imported here: torch takes seconds, but supports all number formats
    from safetensors.torch import load_file

    one, other = load_file(before), load_file(new)
    shapes = [{name: tensor.shape for name, tensor in each.items()} for each in (one, other)]
    if shapes[0] != shapes[1]:
        return "different tensors"
    apart = max(float((one[name].double() - other[name].double()).abs().max()) for name in one)
    scale = max(float(one[name].double().abs().max()) for name in one)
    return f"weights by up to {apart:.2g}, with a maximum of {scale:.2g}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= 40 else text[:37] + "..."


def _joined(parts: list[str], count: int) -> str:
    more = [f"and {count - len(parts)} more"] if count > len(parts) else []
    return ", ".join([*parts, *more])
