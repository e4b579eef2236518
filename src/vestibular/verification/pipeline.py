"""The stages of a clone's `dvc.yaml`: what they write, and what they read that none makes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestibular.clones.clone import Clone
from vestibular.clones.stages import address, is_own, opened, ordered, overlap
from vestibular.core.errors import DataError, LaunchError
from vestibular.core.version_control import last_line, run_git


@dataclass(frozen=True)
class Output:
    """A file or folder that a stage writes."""

    path: str
    cached: bool
    """Whether DVC's cache holds it; else git does."""


@dataclass(frozen=True)
class Stage:
    """A stage."""

    name: str
    outputs: tuple[Output, ...]
    inputs: tuple[str, ...]
    """Paths, settings left aside."""

    @property
    def cell(self) -> str:
        """What stands behind the `@`: a candidate, or a candidate's repeat; empty without one."""
        return self.name.partition("@")[2]


@dataclass(frozen=True)
class Pipeline:
    """All stages, each behind those that it reads from."""

    stages: tuple[Stage, ...]
    kept: tuple[str, ...]
    """What DVC names the stages and files elsewhere whose cached outputs are read."""

    def outputs(self) -> list[tuple[Stage, Output]]:
        """Return every output with its stage."""
        return [(stage, output) for stage in self.stages for output in stage.outputs]

    def sources(self) -> list[str]:
        """Return what is read and no stage makes."""
        made = [output.path for _, output in self.outputs()]
        read = dict.fromkeys(path for stage in self.stages for path in stage.inputs)
        return [path for path in read if not any(_overlap(path, other) for other in made)]

    def chosen(self, cells: Sequence[str] | None) -> tuple[Stage, ...]:
        """Return the stages to run: all, or those of some cells with what they rest on.

        Raises:
            LaunchError: there is no such cell.
        """
        if cells is None:
            return self.stages
        known = dict.fromkeys(stage.cell for stage in self.stages if stage.cell)
        for cell in cells:
            if cell not in known:
                raise LaunchError(f"--cells: {cell}: no such cell (there are {', '.join(known)})")
        wanted = [stage for stage in self.stages if stage.cell in cells]
        read = [path for stage in wanted for path in stage.inputs]
        # a repeat's exam may read what another cell's stages make
        while behind := [
            stage
            for stage in self.stages
            if stage not in wanted
            and any(_overlap(output.path, path) for output in stage.outputs for path in read)
        ]:
            wanted += behind
            read += [path for stage in behind for path in stage.inputs]
        return tuple(stage for stage in self.stages if stage in wanted)


def read_pipeline(clone: Clone) -> Pipeline:
    """Read a clone's stages.

    Raises:
        DataError: DVC cannot read them.
        GitError: libgit2 does not open the repository.
    """
    with opened(clone.project) as repository:
        all_stages = ordered(repository)
        own = list(filter(is_own, all_stages))
        others = [
            address(stage)
            for stage in all_stages
            if stage not in own
            and any(
                output.use_cache and overlap(dependency, output)
                for output in stage.outs
                for reader in own
                for dependency in reader.deps
            )
        ]
        stages = tuple(_stage(stage, clone.project) for stage in own)
    return Pipeline(stages, tuple(dict.fromkeys(others)))


def provide_sources(clone: Clone, pipeline: Pipeline) -> None:
    """Give a clone what its stages read and git does not hold.

    What DVC keeps comes from its cache, or else from a remote. What neither of them holds (base
    models, downloaded data) is the project's own, to which a link leads; `dvc.lock` has its hash.

    Raises:
        DataError: something is nowhere.
    """
    if pipeline.kept:
        done = clone.run_dvc("pull", "--quiet", *pipeline.kept)
        if done.returncode:
            raise DataError(f"dvc pull: {last_line(done.stderr)}")
    for source in pipeline.sources():
        here, there = Path(source), clone.project / source
        if not there.exists():
            if not here.exists():
                raise DataError(
                    f"{source}: neither git nor DVC holds it, and it is not here; if it was "
                    "downloaded, `vestibular fetch` gets it"
                )
            _link(here, there)
        elif here.is_dir():
            for path in _ignored_below(here):
                if not (clone.project / path).exists():
                    _link(path, clone.project / path)


def _stage(stage: Any, project: Path) -> Stage:
    outputs = [Output(_path(out, project), bool(out.use_cache)) for out in stage.outs]
    # of settings the file is no input: git has it
    inputs = [_path(dep, project) for dep in stage.deps if getattr(dep, "params", None) is None]
    return Stage(str(stage.name), tuple(outputs), tuple(inputs))


def _path(thing: Any, project: Path) -> str:
    """Return where an output or input lies, relative to the project's top folder."""
    return Path(os.path.relpath(str(thing.fs_path), project)).as_posix()


def _overlap(one: str, other: str) -> bool:
    """Return whether two paths are the same, or one lies in the other."""
    first, second = Path(one), Path(other)
    return first.is_relative_to(second) or second.is_relative_to(first)


def _ignored_below(folder: Path) -> list[Path]:
    """Return the files of a folder that git was told to leave out, bytecode aside."""
    listed = run_git(
        *("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", str(folder))
    )
    paths = [Path(name) for name in listed.stdout.split("\0") if name]
    return [path for path in paths if "__pycache__" not in path.parts]


def _link(here: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    there.symlink_to(here.resolve())
