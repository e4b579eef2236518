"""What counts as a visible character, as a word, and as the same text."""

from unicodedata import normalize

import pytest

from vestibular.core.characters import (
    cut_characters,
    end_of,
    is_visible,
    mostly_without_spaces,
    words,
)


@pytest.mark.parametrize(
    "text",
    [
        *("", " \t\n", "\u00a0\u2003", "\u200b\ufeff\u2060", "\u00ad", "\u202a\u202c"),
        *("\u3164\u115f", "\u2800", "\u034f", "\0\x07", "\ufe0f", "\U000e0041"),
    ],
)
def test_nothing_is_seen(text: str) -> None:
    """Blanks, joiners, marks of direction, fillers and variation selectors alone are nothing."""
    assert not is_visible(text)
    assert is_visible(f"{text}x")


def test_words_are_runs_of_letters_digits_and_marks() -> None:
    """Whatever the case and the encoding; a mark never ends a word."""
    assert words("O Curso-1 de 120m³, é.") == ["o", "curso", "1", "de", "120m³", "é"]
    assert words(normalize("NFD", "Conceição")) == ["conceição"]
    assert words("दिल्ली में") == ["दिल्ली", "में"]


def test_characters_are_words_where_there_are_no_spaces() -> None:
    """With their marks; other scripts beside them keep their words."""
    assert words("東京 Tower2 高い") == ["東", "京", "tower2", "高", "い"]
    assert cut_characters("ที่นี่abc") == ["ที่", "นี่", "abc"]
    assert cut_characters("palavra") == ["palavra"]
    assert mostly_without_spaces("東京タワー is")
    assert not mostly_without_spaces("Tower of 東京")
    assert not mostly_without_spaces("")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_part_ends_where_it_is_written(form: str) -> None:
    """In the other encoding it has another number of characters."""
    text = normalize(form, "de Conceição Araújo.")
    for written in ("NFC", "NFD"):
        part = normalize(written, "Conceição")
        assert text[end_of(part, text, 3) :] == normalize(form, " Araújo.")
