"""Machine and packages of a run, compared with those of its repetition here."""

from collections.abc import Iterable, Iterator

from vestibular.core.costs import CandidateCosts, ExamCost, Machine, TrainingCost


def machines_text(
    before: Iterable[CandidateCosts], now: Iterable[TrainingCost | ExamCost]
) -> list[str]:
    """Describe the differences between the machines and packages of two runs, one per line.

    Args:
        before: costs recorded by the commit's own run, as far as they are known.
        now: costs measured when it was run again.
    """
    there = _distinct(
        cost.machine for costs in before for cost in (costs.train, costs.evaluate) if cost
    )
    here = _distinct(cost.machine for cost in now)
    if not here:
        return []
    if not there:
        return [f"machine and packages: not recorded by the commit; here {_words(here[0])}"]
    lines = [line for one in there for other in here for line in _differences(one, other)]
    if not lines:
        return [f"machine and packages: as recorded by the commit, {_words(here[0])}"]
    return list(dict.fromkeys(lines))


def _distinct(machines: Iterable[Machine]) -> list[Machine]:
    found: list[Machine] = []
    for machine in machines:
        if machine not in found:
            found.append(machine)
    return found


def _differences(one: Machine, other: Machine) -> Iterator[str]:
    if one.device != other.device:
        yield f"machine: {one.device} -> {other.device}"
    for name in {**one.packages, **other.packages}:
        before, after = (each.packages.get(name, "none") for each in (one, other))
        if before != after:
            yield f"package: {name} {before} -> {after}"


def _words(machine: Machine) -> str:
    torch = machine.packages.get("torch", "unknown")
    return f"{machine.device}, Python {machine.packages.get('python', '?')}, torch {torch}"
