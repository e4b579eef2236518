"""Checks of a commit that need no run.

Are its results those of its own settings, code and data? Are they the files that the run wrote? Do
the answers have the recorded scores?
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vestibular.clones.clone import Clone
from vestibular.core.errors import DataError
from vestibular.core.installed import CODE
from vestibular.core.paths import PARAMS
from vestibular.core.version_control import last_line
from vestibular.core.yaml_files import read_yaml
from vestibular.registry.commits import LOCK
from vestibular.registry.revisions import flat
from vestibular.verification.contents import (
    damaged,
    differs,
    is_here,
    recorded,
    stages_of,
)
from vestibular.verification.pipeline import Output, Pipeline, Stage

SHOWN_STAGES = 4
"""Number of stages that a line names before it counts the others."""
NOT_SET = "not set"
Kind = Literal["not run", "settings", "command", "code", "data", "results", "cache", "scores"]


@dataclass(frozen=True)
class Finding:
    """A fault."""

    kind: Kind
    text: str
    path: str = ""
    """The output concerned, if there is one."""


def not_of_this_commit(
    clone: Clone, pipeline: Pipeline, lock: Mapping[str, Any], missing: Sequence[str]
) -> list[Finding]:
    """Return why the results are not those of the commit's own settings, code and data.

    Args:
        clone: contains all outputs that are available.
        pipeline: its stages.
        lock: content of its `dvc.lock`.
        missing: outputs that are not available and are not checked.

    Raises:
        DataError: DVC does not read the project.
    """
    found = [
        Finding("not run", f"{stage.name}: not in {LOCK}: it was not run")
        for stage in pipeline.stages
        if stage.name not in stages_of(lock)
    ]
    found += _settings(clone, pipeline, lock)
    made = {output.path: stage.name for stage, output in pipeline.outputs()}
    changed: dict[tuple[Kind, str], list[str]] = {}
    for stage, kind, path in _changes(clone, pipeline):
        if kind == "command":
            changed.setdefault(("command", "its command in dvc.yaml"), []).append(stage)
        elif not any(_within(one, path) for one in missing):
            changed.setdefault((_kind_of(path, made), path), []).append(stage)
    return found + [
        Finding(kind, f"{what}: changed since it was read by {_stages(stages)}")
        for (kind, what), stages in changed.items()
    ]


def _settings(clone: Clone, pipeline: Pipeline, lock: Mapping[str, Any]) -> list[Finding]:
    """Return the settings that have changed since a stage ran."""
    content = read_yaml(clone.project / PARAMS)
    values = flat(content)
    differing: dict[tuple[str, str, str], list[str]] = {}
    for stage in pipeline.stages:
        row = stages_of(lock).get(stage.name, {})
        for name, ran in (row.get("params", {}).get(PARAMS.as_posix()) or {}).items():
            then = flat({name: ran})
            now = {
                key: value
                for key, value in values.items()
                if key == name or key.startswith(f"{name}.")
            }
            for key in {**then, **now}:
                if then.get(key, NOT_SET) != now.get(key, NOT_SET):
                    words = (key, _shown(then, key), _shown(now, key))
                    differing.setdefault(words, []).append(stage.name)
    return [
        Finding(
            "settings",
            f"{key}: {then} when {_stages(stages)} {_were(stages)} run, {now} in {PARAMS}",
        )
        for (key, then, now), stages in differing.items()
    ]


def _changes(clone: Clone, pipeline: Pipeline) -> Iterator[tuple[str, str, str]]:
    """Yield what DVC finds changed: stage, `command` or `input`, and the path.

    Raises:
        DataError: DVC does not read the project.
    """
    done = clone.run_dvc("status", "--json")
    if done.returncode:
        raise DataError(f"dvc status: {last_line(done.stderr)}")
    said: dict[str, list[Any]] = json.loads(done.stdout.strip().splitlines()[-1])
    for stage in pipeline.stages:
        for change in said.get(stage.name, []):
            if not isinstance(change, dict):
                if change == "changed command":
                    yield stage.name, "command", ""
                continue
            for path, state in change.get("changed deps", {}).items():
                # settings are listed under their file
                if isinstance(state, str) and state == "modified":
                    yield stage.name, "input", path


def _kind_of(path: str, made: Mapping[str, str]) -> Kind:
    if any(_within(one, path) for one in made):
        return "results"
    own_code = ("src/", "stages/", f"{CODE.as_posix()}/")
    return "code" if path.startswith(own_code) else "data"


def not_as_written(
    project: Path, outputs: Sequence[tuple[Stage, Output]], lock: Mapping[str, Any], where: str
) -> list[Finding]:
    """Return the outputs in a project that are not those that the run wrote.

    Args:
        project: its top folder.
        outputs: outputs to check; missing ones are skipped.
        lock: content of `dvc.lock`.
        where: the place in words, for the message.
    """
    return [
        Finding(
            "results",
            f"{output.path}: {where} is not the one that {stage.name} wrote",
            output.path,
        )
        for stage, output in outputs
        if (md5 := recorded(lock, stage.name).get(output.path)) is not None
        and (project / output.path).exists()
        and differs(project / output.path, md5)
    ]


def damaged_objects(
    outputs: Sequence[tuple[Stage, Output]], lock: Mapping[str, Any]
) -> list[Finding]:
    """Return the outputs whose bytes in DVC's cache do not match their names."""
    found = []
    for stage, output in outputs:
        md5 = recorded(lock, stage.name).get(output.path)
        if output.cached and md5 is not None and (names := damaged(md5)):
            found.append(
                Finding(
                    "cache",
                    f"{output.path}: DVC's cache contains other bytes than {stage.name} wrote "
                    f"({', '.join(names)}); remove these files, then run `dvc pull` or `dvc repro`",
                    output.path,
                )
            )
    return found


def missing_outputs(outputs: Sequence[tuple[Stage, Output]], lock: Mapping[str, Any]) -> list[str]:
    """Return the outputs that are not in DVC's cache."""
    return [
        output.path
        for stage, output in outputs
        if output.cached
        and (md5 := recorded(lock, stage.name).get(output.path)) is not None
        and not is_here(md5)
    ]


def _within(one: str, other: str) -> bool:
    return Path(one).is_relative_to(other) or Path(other).is_relative_to(one)


def _shown(settings: Mapping[str, Any], key: str) -> str:
    text = repr(settings[key]) if key in settings else NOT_SET
    return text if len(text) <= 60 else text[:57] + "..."


def _were(stages: Sequence[str]) -> str:
    return "was" if len(stages) == 1 else "were"


def _stages(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_STAGES
    return ", ".join(names[:SHOWN_STAGES]) + (f" and {more} more" if more > 0 else "")
