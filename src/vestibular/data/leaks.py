"""Leaks: what of the validation questions a model could have learned by heart in training."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vestibular.core.data_metrics import LeakMetrics
from vestibular.core.documents import Sourced, document_numbers
from vestibular.core.questions import Question

CONTEXT_GRAM = 8
"""Words in a row that two independent texts hardly share."""
QUESTION_GRAM = 3
LEAKING_OVERLAP = 0.5
"""Share of a validation context's word 8-grams in one training context, from which on it leaks."""
NEAR_EQUAL = 0.8
"""Share of word 3-grams in common, from which on two questions are nearly equal."""

Gram = tuple[str, ...]


@dataclass(frozen=True)
class Leaks:
    """What the audit found between two splits."""

    validation_ids: frozenset[str]
    """Validation questions that training gives away."""
    training_ids: frozenset[str]
    """Training questions that give them away."""
    counts: dict[str, int]
    """Leaking contexts, the questions they touch, and nearly equal questions."""

    def as_metrics(self, dropped: int) -> LeakMetrics:
        """Return the counts; `dropped` training questions were left out for them."""
        return LeakMetrics(
            **self.counts,
            clean_questions=self.counts["questions"] - self.leaked,
            dropped_from_train=dropped,
        )

    @property
    def leaked(self) -> int:
        """Validation questions that are not clean."""
        return len(self.validation_ids)


def find_leaks(train: Sequence[Question], validation: Sequence[Question]) -> Leaks:
    """Compare the splits' contexts and questions.

    A context leaks if half of its distinct word 8-grams or more stand in one training context;
    words are runs of letters and digits, case aside. Two questions are nearly equal if they
    share four fifths of the 3-grams of the longer one; with the same answer that is a leak,
    too: whoever learned one knows the other.
    """
    contexts = _pairs(
        {question.context for question in validation},
        {question.context for question in train},
        CONTEXT_GRAM,
        lambda shared, ours, theirs: shared >= LEAKING_OVERLAP * ours,
    )
    equal = _pairs(
        {question.question for question in validation},
        {question.question for question in train},
        QUESTION_GRAM,
        lambda shared, ours, theirs: shared >= NEAR_EQUAL * max(ours, theirs),
    )
    answers: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for question in train:
        for answer in question.answers:
            answers[question.question][_plain(answer)].append(question.id)
    of_context: dict[str, list[str]] = defaultdict(list)
    for question in train:
        of_context[question.context].append(question.id)
    asked, told, touched, twins = set(), set(), 0, 0
    for question in validation:
        givers = {name for other in contexts[question.context] for name in of_context[other]}
        touched += bool(givers)
        same = {
            name
            for other in equal[question.question]
            for answer in question.answers
            for name in answers[other][_plain(answer)]
        }
        twins += bool(equal[question.question])
        if givers or same:
            asked.add(question.id)
            told |= givers | same
    return Leaks(
        frozenset(asked),
        frozenset(told),
        {
            "questions": len(validation),
            "contexts": len({question.context for question in validation}),
            "overlapping_contexts": len(
                {question.context for question in validation if contexts[question.context]}
            ),
            "questions_on_overlapping_contexts": touched,
            "nearly_equal_questions": twins,
        },
    )


def overlapping_contexts(contexts: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of which one holds half of the other's distinct word 8-grams or more."""
    distinct = dict.fromkeys(contexts)
    found = _pairs(
        distinct,
        distinct,
        CONTEXT_GRAM,
        lambda shared, ours, theirs: shared >= LEAKING_OVERLAP * min(ours, theirs),
    )
    return [(one, other) for one, others in found.items() for other in others if other != one]


def joined_documents(questions: Sequence[Sourced]) -> list[int]:
    """Return each question's document as a number; contexts that overlap are of one document.

    So are documents joined that share text under different titles: no part of a dataset that is
    divided by these numbers gives the contexts of another away.
    """
    return document_numbers(
        questions, overlapping_contexts(question.context for question in questions)
    )


def _pairs(
    ours: Iterable[str], theirs: Iterable[str], size: int, leaks: Any
) -> dict[str, set[str]]:
    """Return for each of our texts those of theirs that share enough of its grams."""
    index: dict[Gram, list[str]] = defaultdict(list)
    sizes = {}
    for text in theirs:
        grams = _grams(text, size)
        sizes[text] = len(grams)
        for gram in grams:
            index[gram].append(text)
    found: dict[str, set[str]] = {}
    for text in ours:
        grams = _grams(text, size)
        shared = Counter(other for gram in grams for other in index.get(gram, ()))
        found[text] = {
            other for other, count in shared.items() if leaks(count, len(grams), sizes[other])
        }
    return found


def _grams(text: str, size: int) -> set[Gram]:
    """Return the distinct runs of `size` words; of a shorter text, the text itself."""
    words = re.findall(r"\w+", text.lower())
    if 0 < len(words) < size:
        return {tuple(words)}
    return {tuple(words[start : start + size]) for start in range(len(words) - size + 1)}


def _plain(answer: str) -> str:
    return " ".join(re.findall(r"\w+", answer.lower()))
