"""Leaks: validation answers that a model could have memorized in training."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vestibular.core.characters import words
from vestibular.core.data_metrics import LeakMetrics
from vestibular.core.documents import Sourced, document_numbers
from vestibular.core.questions import Question
from vestibular.data.grams import Flags, Grams, Numbers, groups, sharers

CONTEXT_GRAM = 8
"""Number of consecutive words that independent texts rarely share."""
QUESTION_GRAM = 3
LEAKING_OVERLAP = 0.5
"""Share of a validation context's word 8-grams in one training context from which it counts as
leaked."""
NEAR_EQUAL = 0.8
"""Share of common word 3-grams from which two questions count as nearly equal."""


@dataclass(frozen=True)
class Leaks:
    """Leaks between two splits."""

    validation: frozenset[int]
    """Positions of the validation questions whose answers training reveals."""
    train: frozenset[int]
    """Positions of the training questions that reveal them."""
    counts: dict[str, int]
    """Counts of leaking contexts, of the questions on them, and of nearly equal questions."""

    def as_metrics(self, dropped: int) -> LeakMetrics:
        """Return the counts; `dropped` training questions were left out because of leaks."""
        return LeakMetrics(
            **self.counts,
            clean_questions=self.counts["questions"] - self.leaked,
            dropped_from_train=dropped,
        )

    @property
    def leaked(self) -> int:
        """Number of validation questions that are not clean."""
        return len(self.validation)


class LeakAudit:
    """Questions with contexts and words indexed once, for comparing any subsets.

    A context leaks if at least half of its distinct word 8-grams occur in one training context;
    words are runs of letters and digits regardless of case, and single characters in scripts
    without spaces between words. Two questions are nearly equal if they share four fifths of the
    3-grams of the longer one; with the same answer that is a leak too: a model that learned one
    knows the other. Texts are compared in Unicode's composed form.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = questions
        contexts = _Numbered(question.context for question in questions)
        texts = _Numbered(question.question for question in questions)
        self.context_of, self.question_of = contexts.places, texts.places
        self.contexts = Grams.of_texts(contexts.texts, CONTEXT_GRAM)
        self.texts = Grams.of_texts(texts.texts, QUESTION_GRAM)
        # a question with one of its answers
        plain: dict[str, int] = {}
        statements: dict[tuple[int, int], int] = {}
        self.statements_of = [
            [
                statements.setdefault(
                    (text, plain.setdefault(_plain(answer), len(plain))), len(statements)
                )
                for answer in question.answers
            ]
            for question, text in zip(questions, texts.places.tolist(), strict=True)
        ]
        pairs = np.array(list(statements), dtype=np.int64).reshape(-1, 2)
        sizes = self.texts.sizes[pairs[:, 0]]
        owners = np.repeat(np.arange(len(pairs)), sizes)
        steps = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        grams = self.texts.grams[self.texts.bounds[pairs[:, 0]][owners] + steps]
        # the same gram with another answer is a different one
        values = grams * (len(plain) + 1) + pairs[:, 1][owners]
        self.statements = Grams.of_pairs(owners, values, len(pairs))

    def between(self, train: Sequence[int], validation: Sequence[int]) -> "Leaks":
        """Compare two subsets of the questions, given by positions."""
        learned, asked = np.array(train, dtype=np.int64), np.array(validation, dtype=np.int64)
        leaking, told = sharers(
            self.contexts,
            np.unique(self.context_of[asked]),
            np.unique(self.context_of[learned]),
            LEAKING_OVERLAP,
            lambda shared, ours, theirs: shared >= LEAKING_OVERLAP * ours,
            "leaks: contexts",
        )
        nearly, _ = sharers(
            self.texts,
            np.unique(self.question_of[asked]),
            np.unique(self.question_of[learned]),
            NEAR_EQUAL,
            _nearly_equal,
            "leaks: questions",
            both=False,
        )
        same, same_told = sharers(
            self.statements,
            self._statements(asked),
            self._statements(learned),
            NEAR_EQUAL,
            _nearly_equal,
            "leaks: questions with their answers",
        )
        touched = leaking[self.context_of[asked]]
        return Leaks(
            frozenset(
                place
                for place, leaks in zip(validation, touched.tolist(), strict=True)
                if leaks or same[self.statements_of[place]].any()
            ),
            frozenset(
                place
                for place, tells in zip(train, told[self.context_of[learned]].tolist(), strict=True)
                if tells or same_told[self.statements_of[place]].any()
            ),
            {
                "questions": len(validation),
                "contexts": len(np.unique(self.context_of[asked])),
                "overlapping_contexts": int(leaking.sum()),
                "questions_on_overlapping_contexts": int(touched.sum()),
                "nearly_equal_questions": int(nearly[self.question_of[asked]].sum()),
            },
        )

    def _statements(self, places: Numbers) -> Numbers:
        found = {one for place in places.tolist() for one in self.statements_of[place]}
        return np.array(sorted(found), dtype=np.int64)


class _Numbered:
    """Distinct texts, and the index of each given text among them."""

    def __init__(self, given: Iterable[str]) -> None:
        numbers: dict[str, int] = {}
        self.places = np.array(
            [numbers.setdefault(text, len(numbers)) for text in given], dtype=np.int64
        )
        self.texts = list(numbers)


def find_leaks(train: Sequence[Question], validation: Sequence[Question]) -> "Leaks":
    """Compare the splits' contexts and questions; positions count from 0 in each split."""
    found = LeakAudit([*train, *validation]).between(
        range(len(train)), range(len(train), len(train) + len(validation))
    )
    asked = frozenset(place - len(train) for place in found.validation)
    return Leaks(asked, found.train, found.counts)


def joined_documents(questions: Sequence[Sourced]) -> list[int]:
    """Return the number of each question's document; overlapping contexts share a document.

    So do documents with common text under different titles: a dataset divided by these numbers has
    no part that reveals the contexts of another.
    """
    contexts = list(dict.fromkeys(question.context for question in questions))
    alike = groups(Grams.of_texts(contexts, CONTEXT_GRAM), LEAKING_OVERLAP, "documents")
    return document_numbers(questions, ((contexts[one], contexts[two]) for one, two in alike))


def _nearly_equal(shared: Numbers, ours: Numbers, theirs: Numbers) -> Flags:
    return np.asarray(shared >= NEAR_EQUAL * np.maximum(ours, theirs))


def _plain(answer: str) -> str:
    return " ".join(words(answer))
