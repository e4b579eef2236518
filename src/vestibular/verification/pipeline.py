"""The stages of a clone's `dvc.yaml`: their outputs, and inputs that no stage makes."""

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
    """A file or folder written by a stage."""

    path: str
    cached: bool
    """Whether it is in DVC's cache; otherwise git tracks it."""


@dataclass(frozen=True)
class Stage:
    """One stage."""

    name: str
    outputs: tuple[Output, ...]
    inputs: tuple[str, ...]
    """Paths, settings excluded."""

    @property
    def cell(self) -> str:
        """The part after the `@`: a candidate, or a candidate's repeat; empty without one."""
        return self.name.partition("@")[2]


@dataclass(frozen=True)
class Pipeline:
    """All stages, each after those that it depends on."""

    stages: tuple[Stage, ...]
    kept: tuple[str, ...]
    """Addresses of stages and files elsewhere whose cached outputs are read."""

    def outputs(self) -> list[tuple[Stage, Output]]:
        """Return every output with its stage."""
        return [(stage, output) for stage in self.stages for output in stage.outputs]

    def sources(self) -> list[str]:
        """Return the inputs that no stage makes."""
        made = [output.path for _, output in self.outputs()]
        read = dict.fromkeys(path for stage in self.stages for path in stage.inputs)
        return [path for path in read if not any(_overlap(path, other) for other in made)]

    def chosen(self, cells: Sequence[str] | None) -> tuple[Stage, ...]:
        """Return the stages to run: all, or those of some cells with their dependencies.

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
        # a repeat's exam may read outputs of another cell's stages
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
    """Add to a clone what its stages read and git does not contain.

    What DVC tracks comes from its cache, or else from a remote. Anything else (base models,
    downloaded data) is linked from the project; `dvc.lock` has its hash.

    Raises:
        DataError: something is not available anywhere.
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
                    f"{source}: neither git nor DVC has it, and it is not here; if it was "
                    "downloaded, run `vestibular fetch`"
                )
            _link(here, there)
        elif here.is_dir():
            for path in _ignored_below(here):
                if not (clone.project / path).exists():
                    _link(path, clone.project / path)


def _stage(stage: Any, project: Path) -> Stage:
    outputs = [Output(_path(out, project), bool(out.use_cache)) for out in stage.outs]
    # the settings file is not an input: git has it
    inputs = [_path(dep, project) for dep in stage.deps if getattr(dep, "params", None) is None]
    return Stage(str(stage.name), tuple(outputs), tuple(inputs))


def _path(thing: Any, project: Path) -> str:
    """Return the path of an output or input, relative to the project's top folder."""
    return Path(os.path.relpath(str(thing.fs_path), project)).as_posix()


def _overlap(one: str, other: str) -> bool:
    """Return whether two paths are equal, or one contains the other."""
    first, second = Path(one), Path(other)
    return first.is_relative_to(second) or second.is_relative_to(first)


def _ignored_below(folder: Path) -> list[Path]:
    """Return the files in a folder that git ignores, bytecode excluded."""
    listed = run_git(
        *("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", str(folder))
    )
    paths = [Path(name) for name in listed.stdout.split("\0") if name]
    return [path for path in paths if "__pycache__" not in path.parts]


def _link(here: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    there.symlink_to(here.resolve())
