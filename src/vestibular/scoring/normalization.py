"""What of an answer's spelling does not count, by SQuAD's rules or by MLQA's.

Both lower the case, drop punctuation and the language's articles, and join white space. SQuAD's
know ASCII punctuation alone; MLQA's drop Unicode's, and cut Chinese into characters.

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
"""The Chinese characters that the script cuts apart."""


@functools.cache
def _unicode_punctuation() -> dict[int, None]:
    """Return what drops all of Unicode's punctuation, and the symbols of ASCII."""
    marks = (code for code in range(sys.maxunicode) if unicodedata.category(chr(code))[0] == "P")
    return dict.fromkeys((*marks, *map(ord, string.punctuation)))


@dataclass(frozen=True)
class Normalization:
    """Which rules hold, and for which language."""

    rules: str = "squad"
    """`squad` or `mlqa`."""
    articles: str = NONE
    """Language whose articles do not count, one of `languages.known_to(rules)`."""
    official: bool = False
    """Whether to do as the official script does, which compares characters as they are encoded
    and words by white space alone."""

    def text(self, text: str) -> str:
        """Return what of a text counts: equal results are an exact match.

        Characters are composed first (NFC), since the same letter with an accent may be encoded
        as one or as two.
        """
        lowered = (text if self.official else unicodedata.normalize("NFC", text)).lower()
        elisions = elisions_pattern(self.rules, self.articles)
        if elisions is not None:
            # without its apostrophe an article would be a part of the word behind it
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

        In scripts that write no spaces between words every character is a word, with the marks
        that belong to it; a whole sentence would be one word otherwise, and F1 an exact match.
        MLQA's rules decide that by the language.
        """
        words = self.text(text).split()
        if self.official or self.rules == "mlqa":
            return words
        return [part for word in words for part in cut_characters(word)]
