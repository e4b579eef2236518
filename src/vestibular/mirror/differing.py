"""In which settings a candidate's runs differ: what tells variants of one name apart in a list."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vestibular.mirror.records import Run

SHORT = 8
"""Digits of a hash that are shown."""
LONGEST = 60
"""Characters of a value that are shown; the whole of it is among the run's parameters."""


def differing_settings(runs: Iterable[Run]) -> dict[str, str]:
    """Return for each run its values of those settings that differ between its candidate's runs.

    Data and base model are named by the first digits of their hashes. A setting that only some
    runs have, as those of an earlier library, is not compared with its absence.

    Args:
        runs: all there are; their names may be those given or those that services take.

    Returns:
        texts such as `seed: 7, train.learning_rate: 0.02` by the runs' ids; none for a run that is
        like all others of its candidate.
    """
    by_candidate: dict[str, dict[str, dict[str, str]]] = {}
    for run in runs:
        by_candidate.setdefault(run.candidate, {})[run.id] = dict(_settings(run))
    found = {}
    for all_of in by_candidate.values():
        names = {name for values in all_of.values() for name in values}
        differ = {
            name
            for name in names
            if len({values[name] for values in all_of.values() if name in values}) > 1
        }
        for run_id, values in all_of.items():
            own = [f"{name}: {_shown(values[name])}" for name in sorted(differ & values.keys())]
            if own:
                found[run_id] = ", ".join(own)
    return found


def _settings(run: Run) -> Iterator[tuple[str, str]]:
    # the training's last: of a setting that both have, it is what the model was made with
    for part in ("evaluation", "finetuning"):
        yield from _leaves(run.settings.get(part, {}))
    for name in ("data/sha256", "base_model/sha256"):
        if name in run.fields:
            yield name.partition("/")[0], str(run.fields[name])[:SHORT]


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings by their keys with dots, as DVC writes them."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _plain(value)


def _shown(text: str) -> str:
    # a prompt has lines
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value)
