"""The rule that decides between score and cost, for many parts of a dataset at once.

1. A candidate that fails a constraint is out.
2. So is one that is not above every reference point. If that leaves none, none wins, unless the
   rule lets the best of step 1 go on.
3. The leader is the best of the rest by score.
4. A cheaper candidate may take its place if it saves enough of the leader's cost, if no candidate
   scores better and costs no more, and if it is shown to lie within the margin of every candidate
   that scores better: the one-sided 95 % lower bound of its difference is above minus the margin
   (non-inferiority). Of several, the cheapest wins.
5. If none may, the leader wins.

That a candidate is held against every better one, and not against the leader alone, keeps the
winner when its score rises: were it to become the leader, a candidate that could not be shown to
lie within the margin of the former leader might otherwise lie within that of the new one.

A bound is never above the measured difference, so that whoever is worse than the leader by the
margin or more can neither win nor keep another from winning.

Source: Piaggio et al. (2012), Reporting of Noninferiority and Equivalence Randomized Trials,
JAMA 308(24), for the decision by a one-sided bound.
"""

from dataclasses import dataclass

import numpy as np

from vestibular.selection.clusters import Flags, Integers, Numbers
from vestibular.selection.contest import Contest


@dataclass(frozen=True)
class Rule:
    """The parts of the rule that are settings."""

    margin: float | None
    """How much worse a cheaper candidate may be, in score; None where cost has no say."""
    minimum_saving: float
    """Share of the leader's cost that it has to save, a fraction in [0, 1)."""
    must_beat_clearly: bool = False
    """Whether the winner has to be above its reference points by more than the noise."""
    allow_below_reference: bool = False
    """Whether the best is let through where none is above the reference points."""


@dataclass(frozen=True, eq=False)
class Decisions:
    """What the rule says of each part; candidates by their place in the contest."""

    order: Integers
    """Candidates by rank, (parts, candidates)."""
    above: Flags
    """Those that are above every reference point, (parts, candidates)."""
    pool: Flags
    """Those that the leader is taken from, (parts, candidates)."""
    leader: Integers
    """(parts,); -1 where every candidate fails a constraint."""
    winner: Integers
    """(parts,); the leader, or a cheaper one; -1 where there is no leader."""
    refused: Flags
    """Whether the winner may not be promoted, (parts,)."""
    dominated: Flags
    """Those of the pool that another one of it outranks at no higher cost."""
    saves: Flags
    """Those that save enough of the leader's cost."""
    within: Flags
    """Those of step 4 that are shown to lie within the margin, (parts, candidates)."""
    clear: Flags | None
    """Those that are above all reference points by more than the noise, if the rule asks."""


def decide(contest: Contest, rule: Rule, parts: Numbers | None = None) -> Decisions:
    """Apply the rule to each part of a dataset.

    Args:
        contest: candidates and reference points.
        rule: its settings.
        parts: 1 where a part holds a document, else 0, (parts, documents); by default one part
            that holds all.
    """
    chosen = contest.whole() if parts is None else parts
    order = contest.order(chosen)
    rank = np.argsort(order, axis=1)
    above: Flags = np.ones(order.shape, dtype=np.bool_)
    for reference in contest.references:
        lost: Flags = contest.advantages(reference, chosen) <= 0
        above &= ~lost
    pool: Flags = above & contest.allowed
    refused: Flags = np.logical_not(np.any(pool, axis=1))
    pool = np.logical_or(pool, refused[:, None] & contest.allowed)
    leader = np.where(pool.any(axis=1), np.where(pool, rank, len(contest.names)).argmin(axis=1), -1)

    # better[part, one, other]: the other is of the pool and ranks before
    better = (rank[:, None, :] < rank[:, :, None]) & pool[:, None, :]
    no_dearer: Flags = contest.costs <= contest.costs[:, None]
    dominated = pool & np.any(better & no_dearer, axis=2)
    saves = contest.costs <= (1 - rule.minimum_saving) * contest.costs[leader][:, None]
    eligible = pool & saves & ~dominated
    within = _within(contest, rule, chosen, eligible, better)
    clear = _clear(contest, chosen) if rule.must_beat_clearly else None
    if clear is not None:
        eligible &= clear
    challenger = within & eligible
    place = np.where(challenger, contest.costs, np.inf)
    # of equally cheap ones the better: whoever ranks lower is dominated by it
    winner = np.where(challenger.any(axis=1), place.argmin(axis=1), leader)
    if clear is not None:
        refused |= ~clear[np.arange(len(winner)), winner]
    refused &= not rule.allow_below_reference
    return Decisions(
        order=order,
        above=above,
        pool=pool,
        leader=leader,
        winner=winner,
        refused=refused | (leader < 0),
        dominated=dominated,
        saves=saves,
        within=within,
        clear=clear,
    )


def _within(contest: Contest, rule: Rule, parts: Numbers, eligible: Flags, better: Flags) -> Flags:
    """Return which of the eligible lie within the margin of every better candidate."""
    if rule.margin is None:
        return np.zeros_like(eligible)
    means = contest.means(parts)
    too_far = (better & (means[:, :, None] - means[:, None, :] <= -rule.margin)).any(axis=2)
    found = eligible & ~too_far
    open_pairs = np.argwhere((found[:, :, None] & better).any(axis=0))
    ones, others = open_pairs[:, 0].tolist(), open_pairs[:, 1].tolist()
    shown = contest.shown_above(ones, others, parts, -rule.margin)
    for one, other, near in zip(ones, others, shown, strict=True):
        found[:, one] &= ~better[:, one, other] | near
    return found


def _clear(contest: Contest, parts: Numbers) -> Flags:
    """Return which candidates are above every reference point by more than the noise."""
    clear = np.ones((len(parts), len(contest.names)), dtype=np.bool_)
    for reference in contest.references:
        clear &= contest.advantage_bounds(reference, parts) > 0
    return clear
