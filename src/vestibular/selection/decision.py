"""The rule that weighs score against cost, for many parts of a dataset at once.

1. A candidate that fails a constraint is out.
2. So is a candidate that is not above every reference point. If none remains, none wins, unless the
rule lets the best of step 1 through.
3. The leader is the remaining candidate with the best score.
4. A cheaper candidate replaces it if it saves enough of the leader's cost, if no candidate scores
better at the same cost or less, and if it is shown to be within the margin of every candidate that
scores better: the one-sided 95 % lower bound of its difference is above minus the margin
(non-inferiority). Of several, the cheapest wins.
5. Otherwise the leader wins.

Comparing a candidate with every better one, and not only with the leader, makes sure that a winner
still wins if its score rises: otherwise, once it leads, a candidate that was not shown to be within
the margin of the former leader might be within that of the new one.

A bound is never above the measured difference, so that a candidate that is worse than the leader by
the margin or more can neither win nor prevent another from winning.

Source: Piaggio et al. (2012), Reporting of Noninferiority and Equivalence Randomized Trials, JAMA
308(24), for the decision by a one-sided bound.
"""

from dataclasses import dataclass

import numpy as np

from vestibular.selection.clusters import Flags, Integers, Numbers
from vestibular.selection.contest import Contest


@dataclass(frozen=True)
class Rule:
    """The settings of the rule."""

    margin: float | None
    """How much worse a cheaper candidate may be, in score; None to ignore cost."""
    minimum_saving: float
    """Share of the leader's cost that it must save, a fraction in [0, 1)."""
    must_beat_clearly: bool = False
    """Whether the winner must exceed its reference points by more than the noise."""
    allow_below_reference: bool = False
    """Whether the best is promoted even if none is above the reference points."""


@dataclass(frozen=True, eq=False)
class Decisions:
    """Result of the rule for each part; candidates are given by index in the contest."""

    order: Integers
    """Candidates by rank, (parts, candidates)."""
    above: Flags
    """Candidates above every reference point, (parts, candidates)."""
    pool: Flags
    """Candidates from which the leader is taken, (parts, candidates)."""
    leader: Integers
    """(parts,); -1 if every candidate fails a constraint."""
    winner: Integers
    """(parts,); the leader, or a cheaper one; -1 if there is no leader."""
    refused: Flags
    """Whether the winner may not be promoted, (parts,)."""
    dominated: Flags
    """Candidates of the pool outranked by another one that costs no more."""
    saves: Flags
    """Candidates that save enough of the leader's cost."""
    within: Flags
    """Candidates of step 4 shown to be within the margin, (parts, candidates)."""
    clear: Flags | None
    """Candidates above all reference points by more than the noise, if the rule asks for it."""


def decide(contest: Contest, rule: Rule, parts: Numbers | None = None) -> Decisions:
    """Apply the rule to each part of a dataset.

    Args:
        contest: candidates and reference points.
        rule: its settings.
        parts: 1 if a part contains a document, else 0, (parts, documents); by default one part with
            all documents.
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

    # better[part, one, other]: the other is in the pool and ranks higher
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
    # equally cheap candidates: the lower-ranked one is dominated by the other
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
    """Return which of the eligible candidates are within the margin of every better one."""
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
