"""What is known of languages, and how it is used in scoring."""

import re
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibular.scoring.languages import advice, articles_pattern, known_to, languages
from vestibular.scoring.normalization import Normalization
from vestibular.scoring.scoring import exact_match

COMMON = "ar de en es fr hi id it ja ko nl no pl pt ru sv th tr vi zh"
SQUAD_BEFORE = {
    "en": r"\b(?:a|an|the)\b",
    "pt": r"\b(?:o|a|os|as|um|uma|uns|umas)\b",
    "none": None,
}
"""The languages of SQuAD's rules before the file was made, as they stood in the code."""
PIECES = st.sampled_from(
    ["a", "os", "Um", "the", "An", "l'a", "D’un", "ação", "the-a", "1,5", "não", "ال", "uma-vez"]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), max_size=6).map(" ".join)


@given(TEXTS, st.sampled_from(sorted(SQUAD_BEFORE)))
def test_scores_of_languages_that_were_known_stay(text: str, language: str) -> None:
    """What of a text counts is what it was."""
    kept = unicodedata.normalize("NFC", text).lower()
    kept = "".join(letter for letter in kept if letter not in string.punctuation)
    if pattern := SQUAD_BEFORE[language]:
        kept = re.sub(pattern, " ", kept)
    assert Normalization("squad", language).text(text) == " ".join(kept.split())


def test_the_common_languages_are_known() -> None:
    """Each with a name and groups of question words, none of which is in two groups."""
    assert set(languages()).issuperset(COMMON.split())
    for code, language in languages().items():
        forms = [form for group in language.question_words.values() for form in group]
        assert len(forms) == len(set(forms)), code
        assert len(language.question_words) >= 8, code
        assert language.name
        for form in (*forms, *language.words):
            assert form == unicodedata.normalize("NFC", form).lower(), code
    assert set(known_to("mlqa")) == {"ar", "de", "en", "es", "hi", "vi", "zh"}


@pytest.mark.parametrize(
    ("language", "answer", "reference", "equal"),
    [
        ("de", "Die Brücke", "der Brücke", True),
        ("de", "Diebe", "be", False),
        ("es", "El Prado", "Prado", True),
        ("fr", "L'Élysée", "Élysée", True),
        ("fr", "l’Élysée", "élysée", True),
        ("fr", "le Havre", "Havre", True),
        ("fr", "mal'x", "ma x", False),
        ("it", "un'opera", "opera", True),
        ("it", "gli Uffizi", "Uffizi", True),
        ("nl", "het Rijksmuseum", "Rijksmuseum", True),
        ("no", "en fjord", "fjord", True),
        ("sv", "ett hus", "hus", True),
        ("tr", "bir köprü", "köprü", True),
        ("ar", "القاهرة", "قاهرة", True),
        ("ar", "شمال", "شم", False),
        ("ru", "Нева", "нева", True),
        ("none", "Die Brücke", "der Brücke", False),
    ],
)
def test_articles_do_not_count(language: str, answer: str, reference: str, equal: bool) -> None:
    """As words of their own, before an apostrophe of either kind, as prefixes; nothing else."""
    assert exact_match(answer, reference, Normalization("squad", language)) == equal


def test_an_unknown_language_has_no_pattern() -> None:
    """It is asked for by nobody whose settings were checked."""
    with pytest.raises(KeyError):
        articles_pattern("squad", "xx")
    with pytest.raises(KeyError):
        articles_pattern("mlqa", "pt")


@pytest.mark.parametrize(
    ("language", "rules", "articles", "said"),
    [
        (None, "squad", "pt", None),
        ("de", "squad", "de", None),
        ("ru", "squad", "none", None),
        ("pt", "mlqa", "en", None),
        (
            "de",
            "squad",
            "pt",
            "evaluate.articles: pt, but data.language is de: write de, for German",
        ),
        ("de", "squad", "none", "evaluate.articles: none, but data.language is de: write de"),
        ("ru", "squad", "pt", "write ru, for Russian"),
        ("ca", "squad", "none", "articles and question words of this language are not known"),
        ("ca", "squad", "none", "articles count in scoring, and the report"),
        ("ca", "squad", "es", "the articles of `es` are dropped: write none"),
    ],
)
def test_advice_is_given_where_it_helps(
    language: str | None, rules: str, articles: str, said: str | None
) -> None:
    """Where language and articles differ, or nothing is known of the language."""
    found = advice(language, rules, articles)
    assert (found is None) == (said is None)
    assert said is None or said in str(found)
