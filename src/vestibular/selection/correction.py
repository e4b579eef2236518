"""The winner's score corrected for selection bias, by cross-validating the choice.

The best of several measured scores is too high, because it also won by luck with these questions.
Therefore the whole rule is applied to some of the documents, and its choice is scored on the
others, which took no part in it. This removes the optimism, not the noise: the corrected score is
as uncertain as the measured one.

Source: Varma and Simon (2006), Bias in Error Estimation When Using Cross-Validation for Model
Selection, BMC Bioinformatics 7:91; Cawley and Talbot (2010), On Over-fitting in Model Selection and
Subsequent Selection Bias in Performance Evaluation, JMLR 11.
"""

from dataclasses import dataclass

import numpy as np

from vestibular.selection.clusters import Clusters, Integers
from vestibular.selection.contest import Contest
from vestibular.selection.decision import Rule, decide

REPEATS = 20
"""Number of random partitions of the documents."""
PARTS = 5
"""Number of parts in a partition."""


@dataclass(frozen=True)
class CorrectedScore:
    """The score to be expected from the choice on new documents."""

    measured: float
    """The chosen candidate's mean over the questions that decided."""
    corrected: float
    """Mean over all questions, each scored with the choice made on other documents."""

    @property
    def optimism(self) -> float:
        """The part of the measured score that is due to selection; never negative."""
        return max(0.0, self.measured - self.corrected)


def corrected_score(contest: Contest, rule: Rule, seed: int) -> CorrectedScore | None:
    """Return the chosen candidate's measured and corrected score.

    If the rule promotes nothing, the figures are those of the candidate closest to it.

    Args:
        contest: candidates and reference points.
        rule: its settings.
        seed: seed of the partitions.

    Returns:
        None if there are fewer than five documents or one holds half of the questions, so that a
            part cannot represent new documents, and if no candidate meets the constraints.
    """
    clusters = contest.clusters
    if clusters.few or clusters.dominated or not contest.allowed.any():
        return None
    dealt = draw_parts(clusters, seed)
    # (repeats x parts, documents): True if a document is left out
    left_out = (dealt[:, None, :] == np.arange(PARTS)[:, None]).reshape(-1, clusters.documents)
    chosen = decide(contest, rule, (~left_out).astype(np.float64)).winner
    sums = clusters.sums(contest.scores)
    total = float((sums[chosen] * left_out).sum())
    winner = decide(contest, rule).winner[0]
    return CorrectedScore(
        measured=float(sums[winner].sum() / clusters.questions),
        corrected=total / REPEATS / clusters.questions,
    )


def draw_parts(clusters: Clusters, seed: int) -> Integers:
    """Return the part of each document, drawn again for each repeat, (repeats, documents)."""
    random = np.random.default_rng(seed)
    parts = np.arange(clusters.documents) % PARTS
    return random.permuted(np.tile(parts, (REPEATS, 1)), axis=1)
