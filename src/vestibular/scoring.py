"""Exact match and F1 between an answer and its references, by SQuAD v1.1's rules.

Source: the official SQuAD v1.1 evaluation script (Rajpurkar et al., 2016). It drops English
articles; here the articles are a setting, since they belong to the dataset's language.
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


def best(
    score: Callable[[str, str, str], float], answer: str, references: Sequence[str], articles: str
) -> float:
    """Return an answer's score against the reference that suits it best."""
    return max(score(answer, reference, articles) for reference in references)


def mean(values: Sequence[float]) -> float:
    """Return the mean, rounded to six places: a score has no more to say."""
    return round(sum(values) / len(values), 6)
