"""Names and values of invented universities, drawn from word lists or invented."""

import random
from pathlib import Path
from typing import Literal

import yaml

Split = Literal["train", "dev"]

_ONSETS = (
    *("b", "c", "d", "f", "g", "j", "l", "m", "n", "p", "r", "s", "t", "v", "z"),
    *("br", "cr", "dr", "fr", "gr", "pr", "tr", "cl", "fl", "pl", "ch", "lh", "nh", "qu", "gu"),
)
_VOWELS = ("a", "e", "i", "o", "u", "a", "e", "o", "ã", "é", "ó", "ê", "ei", "ou", "ia")
_CODAS = ("", "", "", "", "n", "r", "s", "l", "m")
_SPLICED_POOLS = (
    "given_name",
    "surname",
    "course_subject",
    "place_noun",
    "place_adjective",
    "subject",
    "subject_adjective",
    "programme",
)


def load_names(path: Path, split: Split) -> dict[str, list[str]]:
    """Reads the word lists of one split.

    Args:
        path: A file like `names.yaml`: pool, then split, then words.
        split: Which words to take.

    Returns:
        The words of the split by the name of their pool.
    """
    pools = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {pool: [str(word) for word in words[split]] for pool, words in pools.items()}


class NameMaker:
    """Draws names and values of a given kind.

    Attributes:
        random: The only source of chance, so that a seed fixes every text.
    """

    def __init__(
        self,
        names: dict[str, list[str]],
        generator: random.Random,
        invented_share: float,
        coined_share: float = 0.0,
        spliced_share: float = 0.0,
    ) -> None:
        """Keeps the words to draw from.

        Args:
            names: Words by pool, from `load_names`.
            generator: Source of chance, shared with the caller.
            invented_share: Fraction in [0, 1] of the open-class words (people, places, subjects)
                that are invented instead.
            coined_share: Fraction in [0, 1] of the ready phrases (documents, offices, tasks) in
                which such a word takes the place of the last one, so that a model has to copy
                them rather than know them.
            spliced_share: Fraction in [0, 1] of the invented words that are the front of one known
                word and the back of another; the others are built from syllables.
        """
        self.random = generator
        self._names = names
        self._invented_share = invented_share
        self._coined_share = coined_share
        self._spliced_share = spliced_share
        self._known_words = sorted(
            {word for pool in _SPLICED_POOLS for phrase in names[pool] for word in phrase.split()}
        )

    def make(self, kind: str) -> str:
        """Draws a name or value of a kind, a `value` or entity kind of `facts.yaml`.

        Raises:
            ValueError: The kind is neither a pool of words nor one of the composed kinds.
        """
        composer = getattr(self, f"_{kind}", None)
        if composer is not None:
            return str(composer())
        if kind in self._names:
            return self._phrase(kind)
        raise ValueError(f"facts.yaml: unknown kind of name or value: {kind}")

    def invented(self) -> str:
        """Invents a capitalised word of two or three syllables."""
        if self._spliced_share and self.random.random() < self._spliced_share:
            return self._spliced()
        syllables = self.random.choice((2, 2, 3))
        word = "".join(
            self.random.choice(_ONSETS) + self.random.choice(_VOWELS) for _ in range(syllables)
        )
        return word.capitalize() + self.random.choice(_CODAS)

    def university(self) -> str:
        """Names a university that does not exist."""
        return f"{self._word('university_kind')} de {self.invented()}"

    def _word(self, pool: str) -> str:
        return self.random.choice(self._names[pool])

    def _spliced(self) -> str:
        front, back = self.random.sample(self._known_words, 2)
        return (front[: (len(front) + 1) // 2] + back[len(back) // 2 :]).capitalize()

    def _phrase(self, pool: str) -> str:
        phrase = self._word(pool)
        head, blank, _ = phrase.rpartition(" ")
        if blank and self.random.random() < self._coined_share:
            return f"{head} {self.invented().lower()}"
        return phrase

    def _open_word(self, pool: str) -> str:
        if self.random.random() < self._invented_share:
            return self.invented()
        return self._word(pool)

    def _person(self) -> str:
        parts = [self._open_word("given_name"), self._open_word("surname")]
        if self.random.random() < 0.15:
            parts.append(self._open_word("surname"))
        return " ".join(parts)

    def _place(self) -> str:
        return f"{self._open_word('place_noun')} {self._open_word('place_adjective')}"

    def _course(self) -> str:
        return f"{self._word('course_field')} de {self._open_word('course_subject')}"

    def _module(self) -> str:
        return f"{self._open_word('subject')} {self._open_word('subject_adjective')}"

    def _programme(self) -> str:
        return self._open_word("programme")

    def _unit(self) -> str:
        name = self.invented() if self.random.random() < 0.5 else self._open_word("surname")
        return f"{self._word('unit_kind')} {name}"

    def _campus(self) -> str:
        return f"campus {self._place()}"

    def _room(self) -> str:
        letter = self.random.choice("ABCDEFGH")
        return f"{self._word('room_kind')} {letter}{self.random.randint(1, 40)}"

    def _year(self) -> str:
        return str(self.random.randint(1935, 2023))

    def _number(self) -> str:
        return str(self.random.randint(13, 400))

    def _date(self) -> str:
        return f"{self.random.randint(1, 28)} de {self._word('month')}"

    def _duration(self) -> str:
        return f"{self._word('small_number')} {self._word('time_unit')}"

    def _money(self) -> str:
        return f"{self.random.randint(3, 30) * 50} reais"
