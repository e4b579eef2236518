"""Texts that spell a tokenizer's special tokens (`</s>`, `<|endoftext|>`) stay texts.

A tokenizer reads such a spelling as the token itself, wherever it occurs: a context that quotes one
would end the prompt, or forge a turn of a chat. In the data's texts it is encoded as plain
characters; in the prompt's template and in the chat template it remains the token. Nothing here
imports torch.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

MARKS = range(0xE000, 0xF8FF)
"""Private-use characters, one of which replaces a spelling while a template is filled in."""
NEVER = re.compile(r"(?!)")


def special_tokens(tokenizer: Any) -> frozenset[str]:
    """Return the texts that a tokenizer reads as control tokens."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    marked = {str(token) for token in added.values() if token.special}
    return frozenset(marked | set(getattr(tokenizer, "all_special_tokens", ())))


def spelled_in(tokens: frozenset[str], text: str) -> list[str]:
    """Return the special tokens that a text spells, each once.

    Compatibility variants of letters that a tokenizer may normalize count too.
    """
    pattern = _pattern(tokens)
    found = pattern.findall(text)
    if not text.isascii():
        found += pattern.findall(unicodedata.normalize("NFKC", text))
    return list(dict.fromkeys(found))


class Spellings:
    """Replaces the spellings of special tokens in texts, and encodes texts that contain them.

    Example::

        spelled = Spellings(tokenizer, [context, question])
        text = fill_in(template, *spelled.texts)
        ids = spelled.encode(text, add_special_tokens=True)
    """

    def __init__(self, tokenizer: Any, texts: Sequence[str], beside: str = "") -> None:
        """Replace spellings in `texts` by marks; `beside` is the rest of the prompt."""
        self.tokenizer = tokenizer
        self.tokens = _tokens_of(tokenizer)
        self.taken: list[str] = []
        self.texts = list(texts)
        if any(spelled_in(self.tokens, text) for text in texts):
            everything = "".join((*texts, beside))
            self.mark = next(mark for mark in map(chr, MARKS) if mark not in everything)
            self.texts = [self._take(text) for text in texts]

    def _take(self, text: str) -> str:
        """Return the text with marks; a token in variant letters is replaced as a whole."""
        pattern = _pattern(self.tokens)
        if spelled_in(self.tokens, pattern.sub("", text)):
            return self._marked(text)
        return pattern.sub(lambda match: self._marked(match[0]), text)

    def _marked(self, spelling: str) -> str:
        self.taken.append(spelling)
        return f"{self.mark}{len(self.taken) - 1}{self.mark}"

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        """Return the tokens of a text that contains `texts`; other special tokens stay special."""
        if not self.taken:
            return self._ids(text, add_special_tokens=add_special_tokens)
        control = _pattern(self.tokens)
        if not control.search(text):
            return self._ids(
                self._restored(text),
                add_special_tokens=add_special_tokens,
                split_special_tokens=True,
            )
        ids = self._opening() if add_special_tokens else []
        between = 0
        # spans without a control token; those without a mark are encoded in one piece
        for start, end in _stretches(control, text):
            if self.mark in text[start:end]:
                ids += self._ids(text[between:start], add_special_tokens=False)
                ids += self._ids(
                    self._restored(text[start:end]),
                    add_special_tokens=False,
                    split_special_tokens=True,
                )
                between = end
        return ids + self._ids(text[between:], add_special_tokens=False)

    def _restored(self, text: str) -> str:
        return re.sub(
            f"{self.mark}(\\d+){self.mark}", lambda match: self.taken[int(match[1])], text
        )

    def _opening(self) -> list[int]:
        """Return the tokenizer's opening tokens of every text."""
        bare = self._ids("a", add_special_tokens=False)
        whole = self._ids("a", add_special_tokens=True)
        places = range(len(whole) - len(bare) + 1)
        return whole[: next(at for at in places if whole[at : at + len(bare)] == bare)]

    def _ids(self, text: str, **options: bool) -> list[int]:
        return list(self.tokenizer(text, **options)["input_ids"]) if text else []


def _stretches(control: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """Return the spans of a text between control tokens."""
    spans = [match.span() for match in control.finditer(text)]
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    return list(zip(starts, ends, strict=True))


@functools.lru_cache(maxsize=8)
def _tokens_of(tokenizer: Any) -> frozenset[str]:
    return special_tokens(tokenizer)


@functools.lru_cache(maxsize=8)
def _pattern(tokens: frozenset[str]) -> re.Pattern[str]:
    """Return a pattern for the spelling of a special token; longer tokens come first."""
    ordered = sorted(tokens, key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, ordered))) if ordered else NEVER
