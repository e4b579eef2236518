"""Scores against an independent transcription of the official SQuAD v1.1 script."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibular.scoring import best, exact_match, f1, normalize

WORDS = st.lists(
    st.sampled_from(
        ["the", "A", "an", "casa", "Casa,", "o", "os", "uma", "ação", "(1935)", "x.", "-"]
    )
    | st.text(max_size=4),
    max_size=6,
).map(" ".join)


def official_normalize(text: str) -> str:
    """SQuAD v1.1: lower, remove punctuation, remove articles, fix white space."""
    kept = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def official_f1(prediction: str, truth: str) -> float:
    given, wanted = official_normalize(prediction).split(), official_normalize(truth).split()
    same = sum((Counter(given) & Counter(wanted)).values())
    if same == 0:
        return 0
    precision, recall = 1.0 * same / len(given), 1.0 * same / len(wanted)
    return (2 * precision * recall) / (precision + recall)


@given(WORDS, WORDS)
def test_scores_equal_the_official_script(answer: str, reference: str) -> None:
    """With English articles both scores are the official ones, to the last bit."""
    same = official_normalize(answer) == official_normalize(reference)
    assert exact_match(answer, reference, "en") == float(same)
    assert f1(answer, reference, "en") == official_f1(answer, reference)


@pytest.mark.parametrize(
    ("text", "articles", "expected"),
    [
        ("O Museu, da UFMS", "pt", "museu da ufms"),
        ("Umas aulas; uns dias", "pt", "aulas dias"),
        ("O Museu", "en", "o museu"),
        ("a the an", "en", ""),
        ("The a o", "none", "the a o"),
        ("aos oásis", "pt", "aos oásis"),
    ],
)
def test_articles_belong_to_the_language(text: str, articles: str, expected: str) -> None:
    """Only the chosen language's articles are dropped, and only as whole words."""
    assert normalize(text, articles) == expected


def test_the_best_reference_counts() -> None:
    """An answer is compared with every reference; the best comparison is its score."""
    assert best(exact_match, "em Campo Grande", ["Campo Grande", "em campo grande"], "pt") == 1
    assert best(f1, "Campo", ["Campo Grande", "Dourados"], "pt") == pytest.approx(2 / 3)


@pytest.mark.slow
def test_the_metric_gives_the_same_scores() -> None:
    """The `evaluate` metric scores offline and returns means and single scores."""
    from vestibular.squad_metric import SquadMetric

    metric = SquadMetric(config_name="pt", keep_in_memory=True)
    result = metric.compute(
        predictions=["a Ana", "nada", ""], references=[["Ana"], ["Bia Sá", "nada mais"], ["x"]]
    )
    assert result["exact_matches"] == [1.0, 0.0, 0.0]
    assert result["f1s"] == [1.0, 0.666667, 0.0]
    assert (result["exact_match"], result["f1"]) == (0.333333, 0.555556)
