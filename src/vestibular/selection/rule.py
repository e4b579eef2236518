"""The rule that chooses: from scores, costs and p-values to one candidate, or to none.

1. A candidate beyond a constraint is out.
2. So is one that is not above every reference point of `must_beat`. If that leaves none, none
   wins, unless `allow_below_reference` lets the best of step 1 go on.
3. The leader is the best of the rest by score.
4. A candidate is dominated if another one ranks before it and costs no more: it is out, since
   no setting would prefer it.
5. What is left is compared with the leader. A candidate is tied if the difference is not
   significant after Holm's correction over these comparisons.
6. With `when_tied: cheapest` the cheapest of the tied and the leader wins, else the leader.

That only undominated candidates share in the correction is what keeps a further, worse
candidate from changing the choice. Nothing here imports torch.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vestibular.selection.settings import SelectSettings
from vestibular.selection.uncertainty import LEVEL, holm

PUBLISHED_ORDER = ("exact_match", "f1")


@dataclass(frozen=True)
class Standing:
    """What the rule knows of a candidate."""

    name: str
    scores: Mapping[str, float]
    """Mean score by metric."""
    cost: float
    """In the unit of `select.cost`; less is better."""
    violated: tuple[str, ...] = ()
    """Constraints that it fails."""
    below: tuple[str, ...] = ()
    """Reference points of `must_beat` that it is not above."""


@dataclass(frozen=True)
class Choice:
    """What the rule says."""

    winner: str | None
    leader: str | None
    runner_up: str | None
    order: tuple[str, ...]
    """All candidates, the best score first."""
    status: Mapping[str, str]
    """What became of each candidate; `verdict` lists the words."""
    running: tuple[str, ...]
    """The leader, and those that are compared with it for the choice."""


def choose(
    standings: Iterable[Standing], p_value: Callable[[str, str], float], settings: SelectSettings
) -> Choice:
    """Apply the rule.

    Args:
        standings: the candidates; their order does not matter.
        p_value: of the difference between two candidates in `settings.metric`.
        settings: the rule's parts.
    """
    published = settings.rule == "published"
    metrics = PUBLISHED_ORDER if published else (settings.metric, *settings.tie_breakers)
    ranked = sorted(
        standings,
        key=lambda one: ([-one.scores[metric] for metric in metrics], one.cost, one.name),
    )
    fitting = ranked if published else [one for one in ranked if not one.violated]
    pool = fitting if published else [one for one in fitting if not one.below]
    refused = not pool and not settings.allow_below_reference
    pool = pool or fitting
    running = undominated(pool)
    leader = pool[0].name if pool else None

    status = {}
    for one in ranked:
        if one.violated and not published:
            status[one.name] = "constraint"
        elif one not in pool or refused:
            status[one.name] = "below_reference"
        else:
            status[one.name] = "outranked" if published else "dominated"
    winner = None if refused else leader
    if leader is not None and not published and not refused:
        others = [one.name for one in running[1:]]
        corrected = holm({name: p_value(leader, name) for name in others})
        tied = [leader, *(name for name in others if corrected[name] >= LEVEL)]
        for one in running:
            status[one.name] = "tied" if one.name in tied else "worse"
        if settings.when_tied == "cheapest":
            # whoever is in the running and ranks lower costs less
            winner = tied[-1]
    if winner is not None:
        status[winner] = "winner"
    rest = [one.name for one in fitting if one.name != winner]
    return Choice(
        winner=winner,
        leader=leader,
        runner_up=rest[0] if winner is not None and rest else None,
        order=tuple(one.name for one in ranked),
        status=status,
        running=tuple(one.name for one in running),
    )


def correct(p_values: Mapping[str, float], running: Collection[str]) -> dict[str, float]:
    """Return Holm's p-value of each: over those in the running and, if it is not, itself."""
    family = {name: value for name, value in p_values.items() if name in running}
    return {name: holm({**family, name: value})[name] for name, value in p_values.items()}


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names of those that no other beats.

    One point (cost, score) beats another if it costs no more, scores no less, and differs.
    """
    return [
        name
        for name, (cost, score) in points.items()
        if not any(
            other[0] <= cost and other[1] >= score and other != (cost, score)
            for other in points.values()
        )
    ]


def undominated(ranked: Sequence[Standing]) -> list[Standing]:
    """Return those that no candidate before them undercuts or equals in cost, in their order."""
    kept: list[Standing] = []
    for one in ranked:
        if not kept or one.cost < kept[-1].cost:
            kept.append(one)
    return kept
