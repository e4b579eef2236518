"""Normalization of answers by the rules of SQuAD or MLQA.

Both convert to lower case, drop punctuation and the language's articles, and collapse white space.
SQuAD's rules drop only ASCII punctuation; MLQA's drop Unicode's, and split Chinese into characters.

Source: the official SQuAD evaluation script, v1.1 (Rajpurkar et al., 2016), and the official MLQA
evaluation script, v1 (Lewis et al., 2020),
https://github.com/facebookresearch/MLQA/blob/5ef5c731a96acb7008b51aac4acb5fa9dff4f297/mlqa_evaluation_v1.py
"""

import functools
import re
import string
import sys
import unicodedata
from dataclasses import dataclass

from vestibular.core.characters import cut_characters
from vestibular.scoring.languages import NONE, articles_pattern, elisions_pattern

_ASCII = str.maketrans("", "", string.punctuation)

_HAN_OF_MLQA = re.compile("([\u4e00-\u9fa5])")
"""Chinese characters that the script splits."""


@functools.cache
def _unicode_punctuation() -> dict[int, None]:
    """Return a translation that drops all Unicode punctuation, and ASCII symbols."""
    marks = (code for code in range(sys.maxunicode) if unicodedata.category(chr(code))[0] == "P")
    return dict.fromkeys((*marks, *map(ord, string.punctuation)))


@dataclass(frozen=True)
class Normalization:
    """Rules and language of a normalization."""

    rules: str = "squad"
    """`squad` or `mlqa`."""
    articles: str = NONE
    """Language whose articles are dropped, one of `languages.known_to(rules)`."""
    official: bool = False
    """Whether to follow the official script, which compares characters as encoded and splits words
    only at white space."""

    def text(self, text: str) -> str:
        """Return the normalized text: equal results are an exact match.

        Characters are composed first (NFC), since the same accented letter may be encoded as one
        character or two.
        """
        lowered = (text if self.official else unicodedata.normalize("NFC", text)).lower()
        elisions = elisions_pattern(self.rules, self.articles)
        if elisions is not None:
            # without its apostrophe an article would merge with the next word
            lowered = re.sub(elisions, " ", lowered)
        if self.rules == "squad":
            kept = lowered.translate(_ASCII)
        else:
            kept = lowered.translate(_unicode_punctuation())
        article = articles_pattern(self.rules, self.articles)
        if article is not None:
            kept = re.sub(article, " ", kept)
        if (self.rules, self.articles) == ("mlqa", "zh"):
            kept = _HAN_OF_MLQA.sub(r" \1 ", kept)
        return " ".join(kept.split())

    def words(self, text: str) -> list[str]:
        """Return the words that F1 compares.

        In scripts without spaces between words, every character with its marks is a word; otherwise
        a whole sentence would be one word, and F1 the same as exact match. MLQA's rules decide this
        by the language.
        """
        words = self.text(text).split()
        if self.official or self.rules == "mlqa":
            return words
        return [part for word in words for part in cut_characters(word)]
