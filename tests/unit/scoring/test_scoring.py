"""Scores against an independent transcription of the official SQuAD v1.1 script."""

import random
import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from vestibular.scoring.metric import load_metric
from vestibular.scoring.normalization import Normalization
from vestibular.scoring.scoring import (
    best,
    exact_match,
    f1,
    published_exact_match,
    published_f1,
)

PORTUGUESE = Normalization("squad", "pt")
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
    """With English articles both scores are the official ones, to the last bit.

    Characters that are composed already, of scripts that write spaces, need no `official`.
    """
    same = official_normalize(answer) == official_normalize(reference)
    official = Normalization("squad", "en", official=True)
    assert exact_match(answer, reference, official) == float(same)
    assert f1(answer, reference, official) == official_f1(answer, reference)
    if (answer + reference).isascii():
        rules = Normalization("squad", "en")
        assert exact_match(answer, reference, rules) == float(same)
        assert f1(answer, reference, rules) == official_f1(answer, reference)


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
    assert Normalization("squad", articles).text(text) == expected


def test_the_best_reference_counts() -> None:
    """An answer is compared with every reference; the best comparison is its score."""
    assert (
        best(exact_match, "em Campo Grande", ["Campo Grande", "em campo grande"], PORTUGUESE) == 1
    )
    assert best(f1, "Campo", ["Campo Grande", "Dourados"], PORTUGUESE) == pytest.approx(2 / 3)


def test_the_metric_gives_the_same_scores() -> None:
    """The `evaluate` metric scores offline and returns means and single scores."""
    metric = load_metric("pt")
    result = metric.compute(
        predictions=["a Ana", "nada", ""], references=[["Ana"], ["Bia Sá", "nada mais"], ["x"]]
    )
    assert result["exact_matches"] == [1.0, 0.0, 0.0]
    assert result["f1s"] == [1.0, 0.666667, 0.0]
    assert (result["exact_match"], result["f1"]) == (0.333333, 0.555556)


def test_the_metric_knows_both_rules() -> None:
    """SQuAD's by the language alone, MLQA's by name; `official` compares as the script does."""
    pairs = {
        "predictions": ["«Casa»", "Fundac\u0327a\u0303o"],
        "references": [["Casa"], ["Fundação"]],
    }
    found = {
        (name, official): load_metric(name).compute(**pairs, official=official)["exact_matches"]
        for name in ("pt", "squad-pt", "mlqa-es")
        for official in (False, True)
    }
    assert found == {
        ("pt", False): [0.0, 1.0],
        ("pt", True): [0.0, 0.0],
        ("squad-pt", False): [0.0, 1.0],
        ("squad-pt", True): [0.0, 0.0],
        ("mlqa-es", False): [1.0, 1.0],
        ("mlqa-es", True): [1.0, 0.0],
    }
    with pytest.raises(ValueError, match="mlqa-pt: no such rules or language"):
        load_metric("mlqa-pt")


def official_v2(prediction: str, answers: list[str]) -> tuple[int, float]:
    """SQuAD v2.0: the best exact match and F1 over the references that say something."""
    golds = [text for text in answers if official_normalize(text)] or [""]

    def one(gold: str) -> float:
        gold_words = official_normalize(gold).split()
        words = official_normalize(prediction).split()
        if not gold_words or not words:
            return int(gold_words == words)
        return official_f1(prediction, gold)

    exact = max(int(official_normalize(gold) == official_normalize(prediction)) for gold in golds)
    return exact, max(one(gold) for gold in golds)


def generated_pairs(count: int) -> tuple[list[str], list[list[str]]]:
    """Answers and references of a few words each, drawn so that all cases occur."""
    draw = random.Random(3)
    words = ["the", "a", "An", "Casa", "casa,", "-", "UFMS", "1935", "(x)", "São", "of", "casa"]

    def text() -> str:
        return " ".join(draw.choices(words, k=draw.randint(0, 4)))

    references = [[text() for _ in range(draw.randint(1, 4))] for _ in range(count)]
    return [text() for _ in range(count)], references


def test_ten_thousand_pairs_score_as_in_the_official_scripts() -> None:
    """The metric is v1.1's, and v2.0's where a text stands for no answer."""
    answers, references = generated_pairs(10_000)
    metric = load_metric("en")
    found = metric.compute(predictions=answers, references=references)
    for answer, wanted, match, overlap in zip(
        answers, references, found["exact_matches"], found["f1s"], strict=True
    ):
        assert match == max(official_normalize(answer) == official_normalize(w) for w in wanted)
        assert overlap == pytest.approx(max(official_f1(answer, w) for w in wanted), abs=1e-6)

    # v2.0's script is given the empty text where ours is given the stated one
    stated = [answer or "no answer" for answer in answers]
    golds = [wanted if any(wanted) else ["no answer"] for wanted in references]
    found = metric.compute(predictions=stated, references=golds, unanswerable="no answer")
    scored = list(zip(found["exact_matches"], found["f1s"], strict=True))
    for answer, wanted, score in zip(answers, references, scored, strict=True):
        assert score == pytest.approx(official_v2(answer, wanted), abs=1e-6)
    assert 0.05 < found["exact_match"] < 0.95


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
    st.lists(st.integers(0, 4), min_size=1, max_size=8),
)
def test_the_published_f1_is_scikit_learns(answer: list[int], reference: list[int]) -> None:
    """Macro F1 over token ids place by place, cut to the shorter of the two."""
    shorter = min(len(answer), len(reference))
    expected = f1_score(reference[:shorter], answer[:shorter], average="macro")
    assert published_f1(answer, reference) == pytest.approx(expected)


def test_the_published_scores_by_hand() -> None:
    """Two of three places agree; the class that is only in one of the two counts as 0."""
    assert published_f1([7, 8, 9], [7, 8, 5, 6]) == pytest.approx((1 + 1 + 0 + 0) / 4)
    assert published_f1([], [7]) == 0
    assert published_exact_match(" UFMS", "UFMS ") == 1
    assert published_exact_match("A UFMS", "UFMS") == 0
