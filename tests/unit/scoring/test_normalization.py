"""MLQA's and SQuAD's rules, against independent transcriptions of the official scripts."""

import re
import string
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestibular.scoring.languages import known_to
from vestibular.scoring.normalization import Normalization

MLQA_ARTICLES = {
    "en": "a an the",
    "es": "un una unos unas el la los las",
    "de": "ein eine einen einem eines einer der die das den dem des",
    "vi": "của là cái chiếc những",
}
"""As the script lists them."""


def official_mlqa(text: str, language: str) -> str:
    """Lower, drop punctuation, then articles, then join words; characters in Chinese."""
    kept = "".join(
        letter
        for letter in text.lower()
        if letter not in string.punctuation and not unicodedata.category(letter).startswith("P")
    )
    if language in MLQA_ARTICLES:
        for article in MLQA_ARTICLES[language].split():
            kept = re.sub(rf"(?<!\w){article}(?!\w)", " ", kept)
    if language == "ar":
        kept = kept.replace("\u0627\u0644", " ")
    if language != "zh":
        return " ".join(kept.split())
    words: list[str] = []
    piece = ""
    for letter in kept:
        if 0x4E00 <= ord(letter) <= 0x9FA5:
            words += [*piece.split(), letter]
            piece = ""
        else:
            piece += letter
    return " ".join([*words, *piece.split()])


PIECES = st.sampled_from(
    [
        *(word for words in MLQA_ARTICLES.values() for word in words.split()),
        *(
            "Der",
            "EL",
            "Của",
            "elder",
            "dasein",
            "الكتاب",
            "باريس،",
            "ال",
            "\u0627 \u0644",
            "दिल्ली।",
            "「東京」",
        ),
        *(
            "一九二七年",
            "成立。",
            "iPhone手机",
            "¿Quién",
            "«Farol»",
            "“x”",
            "\u2013",
            "+",
            "$5",
            "l\u2019un",
            " ",
            "\t",
        ),
    ]
) | st.text(max_size=4)
TEXTS = st.lists(PIECES, max_size=6).map(" ".join) | st.lists(PIECES, max_size=4).map("".join)


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.sampled_from(sorted(known_to("mlqa"))))
def test_mlqas_rules_are_those_of_its_script(text: str, language: str) -> None:
    """In all seven languages; and so after composing the characters."""
    official = Normalization("mlqa", language, official=True)
    assert official.text(text) == official_mlqa(text, language)
    assert official.words(text) == official_mlqa(text, language).split()
    composed = unicodedata.normalize("NFC", text)
    assert Normalization("mlqa", language).text(text) == official_mlqa(composed, language)


@pytest.mark.parametrize(
    ("language", "article"),
    [(language, word) for language, words in MLQA_ARTICLES.items() for word in words.split()],
)
def test_every_article_of_the_script_is_left_out(language: str, article: str) -> None:
    """As a word of its own, and not as a part of one."""
    rules = Normalization("mlqa", language)
    assert rules.text(f"x {article} {article.upper()} y") == "x y"
    assert rules.text(f"{article}x") == f"{article}x"


@pytest.mark.parametrize(
    ("language", "answer", "reference"),
    [
        ("es", "¿Quién es Ana?", "Quién es Ana"),
        ("es", "la «Casa»", "Casa"),
        ("en", "“The Farol”", "Farol"),
        ("en", "1990\u20131995", "1990-1995"),
        ("de", "der „Turm“", "Turm"),
        ("vi", "của Hà Nội", "Hà Nội"),
        ("ar", "باريس،", "باريس"),
        ("ar", "الكتاب", "كتاب"),
        ("hi", "दिल्ली।", "दिल्ली"),
        ("zh", "東京。", "東京"),
        ("zh", "iPhone 手机", "iPhone手机"),
    ],
)
def test_a_right_answer_in_other_marks_is_right(language: str, answer: str, reference: str) -> None:
    """Typographic quotes, dashes, and the marks of other scripts do not count."""
    rules = Normalization("mlqa", language)
    assert rules.text(answer) == rules.text(reference)


def test_composed_and_decomposed_characters_are_equal() -> None:
    """In the official script they are not; an article is no part of a decomposed word."""
    decomposed = unicodedata.normalize("NFD", "Fundação")
    assert len(decomposed) > len("Fundação")
    rules = Normalization("squad", "pt")
    assert rules.text(decomposed) == rules.text("Fundação")
    assert rules.text(unicodedata.normalize("NFD", "avó")) == "avó"
    official = Normalization("squad", "pt", official=True)
    assert official.text(decomposed) != official.text("Fundação")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("一九二七年成立", list("一九二七年成立")),
        ("iPhone 手机x 2", ["iphone", "手", "机", "x", "2"]),
        ("とうきょう大学", list("とうきょう大学")),
        ("กำ ที่", ["ก", "ำ", "ที่"]),
        ("São Paulo", ["são", "paulo"]),
        ("대한 민국", ["대한", "민국"]),
    ],
)
def test_scripts_without_spaces_are_compared_by_character(text: str, words: list[str]) -> None:
    """A mark stays with its letter; other scripts are cut at spaces, as ever."""
    assert Normalization().words(text) == words
    assert Normalization(official=True).words(text) == Normalization().text(text).split()


@given(st.text(max_size=12))
def test_cutting_words_loses_nothing(text: str) -> None:
    """The characters are those of the normalized text."""
    rules = Normalization("squad", "pt")
    assert "".join(rules.words(text)) == rules.text(text).replace(" ", "")
