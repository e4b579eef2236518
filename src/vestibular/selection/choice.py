"""The choice on the whole dataset, with what supports it, as typed values."""

from dataclasses import dataclass

from vestibular.selection.contest import Contest
from vestibular.selection.decision import Decisions, Rule, decide
from vestibular.selection.detection import margin_needed, smallest_detectable
from vestibular.selection.differences import half_widths
from vestibular.selection.status import Status


@dataclass(frozen=True)
class Advantage:
    """A candidate's score minus a reference point's."""

    reference: str
    value: float
    lower: float | None
    """One-sided 95 % lower bound of the true advantage; None with one document."""

    @property
    def clear(self) -> bool:
        """Whether the advantage is larger than the noise."""
        return self.lower is not None and self.lower > 0


@dataclass(frozen=True)
class Standing:
    """Result of the rule for a candidate."""

    name: str
    score: float
    cost: float
    status: Status
    saving: float | None
    """Share of the leader's cost that it saves, negative if it costs more; None without a leader or
    if the leader costs nothing."""
    lower: float | None
    """One-sided 95 % lower bound of the true difference to the leader; None for the leader itself,
    and with one document."""
    advantages: tuple[Advantage, ...]
    """Advantage over each reference point of the rule."""


@dataclass(frozen=True)
class CostMargin:
    """Whether cost can decide with these data."""

    rival: str
    """The best of the candidates that are cheaper than the leader and could replace it."""
    margin: float
    """Margin of the rule."""
    half_width: float
    """Distance from the measured difference down to its lower bound."""
    margin_needed: float
    """Margin within which an equally good model is accepted with 80 % probability."""

    @property
    def can_decide(self) -> bool:
        """Whether the margin is wide enough to accept an equally good model at all."""
        return self.half_width <= self.margin


@dataclass(frozen=True)
class Choice:
    """Result of the rule, and how much the data can show."""

    winner: str | None
    """The candidate to promote, or None."""
    leader: str | None
    """The best by score of the candidates that may win; None if all fail a constraint."""
    preferred: str | None
    """The winner, or the candidate that would win without the reference points."""
    standings: tuple[Standing, ...]
    """Every candidate by rank, the best first."""
    cost: CostMargin | None
    """None if no cheaper candidate could replace the leader, or with one document."""
    smallest_detectable: float | None
    """True difference between leader and runner-up that is detected with 80 % probability; None for
    a single candidate and with one document."""

    def standing(self, name: str) -> Standing:
        """Return the result for a candidate."""
        return next(one for one in self.standings if one.name == name)


def choose(contest: Contest, rule: Rule, seed: int) -> Choice:
    """Apply the rule to the whole dataset.

    Args:
        contest: candidates and reference points.
        rule: its settings.
        seed: seed of the simulations that show what these data can detect; the choice itself is not
            random.
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
        cost=_cost_margin(contest, rule, found, seed),
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


def _cost_margin(contest: Contest, rule: Rule, found: Decisions, seed: int) -> CostMargin | None:
    """Return what the bound can show for the best candidate that is cheap enough."""
    eligible = found.pool[0] & found.saves[0] & ~found.dominated[0]
    rivals = [int(place) for place in found.order[0] if eligible[place]]
    if rule.margin is None or contest.clusters.documents == 1 or not rivals:
        return None
    apart, noise = contest.pair([rivals[0]], [int(found.leader[0])], contest.whole())
    return CostMargin(
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
