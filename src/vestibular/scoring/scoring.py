"""Exact match and F1 between an answer and its references, by SQuAD's rules.

Source: the official SQuAD evaluation scripts, v1.1 (Rajpurkar et al., 2016) and v2.0 (Rajpurkar,
Jia, Liang, 2018). They drop English articles; here the articles are a setting, since they belong
to the dataset's language. v2.0's rules hold where the dataset states an answer for questions that
cannot be answered.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

ARTICLES = {
    "en": ("a", "an", "the"),
    "pt": ("o", "a", "os", "as", "um", "uma", "uns", "umas"),
    "none": (),
}
"""Words that do not count in a comparison, by language."""

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(text: str, articles: str) -> str:
    """Lower the case, drop ASCII punctuation and the language's articles, join white space."""
    text = text.lower().translate(_PUNCTUATION)
    words = ARTICLES[articles]
    if words:
        text = re.sub(rf"\b({'|'.join(words)})\b", " ", text)
    return " ".join(text.split())


def exact_match(answer: str, reference: str, articles: str) -> float:
    """Return 1.0 if the two are equal once normalized, else 0.0."""
    return float(normalize(answer, articles) == normalize(reference, articles))


def f1(answer: str, reference: str, articles: str) -> float:
    """Return the harmonic mean of word precision and recall, a fraction in [0, 1].

    Words count as often as they occur. Without a common word, even between two empty texts,
    it is 0, as in the official script.
    """
    given = normalize(answer, articles).split()
    wanted = normalize(reference, articles).split()
    common = sum((Counter(given) & Counter(wanted)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(given), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def without_unanswerable(
    answer: str, references: Sequence[str], unanswerable: str, articles: str
) -> tuple[str, list[str]]:
    """Return answer and references as v2.0 compares them: no answer is the empty text.

    References of which normalizing leaves nothing do not count; if none is left, the question
    cannot be answered.
    """
    nothing = ("", normalize(unanswerable, articles))
    kept = [text for text in references if normalize(text, articles) not in nothing]
    return "" if normalize(answer, articles) in nothing else answer, kept or [""]


def f1_or_nothing(answer: str, reference: str, articles: str) -> float:
    """Return F1 by v2.0's rule: between two empty texts it is 1, not 0."""
    if not normalize(answer, articles) and not normalize(reference, articles):
        return 1.0
    return f1(answer, reference, articles)


def published_f1(answer: Sequence[int], reference: Sequence[int]) -> float:
    """Return the score that the published recipe calls F1, a fraction in [0, 1].

    Token ids are compared place by place, cut to the shorter of the two; each id is a class, and
    the F1 of all classes that occur are averaged (scikit-learn's macro average). Without a
    common place it is 0.
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
    """Return 1.0 if the first tokens' text is the first reference, white space aside."""
    return float(answer.strip() == reference.strip())


def best(
    score: Callable[[str, str, str], float], answer: str, references: Sequence[str], articles: str
) -> float:
    """Return an answer's score against the reference that suits it best."""
    return max(score(answer, reference, articles) for reference in references)


def mean(values: Sequence[float]) -> float:
    """Return the mean, rounded to six places: a score has no more to say."""
    return round(sum(values) / len(values), 6)
