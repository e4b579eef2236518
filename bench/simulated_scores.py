"""Scores of invented models, whose true scores on new documents are therefore known.

A design is a list of document sizes. Scores are drawn so that every question has the same true mean
before its document and its difficulty are drawn, independently of its document's size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Numbers = NDArray[np.float64]

FAQUAD_DEV = (13, 10, 9, 8, 4, 4, 3, 3, 3, 2, 1, 1, 1, 1)
FAQUAD = (
    *(85, 76, 69, 53, 53, 51, 40, 40, 35, 33, 30, 30, 25, 24, 24, 22, 22, 21, 20, 19, 18, 16),
    *(13, 11, 10, 10, 10, 9, 8, 4, 4, 3, 3, 3, 2, 1, 1, 1, 1),
)
DESIGNS: dict[str, tuple[int, ...]] = {
    **{f"{count} equal": (10,) * count for count in (2, 3, 5, 8, 14, 39, 200)},
    "giant of 2": (30, 10),
    "giant of 5": (40, *(10,) * 4),
    "giant of 14": (130, *(10,) * 13),
    "giant of 39": (380, *(10,) * 38),
    "nine tenths of 8": (630, *(10,) * 7),
    "FaQuAD, 63": FAQUAD_DEV,
    "FaQuAD, 900": FAQUAD,
}
"""Sizes of documents. A giant holds half of the questions; with two documents, three quarters."""


def documents_of(design: str) -> NDArray[np.intp]:
    """Return each question's document, (questions,)."""
    sizes = DESIGNS[design]
    return np.repeat(np.arange(len(sizes)), sizes)


def f1_shares(score: Numbers | float) -> tuple[Numbers, Numbers]:
    """Return the shares of answers with an F1 of 1 and of those between 0.1 and 0.9.

    With the second uniform, the mean is the score. At a score of 0.6 they are 0.41 and 0.38.
    """
    partial = 1.6 * np.asarray(score) * (1 - np.asarray(score))
    return np.asarray(score) - partial / 2, partial


def beta_binomial(
    random: np.random.Generator, design: str, mean: float, correlation: float, metric: str
) -> Numbers:
    """Return the scores of one model; each document has its own share of right answers.

    Args:
        random: random generator.
        design: key of `DESIGNS`.
        mean: true score.
        correlation: correlation between two questions of a document, in [0, 1).
        metric: "EM" or "F1".
    """
    sizes = DESIGNS[design]
    shares = np.full(len(sizes), mean)
    if correlation > 0:
        strength = (1 - correlation) / correlation
        shares = random.beta(mean * strength, (1 - mean) * strength, len(sizes))
    each = np.repeat(shares, sizes)
    return by_quantile(random.random(len(each)), each, metric)


def by_quantile(places: Numbers, score: Numbers | float, metric: str) -> Numbers:
    """Return scores by their places in the distribution, which are uniform in [0, 1].

    The distribution has the mean `score`. EM is 0 or 1; F1 also has values between.
    """
    wrong = 1 - np.asarray(score)
    if metric == "EM":
        return (places > wrong).astype(np.float64)
    right, partial = f1_shares(score)
    nothing = 1 - right - partial
    with np.errstate(divide="ignore", invalid="ignore"):
        between = 0.1 + 0.8 * (places - nothing) / partial
    return np.where(places > 1 - right, 1.0, np.where(places > nothing, between, 0.0))


@dataclass(frozen=True)
class Likeness:
    """How similar models and documents are."""

    common: float = 0.6
    """Share of a question's difficulty that all models have in common."""
    correlation: float = 0.1
    """Correlation between two questions of a document in a model's own part: how much the model's
    advantage differs between documents."""

    shared: float = 0.1
    """The same correlation in the common part: how much difficulty differs between documents."""
    failing: float = 0.0
    """Share of the documents on which the first model scores less by `FAILURE`."""


FAILURE = 0.4
"""How much lower a model's score is on a document on which it fails."""
LIKENESSES = {
    "base": Likeness(),
    "documents differ more": Likeness(correlation=0.3),
    "models less alike": Likeness(common=0.3),
    "models alike": Likeness(common=0.85),
    "difficulty differs as much": Likeness(correlation=0.5, shared=0.5),
    "fails on one document in twenty": Likeness(failing=0.05),
}


def models(
    random: np.random.Generator,
    design: str,
    scores: tuple[float, ...],
    likeness: Likeness,
    metric: str,
) -> Numbers:
    """Return the scores of several models on the same questions, (models, questions).

    A question's difficulty and a model's own part of it are normally distributed; each is the sum
    of a document's and a question's part.

    Args:
        random: random generator.
        design: key of `DESIGNS`.
        scores: true score of each model.
        likeness: similarity of models and documents.
        metric: "EM" or "F1".
    """
    index = documents_of(design)

    def parts(count: int, share: float) -> Numbers:
        of_document = random.standard_normal((count, len(DESIGNS[design])))[:, index]
        of_question = random.standard_normal((count, len(index)))
        return np.sqrt(share) * of_document + np.sqrt(1 - share) * of_question

    latent = np.sqrt(likeness.common) * parts(1, likeness.shared)
    latent = latent + np.sqrt(1 - likeness.common) * parts(len(scores), likeness.correlation)
    places = ndtr(latent)
    failed = (random.random(len(DESIGNS[design])) < likeness.failing)[index]
    by_question = np.repeat(np.array(scores)[:, None], len(index), axis=1)
    by_question[0] -= FAILURE * failed
    return np.stack(
        [by_quantile(each, score, metric) for each, score in zip(places, by_question, strict=True)]
    )
