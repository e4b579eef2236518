"""A candidate's settings: `train` overridden by the candidate's own values."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from vestibular.core.errors import ParamsError
from vestibular.core.paths import PARAMS
from vestibular.core.settings import Location, Settings, validate
from vestibular.core.yaml_files import kind, read_yaml

CANDIDATE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
OWN_KEYS = ("base_model", "revision")
"""Keys of a candidate itself; every other key overrides a value of `train`."""

S = TypeVar("S", bound=Settings)


def load_for_candidate(model: type[S], name: str, path: Path = PARAMS) -> S:
    """Read the part of the settings that a stage of one candidate needs.

    Args:
        model: the part to read; `train`, `base_model` and `revision` come from the candidate,
            everything else from the top level.
        name: the candidate.
        path: the settings file.

    Raises:
        ParamsError: there is no such candidate, or a value that the stage needs is wrong.
    """
    content = read_yaml(path)
    faults, candidates = merge_candidates(content)
    if candidates is None or name not in candidates:
        known = ", ".join(candidates or ())
        faults.append(f"candidates.{name}: no such candidate ({known})")
        raise ParamsError("\n".join(f"{path}: {fault}" for fault in faults))
    values = {**content, **candidates[name]}
    own = {"train", *OWN_KEYS} & model.model_fields.keys()

    def locate(location: Location) -> Location | None:
        if location[0] not in own:
            return location
        place = written_location(("candidates", name, *location), content)
        return place or location

    found = {key: values[key] for key in model.model_fields if key in values}
    return validate(model, found, path, locate, faults)


def merge_candidates(
    content: Mapping[str, Any],
) -> tuple[list[str], dict[str, Any] | None]:
    """Merge each candidate's own values over `train`; collect the faults."""
    faults: list[str] = []
    candidates = content.get("candidates")
    if not isinstance(candidates, Mapping):
        return faults, None
    if not candidates:
        faults.append("candidates: is empty; name at least one base model")
    shared = content.get("train")
    merged = {}
    spellings: dict[str, str] = {}
    for name, own in candidates.items():
        other = spellings.setdefault(str(name).lower(), str(name))
        if other != str(name):
            faults.append(
                f"candidates.{name}: differs from {other} only in case, and some file systems do "
                "not tell the two apart"
            )
        if not isinstance(name, str):
            faults.append(f"candidates.{name}: YAML reads this name as {name!r}; put it in quotes")
        elif not CANDIDATE_NAME.fullmatch(name):
            faults.append(
                f"candidates.{name}: a candidate's name may contain only letters, digits, '_' and "
                "'-' (a dot would split the name for DVC)"
            )
        elif not isinstance(own, Mapping):
            faults.append(f"candidates.{name}: must be a mapping, not {kind(own)}")
        elif isinstance(shared, Mapping):
            overrides = {key: value for key, value in own.items() if key not in OWN_KEYS}
            merged[name] = {
                **{key: own[key] for key in OWN_KEYS if key in own},
                "train": overlay(shared, overrides),
            }
    return faults, merged


def overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` overridden by `above`; nested mappings are merged key by key."""
    result = dict(below)
    for key, value in above.items():
        under = result.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        result[key] = overlay(under, value) if both else value  # type: ignore[arg-type]
    return result


def written_location(location: Location, content: Mapping[str, Any]) -> Location | None:
    """Return where the user wrote a candidate's value; None if it comes from `train` itself."""
    if len(location) > 3 and location[0] == "candidates" and location[2] == "train":
        location = (*location[:2], *location[3:])
        written: Any = content
        for part in location:
            if isinstance(written, Mapping) and part not in written:
                return None
            written = written[part] if isinstance(written, Mapping) else None
    return location
