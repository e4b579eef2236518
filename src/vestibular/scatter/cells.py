"""Cells: the stages that one job runs, and the order in which cells depend on each other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vestibular.scatter.pipeline import Unfinished

TOGETHER = {"evaluate": "train", "evaluate_repeat": "train_repeat"}
"""An exam runs in the same job as the training whose model it examines."""
KEY_LENGTH = 12
"""Digits of the key in the name of a cell's folder: enough to avoid collisions."""


@dataclass(frozen=True)
class Cell:
    """The stages that one job runs."""

    name: str
    """Name of its last stage."""
    key: str
    """Key of its last stage, which covers the keys of the others."""
    stages: tuple[str, ...]
    """Stages that it runs, in order."""
    restored: tuple[str, ...]
    """Other cells' stages, whose results are first restored from the run-cache."""
    after: tuple[str, ...]
    """Names of the cells that run these stages."""
    inputs: tuple[str, ...]
    """Stages that had finished before the scatter and whose outputs it reads."""

    @property
    def folder_name(self) -> str:
        """Name of its folder; a cell with another result has another folder."""
        return f"{self.name.replace('@', '.')}-{self.key[:KEY_LENGTH]}"

    @property
    def trains(self) -> bool:
        """Whether it trains; otherwise it only examines."""
        return any(stage.startswith("train") for stage in self.stages)

    def candidate(self, known: Iterable[str]) -> str | None:
        """Return the one of the `known` candidates that the cell belongs to, or None."""
        behind = self.name.partition("@")[2]
        fitting = [name for name in known if behind == name or behind.startswith(f"{name}-")]
        return max(fitting, key=len, default=None)


def cells_of(unfinished: Sequence[Unfinished]) -> list[Cell]:
    """Group the stages that have to run: a training with its exam, every other stage alone.

    Args:
        unfinished: the stages, each after those that it reads from.

    Returns:
        the cells, each after those that it waits for.
    """
    stages = {stage.name: stage for stage in unfinished}
    leader: dict[str, str] = {}
    for name in stages:
        do, _, of = name.partition("@")
        training = f"{TOGETHER.get(do)}@{of}"
        if training in stages:
            leader[training] = name
    groups: dict[str, list[Unfinished]] = {}
    for name, stage in stages.items():
        groups.setdefault(leader.get(name, name), []).append(stage)
    found = []
    for name, members in groups.items():
        others = _behind(members, stages)
        found.append(
            Cell(
                name=name,
                key=stages[name].key,
                stages=tuple(stage.name for stage in members),
                restored=tuple(others),
                after=tuple(dict.fromkeys(leader.get(each, each) for each in others)),
                # the run-cache finds a restored stage by its inputs, so these are needed too
                inputs=tuple(
                    dict.fromkeys(
                        each
                        for stage in (*members, *(stages[other] for other in others))
                        for each in stage.inputs
                    )
                ),
            )
        )
    return by_urgency(found)


def _behind(members: Sequence[Unfinished], stages: dict[str, Unfinished]) -> list[str]:
    """Return the unfinished stages of other cells that a cell's stages depend on."""
    wanted = {each for stage in members for each in stage.after}
    for name in reversed(stages):
        if name in wanted:
            wanted |= set(stages[name].after)
    own = {stage.name for stage in members}
    return [name for name in stages if name in wanted and name not in own]


def by_urgency(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells in starting order: those that others wait for, those that wait, the rest."""
    awaited = {name for cell in cells for name in cell.after}
    return sorted(cells, key=lambda cell: (cell.name not in awaited, not cell.after))
