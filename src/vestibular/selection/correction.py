"""The winner's score without the luck of being chosen, by cross-validating the choice.

The best of several measured scores is too high: it has won by its luck with these questions, too.
So the whole rule is applied to some of the documents, and its choice is scored on the others, which
had no part in it. That removes the optimism, not the noise: the corrected score is as uncertain as
the measured one.

Source: Varma and Simon (2006), Bias in Error Estimation When Using Cross-Validation for Model
Selection, BMC Bioinformatics 7:91; Cawley and Talbot (2010), On Over-fitting in Model Selection
and Subsequent Selection Bias in Performance Evaluation, JMLR 11.
"""

from dataclasses import dataclass

import numpy as np

from vestibular.selection.clusters import Clusters, Integers
from vestibular.selection.contest import Contest
from vestibular.selection.decision import Rule, decide

REPEATS = 20
"""Times that the documents are dealt."""
PARTS = 5
"""Parts that they are dealt into."""


@dataclass(frozen=True)
class CorrectedScore:
    """The score that the choice may be expected to have on new documents."""

    measured: float
    """The chosen candidate's mean over the questions that chose it."""
    corrected: float
    """Mean over all questions, each answered by what the rest of the documents chose."""

    @property
    def optimism(self) -> float:
        """How much of the measured score is the luck of being chosen; never negative."""
        return max(0.0, self.measured - self.corrected)


def corrected_score(contest: Contest, rule: Rule, seed: int) -> CorrectedScore | None:
    """Return the chosen candidate's score beside the corrected one.

    Where the rule promotes nothing, it is about the candidate that is nearest to it.

    Args:
        contest: candidates and reference points.
        rule: its settings.
        seed: of the dealing.

    Returns:
        None where documents are fewer than five or one holds half of the questions, so that what
        is left out cannot stand for new documents, and where no candidate meets the constraints.
    """
    clusters = contest.clusters
    if clusters.few or clusters.dominated or not contest.allowed.any():
        return None
    dealt = deal(clusters, seed)
    # (repeats x parts, documents): where a document is left out
    left_out = (dealt[:, None, :] == np.arange(PARTS)[:, None]).reshape(-1, clusters.documents)
    chosen = decide(contest, rule, (~left_out).astype(np.float64)).winner
    sums = clusters.sums(contest.scores)
    total = float((sums[chosen] * left_out).sum())
    winner = decide(contest, rule).winner[0]
    return CorrectedScore(
        measured=float(sums[winner].sum() / clusters.questions),
        corrected=total / REPEATS / clusters.questions,
    )


def deal(clusters: Clusters, seed: int) -> Integers:
    """Return the part that each document is in, anew for each repeat, (repeats, documents)."""
    random = np.random.default_rng(seed)
    parts = np.arange(clusters.documents) % PARTS
    return random.permuted(np.tile(parts, (REPEATS, 1)), axis=1)
