"""Questions grouped by question word, by length, and by the position of the answer.

The question words of each language are in `scoring/languages.json`.
"""

import bisect
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vestibular.core.characters import composed, cut_characters, without_spaces
from vestibular.core.questions import Question
from vestibular.scoring.languages import languages

PARTS = 4
"""Maximum number of groups for a length or a position."""

MARKS = "\u0300-\u036f\u064b-\u065f\u0900-\u0903\u093a-\u094f"
"""Marks of Latin, Arabic and Devanagari that belong to the letter before them; `\\w` lacks them."""

OTHER = "other"
"""Name of the group of questions without a known question word."""


@dataclass(frozen=True)
class Slice:
    """Questions with a common property."""

    label: str
    members: tuple[int, ...]
    """Positions of the questions in the given list, counted from 0."""


@functools.cache
def _pattern(language: str) -> tuple[re.Pattern[str], dict[str, str]]:
    known = languages()[language]
    groups = {form: name for name, forms in known.question_words.items() for form in forms}
    # at one position the longest form counts: "em que ano" asks for a time, "que" for a thing
    forms = "|".join(re.escape(form) for form in sorted(groups, key=len, reverse=True))
    # without spaces a question word has no boundaries
    spaced = not any(map(without_spaces, groups))
    start = r"(?<!\w)" if spaced else ""
    end = rf"(?![\w{MARKS}])" if spaced and not known.particles else ""
    return re.compile(rf"{start}(?:{forms}){end}"), groups


def question_word(question: str, language: str) -> str:
    """Return the group of the first question word, or `other` if there is none."""
    pattern, groups = _pattern(language)
    found = pattern.search(" ".join(composed(question).lower().split()))
    return groups[found[0]] if found else OTHER


def by_question_word(questions: Sequence[Question], language: str) -> list[Slice]:
    """Group questions by their question word, in the order of the language's list."""
    words = [question_word(question.question, language) for question in questions]
    return [
        Slice(name, tuple(place for place, word in enumerate(words) if word == name))
        for name in (*languages()[language].question_words, OTHER)
        if name in words
    ]


def by_number(
    questions: Sequence[Question], measure: Callable[[Question], int], unit: str
) -> list[Slice]:
    """Split questions into at most four groups of about equal size by a whole number.

    Equal numbers are never separated, so that there may be fewer groups of unequal size.
    """
    numbers = [measure(question) for question in questions]
    ordered = sorted(numbers)
    count = len(ordered)
    bounds = sorted({ordered[-(-count * part // PARTS) - 1] for part in range(1, PARTS + 1)})
    members: list[list[int]] = [[] for _ in bounds]
    for place, number in enumerate(numbers):
        members[bisect.bisect_left(bounds, number)].append(place)
    result = []
    for group in members:
        low, high = min(numbers[place] for place in group), max(numbers[place] for place in group)
        span = str(low) if low == high else f"{low} to {high}"
        result.append(Slice(f"{span} {unit}{'' if high == 1 else 's'}", tuple(group)))
    return result


def answer_words(question: Question) -> int:
    """Return the number of words of the first reference answer (see `_count_words`)."""
    return _count_words(question.answers[0])


def context_words(question: Question) -> int:
    """Return the number of words of the context (see `_count_words`)."""
    return _count_words(question.context)


def _count_words(text: str) -> int:
    """Count words at white space; in scripts without spaces, every character is a word."""
    return sum(len(cut_characters(word)) for word in text.split())


def by_position(questions: Sequence[Question]) -> list[Slice]:
    """Group questions by the part of the context, in characters, where the first answer starts."""
    labels = (
        *(f"{name} quarter" for name in ("first", "second", "third", "last")),
        "not in the context",
    )
    places = [
        question.answer_starts[0] * PARTS // len(question.context)
        if question.answer_starts[0] >= 0
        else PARTS
        for question in questions
    ]
    return [
        Slice(label, tuple(place for place, part in enumerate(places) if part == number))
        for number, label in enumerate(labels)
        if number in places
    ]


def by_leak(leaked: Sequence[bool | None]) -> list[Slice]:
    """Group questions by whether their context shares text with the training data."""
    labels = {False: "no overlap", True: "overlap"}
    parts = [
        Slice(label, tuple(place for place, one in enumerate(leaked) if bool(one) is value))
        for value, label in labels.items()
    ]
    return [Slice("all", tuple(range(len(leaked)))), *(part for part in parts if part.members)]
