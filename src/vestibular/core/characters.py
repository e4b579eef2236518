"""Characters and words of a text in any script: visibility, composed forms, word boundaries.

Texts are stored exactly as written; these functions only compare them.
"""

import unicodedata

import regex

WITHOUT_SPACES = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Chinese characters
)
"""Scripts that write no spaces between words, as ranges of a regular expression."""

_WITHOUT_SPACES = regex.compile(f"[{WITHOUT_SPACES}]")

_WORD = regex.compile(r"[\w\p{M}\p{N}]+")
"""Letters and digits with their combining marks, such as the vowel signs of Hindi."""

_VISIBLE = regex.compile(r"[^\p{Z}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]")
"""Characters that leave a trace on paper; a braille cell without dots leaves none."""


def is_visible(text: str) -> bool:
    """Return whether a text has a visible character; blanks and zero-width characters are not."""
    return _VISIBLE.search(text) is not None


def composed(text: str) -> str:
    """Return the text in Unicode's composed form, NFC.

    Source: Unicode Standard Annex #15, "Unicode Normalization Forms".
    """
    return unicodedata.normalize("NFC", text)


def end_of(part: str, text: str, start: int) -> int:
    """Return the end of a part that begins at `start`, whichever way it is encoded."""
    if text.startswith(part, start):
        return start + len(part)
    wanted = composed(part)
    # a decomposed letter has at most four characters
    ends = range(start + 1, min(len(text), start + 4 * len(wanted)) + 1)
    fitting = [end for end in ends if composed(text[start:end]) == wanted]
    return fitting[-1] if fitting else start + len(part)


def without_spaces(text: str) -> bool:
    """Return whether a text has characters of a script without spaces between words."""
    return _WITHOUT_SPACES.search(text) is not None


def cut_characters(word: str) -> list[str]:
    """Cut a word at every character of a script without spaces.

    Combining marks stay with their character.
    """
    if not without_spaces(word):
        return [word]
    parts: list[str] = []
    apart = True
    for character in word:
        alone = without_spaces(character)
        if parts and unicodedata.category(character)[0] == "M":
            parts[-1] += character
        elif alone or apart:
            parts.append(character)
            apart = alone
        else:
            parts[-1] += character
    return parts


def words(text: str) -> list[str]:
    """Return a text's words for comparison, regardless of case and encoding.

    A word is a run of letters, digits and their marks. In scripts without spaces between words,
    every character is a word, as in scoring.
    """
    found: list[str] = _WORD.findall(composed(text).lower())
    if not without_spaces(text):
        return found
    return [part for word in found for part in cut_characters(word)]


def mostly_without_spaces(text: str) -> bool:
    """Return whether most of a text's letters belong to scripts without spaces between words."""
    letters = sum(map(len, _WORD.findall(text)))
    return 2 * len(_WITHOUT_SPACES.findall(text)) > letters
