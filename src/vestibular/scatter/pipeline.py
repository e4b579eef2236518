"""Which stages of the pipeline have to run, and restoring results from DVC's run-cache."""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestibular.clones.stages import GRAPH, LAST, address, is_own, opened, ordered, reads
from vestibular.core.version_control import run_git
from vestibular.scatter.errors import ScatterError


@dataclass(frozen=True)
class Unfinished:
    """A candidate's stage that has to run: its result is neither here nor in the run-cache."""

    name: str
    key: str
    """Hash of everything its result depends on: stages with equal keys have equal results."""
    after: tuple[str, ...]
    """Unfinished stages whose outputs it reads."""
    inputs: tuple[str, ...]
    """Finished stages whose outputs it reads."""
    files: tuple[Path, ...]
    """Files that it reads and that no stage writes, relative to the project."""


@dataclass(frozen=True)
class Progress:
    """The state of the pipeline."""

    restored: tuple[str, ...]
    """Stages whose results were just restored from the run-cache."""
    unfinished: tuple[Unfinished, ...]
    """Stages that have to run, each after those that it reads from."""
    loose: tuple[str, ...]
    """Files that these stages read, that no stage writes and that git does not track."""


def trunk_of(project: Path) -> tuple[str, ...]:
    """Return the stages that the candidates' stages depend on and that belong to no candidate.

    Raises:
        DataError: DVC cannot read the project.
    """
    with opened(project) as repo:
        cells = list(filter(_is_cell, _stages(repo)))
        below = ordered(repo, cells) if cells else []
        return tuple(address(each) for each in below if not _is_cell(each))


def restore(project: Path) -> Progress:
    """Restore results of the candidates' stages from the run-cache; return what is left to run.

    `dvc repro` does the same and then runs stages. A stage that reads an output of an unfinished
    stage is unfinished too.

    Raises:
        DataError: DVC cannot read the project, or another process is using it.
    """
    # imported here, because importing DVC takes a second
    from dvc.repo import lock_repo

    restored: list[str] = []
    unfinished: dict[Any, Unfinished] = {}
    keys: dict[Any, str] = {}
    project = project.absolute()
    # DVC looks up stages in its run-cache as if they were in the current folder
    at_home = contextlib.chdir(project)
    with at_home, opened(project) as repo, lock_repo(repo), repo.scm_context():
        graph, stages = repo.index.graph, _stages(repo)
        for stage in filter(_is_cell, stages):
            made_by = list(graph.successors(stage))
            waits = any(each in unfinished for each in made_by)
            done = not waits and not stage.changed()
            if not waits and not done and _restored(repo, stage):
                restored.append(stage.name)
                done = True
            keys[stage] = _key(stage, keys, made_by)
            if not done:
                unfinished[stage] = Unfinished(
                    name=stage.name,
                    key=keys[stage],
                    after=tuple(each.name for each in made_by if each in unfinished),
                    inputs=tuple(address(each) for each in made_by if each not in unfinished),
                    files=tuple(_files(repo, stage, made_by)),
                )
        loose = tuple(_loose(repo, project, unfinished.values()))
        return Progress(tuple(restored), tuple(unfinished.values()), loose)


def _stages(repo: Any) -> list[Any]:
    """Return the stages that `select` depends on, each after those that it reads from."""
    stages = repo.index.graph
    last = next((stage for stage in stages if is_own(stage) and stage.name == LAST), None)
    if last is None:
        raise ScatterError(f"{GRAPH}: has no stage {LAST}; a scatter runs the stages it depends on")
    return [stage for stage in ordered(repo, [last]) if stage is not last]


def _is_cell(stage: Any) -> bool:
    return is_own(stage) and "@" in stage.name


def _restored(repo: Any, stage: Any) -> bool:
    """Restore a stage's outputs as `dvc repro` would; return whether they were found."""
    from dvc.dependency.base import DependencyDoesNotExistError
    from dvc.stage.cache import RunCacheNotFoundError

    # looking up a stage changes it, so a second object is looked up
    twin = repo.stage.load_one(stage.path, stage.name)
    as_locked = (
        not twin.changed_stage() and twin.deps_cached() and all(out.hash_info for out in twin.outs)
    )
    if as_locked:
        with contextlib.suppress(RunCacheNotFoundError):
            repo.stage_cache.restore(twin, dry=True)
            stage.reproduce()
            stage.dump(update_pipeline=False)
            return True
    # `dvc.lock` may name outputs that do not exist; DVC would then not ask the run-cache
    for each in (twin, stage):
        _forget_outputs(each)
    try:
        twin.save_deps()
        repo.stage_cache.restore(twin, dry=True)
    except (DependencyDoesNotExistError, RunCacheNotFoundError):
        return False
    stage.run()
    stage.dump(update_pipeline=False)
    return True


def _forget_outputs(stage: Any) -> None:
    from dvc_data.hashfile.hash_info import HashInfo

    for out in stage.outs:
        out.hash_info = HashInfo()


def _key(stage: Any, keys: Mapping[Any, str], made_by: Sequence[Any]) -> str:
    """Return a hash of everything that a stage's result depends on.

    An output of a candidate's stage is represented by that stage's key, whether it exists or not.
    A stage's key thus does not change when the stages before it finish.
    """
    inputs: dict[str, object] = {}
    for dependency in stage.deps:
        maker = next((each for each in made_by if each in keys and reads(dependency, each)), None)
        if maker is None:
            dependency.save()
        inputs[f"{type(dependency).__name__} {dependency.def_path}"] = (
            dependency.hash_info.value if maker is None else keys[maker]
        )
    outputs = sorted(out.def_path for out in stage.outs)
    text = json.dumps([stage.cmd, inputs, outputs], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _files(repo: Any, stage: Any, made_by: Sequence[Any]) -> Iterator[Path]:
    """Return the files that a stage reads and that no stage writes, except its settings."""
    from dvc.dependency.param import ParamsDependency

    for dependency in stage.deps:
        made = any(reads(dependency, each) for each in made_by)
        if not made and not isinstance(dependency, ParamsDependency):
            yield Path(dependency.fs_path).relative_to(repo.root_dir)


def _loose(repo: Any, project: Path, unfinished: Iterable[Unfinished]) -> Iterator[str]:
    paths = {path.as_posix() for stage in unfinished for path in stage.files}
    if not paths:
        return
    found = run_git("ls-files", "--others", "-z", "--", *sorted(paths), folder=project)
    for name in filter(None, found.stdout.split("\0")):
        if not repo.dvcignore.is_ignored_file(str(Path(repo.root_dir, name))):
            yield name
