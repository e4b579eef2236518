"""Cells: the stages that one job runs, and which of them wait for which."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vestibular.scatter.pipeline import Unfinished

TOGETHER = {"evaluate": "train", "evaluate_repeat": "train_repeat"}
"""An exam runs in the job of the training that it examines."""
KEY_LENGTH = 12
"""Digits of the key in a cell's folder: enough that no two meet."""


@dataclass(frozen=True)
class Cell:
    """What one job runs."""

    name: str
    """That of its last stage."""
    key: str
    """Of its last stage, which holds those of the others."""
    stages: tuple[str, ...]
    """What it makes, in the order of running."""
    restored: tuple[str, ...]
    """Other cells' stages, whose results come out of the run-cache first."""
    after: tuple[str, ...]
    """Names of the cells that make those."""
    inputs: tuple[str, ...]
    """Stages that were finished before, whose outputs it reads."""

    @property
    def folder_name(self) -> str:
        """Name of the folder that stands for it; a cell that makes something else has another."""
        return f"{self.name.replace('@', '.')}-{self.key[:KEY_LENGTH]}"

    @property
    def trains(self) -> bool:
        """Whether it trains, or examines alone."""
        return any(stage.startswith("train") for stage in self.stages)

    def candidate(self, known: Iterable[str]) -> str | None:
        """Return whose cell it is, of the `known` candidates; None for somebody else's."""
        behind = self.name.partition("@")[2]
        fitting = [name for name in known if behind == name or behind.startswith(f"{name}-")]
        return max(fitting, key=len, default=None)


def cells_of(unfinished: Sequence[Unfinished]) -> list[Cell]:
    """Group the stages that have to run: a training with its exam, every other stage alone.

    Args:
        unfinished: each stage behind those that it reads from.

    Returns:
        the cells, each behind those that it waits for.
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
                # what is restored is looked up by what it reads
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
    """Return the unfinished stages that a cell's stages rest on and that are not its own."""
    wanted = {each for stage in members for each in stage.after}
    for name in reversed(stages):
        if name in wanted:
            wanted |= set(stages[name].after)
    own = {stage.name for stage in members}
    return [name for name in stages if name in wanted and name not in own]


def by_urgency(cells: Sequence[Cell]) -> list[Cell]:
    """Return the cells in the order of starting: those that others wait for, those, the rest."""
    awaited = {name for cell in cells for name in cell.after}
    return sorted(cells, key=lambda cell: (cell.name not in awaited, not cell.after))
