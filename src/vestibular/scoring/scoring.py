"""Exact match and F1 between an answer and its references.

Source: the official SQuAD evaluation scripts, v1.1 (Rajpurkar et al., 2016) and v2.0 (Rajpurkar,
Jia, Liang, 2018). A `Normalization` prepares the texts. v2.0's rules apply if the settings define
an answer for unanswerable questions.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from vestibular.scoring.normalization import Normalization


def exact_match(answer: str, reference: str, rules: Normalization) -> float:
    """Return 1.0 if the two are equal after normalization, else 0.0."""
    return float(rules.text(answer) == rules.text(reference))


def f1(answer: str, reference: str, rules: Normalization) -> float:
    """Return the harmonic mean of word precision and recall, a fraction in [0, 1].

    Repeated words count as often as they occur. Without a common word, even between two empty
    texts, it is 0, as in the official script.
    """
    given, wanted = rules.words(answer), rules.words(reference)
    common = sum((Counter(given) & Counter(wanted)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(given), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def without_unanswerable(
    answer: str, references: Sequence[str], unanswerable: str, rules: Normalization
) -> tuple[str, list[str]]:
    """Return answer and references as v2.0 compares them: no answer is the empty text.

    References that normalize to nothing are dropped; if none is left, the question is unanswerable.
    """
    nothing = ("", rules.text(unanswerable))
    kept = [text for text in references if rules.text(text) not in nothing]
    return "" if rules.text(answer) in nothing else answer, kept or [""]


def f1_or_nothing(answer: str, reference: str, rules: Normalization) -> float:
    """Return F1 by v2.0's rule: between two empty texts it is 1, not 0."""
    if not rules.text(answer) and not rules.text(reference):
        return 1.0
    return f1(answer, reference, rules)


def published_f1(answer: Sequence[int], reference: Sequence[int]) -> float:
    """Return the score that the published recipe calls F1, a fraction in [0, 1].

    Token ids are compared position by position, cut to the shorter sequence; each id is a class,
    and the F1 of all classes that occur are averaged (scikit-learn's macro average). Without a
    common position it is 0.
    """
    pairs = list(zip(answer, reference, strict=False))
    classes = {token for pair in pairs for token in pair}
    total = 0.0
    for token in classes:
        hits = sum(given == wanted == token for given, wanted in pairs)
        seen = sum((given == token) + (wanted == token) for given, wanted in pairs)
        total += 2 * hits / seen
    return total / len(classes) if classes else 0.0


def published_exact_match(answer: str, reference: str) -> float:
    """Return 1.0 if the first tokens' text equals the first reference, apart from white space."""
    return float(answer.strip() == reference.strip())


def best(
    score: Callable[[str, str, Normalization], float],
    answer: str,
    references: Sequence[str],
    rules: Normalization,
) -> float:
    """Return an answer's score against its best-matching reference."""
    return max(score(answer, reference, rules) for reference in references)


def mean(values: Sequence[float]) -> float:
    """Return the mean, rounded to the six places that are meaningful."""
    return round(sum(values) / len(values), 6)
