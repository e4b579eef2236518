"""A project's stages as DVC has them: in their order, by name, and which reads what another makes.

DVC's own objects go in and out, which have no types. Nothing here imports DVC before it is needed:
that takes a second.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vestibular.core.errors import DataError, first_line
from vestibular.core.version_control import foreign_repositories_named

GRAPH = "dvc.yaml"
"""The project's own stages; others may stand in files of that name elsewhere."""
LAST = "select"
"""The stage that depends on all others of the project."""


@contextlib.contextmanager
def opened(project: Path) -> Iterator[Any]:
    """Open a project by DVC's Python, which says nothing but warnings meanwhile.

    Args:
        project: its top folder.

    Raises:
        DataError: DVC does not read it.
        GitError: libgit2 does not open the repository.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logger = logging.getLogger("dvc")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with foreign_repositories_named(), Repo(str(project)) as repository:
            yield repository
    except DvcException as error:
        raise DataError(f"{project}: DVC: {first_line(error)}") from None
    finally:
        logger.setLevel(level)


def ordered(repository: Any, ends: Sequence[Any] | None = None) -> list[Any]:
    """Return stages, each behind those that it reads from.

    Args:
        repository: an opened project.
        ends: some stages, which are returned with all that they rest on; None for all stages that
            are not frozen.
    """
    from dvc.repo.reproduce import get_active_graph, plan_repro

    graph = repository.index.graph
    return list(plan_repro(get_active_graph(graph) if ends is None else graph, ends))


def is_own(stage: Any) -> bool:
    """Return whether a stage stands in the project's `dvc.yaml`."""
    return getattr(stage, "name", None) is not None and stage.path_in_repo == GRAPH


def address(stage: Any) -> str:
    """Return what DVC's commands call a stage, in the project's top folder."""
    if getattr(stage, "name", None) is None:
        return str(stage.path_in_repo)
    return str(stage.name if is_own(stage) else f"{stage.path_in_repo}:{stage.name}")


def reads(dependency: Any, maker: Any) -> bool:
    """Return whether a stage makes what is read, as a whole or in part."""
    return any(overlap(dependency, output) for output in maker.outs)


def overlap(one: Any, other: Any) -> bool:
    """Return whether two inputs or outputs are one path, or one lies in the other."""
    within = one.fs.isin_or_eq
    return bool(within(one.fs_path, other.fs_path) or within(other.fs_path, one.fs_path))
