"""Stages that `dvc repro` would run, and why."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestibular.core.errors import GitError
from vestibular.core.version_control import foreign_repositories_named, last_line, run_dvc


@dataclass(frozen=True)
class Reruns:
    """Stages that are out of date."""

    certain: Mapping[str, tuple[str, ...]]
    """Changed stages with what has changed."""
    possible: tuple[str, ...]
    """Later stages, which run if their inputs turn out different."""


def reruns() -> Reruns:
    """Ask DVC what it would run.

    Raises:
        GitError: DVC does not read the project.
    """
    done = run_dvc("status", "--json")
    if done.returncode:
        raise GitError(f"dvc status: {last_line(done.stderr)}")
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    certain = {stage: _reasons(changes) for stage, changes in said.items()}
    return Reruns(certain, tuple(_behind(certain)) if certain else ())


def has_run() -> bool:
    """Return whether the project's pipeline has ever run."""
    return Path("dvc.lock").exists()


def _reasons(changes: list[Any]) -> tuple[str, ...]:
    """Return what has changed: paths and settings, or DVC's own words."""
    found: dict[str, None] = {}
    for change in changes:
        if not isinstance(change, dict):
            found[str(change)] = None
            continue
        for things in change.values():
            for path, state in things.items():
                # settings are listed under their file
                names = state if isinstance(state, dict) else [path]
                found.update(dict.fromkeys(names))
    return tuple(found)


def _behind(stages: Mapping[str, Any]) -> list[str]:
    """Return the stages that depend on others, directly or indirectly."""
    # imported here: all of DVC takes a second
    from dvc.repo import Repo

    found: set[str] = set()
    with foreign_repositories_named(), Repo(".") as repo:
        graph = repo.index.graph
        next_ones = [stage for stage in graph if stage.addressing in stages]
        while next_ones:
            # an edge leads from a stage to one whose output it reads
            readers = set(graph.predecessors(next_ones.pop()))
            next_ones += [stage for stage in readers if stage.addressing not in found]
            found |= {stage.addressing for stage in readers}
    return sorted(found - set(stages))
