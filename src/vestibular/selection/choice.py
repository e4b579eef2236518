"""The choice and all that it rests on, as typed values."""

from dataclasses import dataclass

from vestibular.selection.contest import Contest
from vestibular.selection.decision import Decisions, Rule, decide
from vestibular.selection.detection import margin_needed, smallest_detectable
from vestibular.selection.differences import half_widths
from vestibular.selection.status import Status


@dataclass(frozen=True)
class Advantage:
    """A candidate's score less a reference point's."""

    reference: str
    value: float
    lower: float | None
    """The true advantage is above it 95 times in 100; None with one document."""

    @property
    def clear(self) -> bool:
        """Whether it is more than the noise."""
        return self.lower is not None and self.lower > 0


@dataclass(frozen=True)
class Standing:
    """What the rule found of a candidate."""

    name: str
    score: float
    cost: float
    status: Status
    saving: float | None
    """Share of the leader's cost that it saves, negative if it costs more; None without a leader
    or where the leader costs nothing."""
    lower: float | None
    """The true difference to the leader is above it 95 times in 100; None for the leader itself,
    and with one document."""
    advantages: tuple[Advantage, ...]
    """Over each reference point of the rule."""


@dataclass(frozen=True)
class CostSay:
    """Whether cost can decide with these data."""

    rival: str
    """The best of the candidates that are cheaper than the leader and could take its place."""
    margin: float
    """What the rule allows."""
    half_width: float
    """How far the bound lies below what was measured."""
    margin_needed: float
    """Margin within which an equal model is shown to lie four times in five."""

    @property
    def has_say(self) -> bool:
        """Whether the margin is wide enough for an equal model to be accepted at all."""
        return self.half_width <= self.margin


@dataclass(frozen=True)
class Choice:
    """What the rule says, and how much the data can say."""

    winner: str | None
    """The candidate to promote, or None."""
    leader: str | None
    """The best by score of those that may win; None where all fail a constraint."""
    preferred: str | None
    """The winner, or the one that would be if reference points were not asked for."""
    standings: tuple[Standing, ...]
    """Every candidate by rank, the best score first."""
    cost: CostSay | None
    """None where no cheaper candidate could take the leader's place, or with one document."""
    smallest_detectable: float | None
    """True difference between leader and runner-up that is found four times in five; None for a
    single candidate and with one document."""

    def standing(self, name: str) -> Standing:
        """Return a candidate's."""
        return next(one for one in self.standings if one.name == name)


def choose(contest: Contest, rule: Rule, seed: int) -> Choice:
    """Apply the rule to the whole dataset.

    Args:
        contest: candidates and reference points.
        rule: its settings.
        seed: of the draws that tell what can be found with these data; the choice itself draws
            nothing.
    """
    found = decide(contest, rule)
    leader, winner = int(found.leader[0]), int(found.winner[0])
    refused = bool(found.refused[0])
    order = [int(place) for place in found.order[0]]
    names, whole = contest.names, contest.whole()
    means = contest.means(whole)[0]
    others = [place for place in order if place != leader]
    lower = {}
    if leader >= 0 and contest.clusters.documents > 1:
        bounds = contest.pair_bounds(others, [leader] * len(others), whole)
        lower = {place: float(bound) for place, bound in zip(others, bounds[:, 0], strict=True)}
    advantages = _advantages(contest)
    return Choice(
        winner=None if refused else names[winner],
        leader=names[leader] if leader >= 0 else None,
        preferred=names[winner] if leader >= 0 else None,
        standings=tuple(
            Standing(
                name=names[place],
                score=float(means[place]),
                cost=float(contest.costs[place]),
                status=_status(contest, rule, found, place),
                saving=_saving(contest, place, leader),
                lower=lower.get(place),
                advantages=advantages[place],
            )
            for place in order
        ),
        cost=_cost_say(contest, rule, found, seed),
        smallest_detectable=_smallest(contest, leader, others, seed) if lower else None,
    )


def _advantages(contest: Contest) -> list[tuple[Advantage, ...]]:
    whole, known = contest.whole(), contest.clusters.documents > 1
    found: list[list[Advantage]] = [[] for _ in contest.names]
    for reference in contest.references:
        values = contest.advantages(reference, whole)[0]
        bounds = contest.advantage_bounds(reference, whole)[0]
        for each, value, bound in zip(found, values, bounds, strict=True):
            lower = float(bound) if known else None
            each.append(Advantage(reference.name, float(value), lower))
    return [tuple(each) for each in found]


def _status(contest: Contest, rule: Rule, found: Decisions, place: int) -> Status:
    refused = bool(found.refused[0])
    if not contest.allowed[place]:
        return Status.CONSTRAINT
    if not found.above[0, place] and (refused or not found.pool[0, place]):
        return Status.BELOW_REFERENCE
    if place == found.winner[0]:
        return Status.UNCLEAR if refused else Status.WINNER
    if place == found.leader[0]:
        return Status.UNDERCUT
    if rule.margin is None:
        return Status.OUTRANKED
    if found.dominated[0, place]:
        return Status.DOMINATED
    if not found.saves[0, place]:
        return Status.SAVES_TOO_LITTLE
    if not found.within[0, place]:
        return Status.BEYOND_MARGIN
    if found.clear is not None and not found.clear[0, place]:
        return Status.UNCLEAR
    return Status.WITHIN_MARGIN


def _saving(contest: Contest, place: int, leader: int) -> float | None:
    if leader < 0 or contest.costs[leader] <= 0:
        return None
    return float(1 - contest.costs[place] / contest.costs[leader])


def _cost_say(contest: Contest, rule: Rule, found: Decisions, seed: int) -> CostSay | None:
    """Return what the bound can show of the best candidate that is cheap enough."""
    eligible = found.pool[0] & found.saves[0] & ~found.dominated[0]
    rivals = [int(place) for place in found.order[0] if eligible[place]]
    if rule.margin is None or contest.clusters.documents == 1 or not rivals:
        return None
    apart, noise = contest.pair([rivals[0]], [int(found.leader[0])], contest.whole())
    return CostSay(
        rival=contest.names[rivals[0]],
        margin=rule.margin,
        half_width=float(half_widths(apart.mixtures, noise)[0]),
        margin_needed=margin_needed(apart, noise, contest.clusters, seed),
    )


def _smallest(contest: Contest, leader: int, others: list[int], seed: int) -> float | None:
    if not others:
        return None
    apart, noise = contest.pair([leader], [others[0]], contest.whole())
    return smallest_detectable(apart, noise, contest.clusters, seed)
