"""Settings in which a candidate's runs differ, to tell its variants apart in a list."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from vestibular.mirror.records import RunRecord

SHORT = 8
"""Number of digits shown of a hash."""
LONGEST = 60
"""Maximum number of characters shown of a value; the full value is among the run's parameters."""


def differing_settings(runs: Iterable[RunRecord]) -> dict[str, str]:
    """Return for each run its values of the settings that differ between its candidate's runs.

    Data and base model are named by the first digits of their hashes. A setting that only some runs
    have, such as those of an earlier library, is not compared with its absence.

    Args:
        runs: all runs; names may be the original ones or those for services.

    Returns:
        texts such as `seed: 7, train.learning_rate: 0.02` by run id; none for a run that equals all
            others of its candidate.
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


def _settings(run: RunRecord) -> Iterator[tuple[str, str]]:
    # the training's value last: for a setting of both, that one made the model
    for part in ("evaluation", "finetuning"):
        yield from _leaves(run.settings.get(part, {}))
    for name in ("data/sha256", "base_model/sha256"):
        if name in run.fields:
            yield name.partition("/")[0], str(run.fields[name])[:SHORT]


def _leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield settings by dotted key, as DVC writes them."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _plain(value)


def _shown(text: str) -> str:
    # a prompt has several lines
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value)
