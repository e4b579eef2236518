"""What an exam found: every answer with its scores, their means, and what else is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field

from vestibular.core.file_formats import FileFormat, Part
from vestibular.core.metrics import METRICS, Metric


class FirstLine(Part):
    """The scores of an answer's first line, where evaluation harnesses stop an answer."""

    exact_match: float = Field(ge=0, le=1)
    f1: float = Field(ge=0, le=1)

    def score(self, metric: Metric) -> float:
        """Return one of the two scores."""
        return self.exact_match if metric == "exact_match" else self.f1


class AnsweredQuestion(FileFormat):
    """A line of `metrics/predictions/<candidate>.jsonl`, and of the bases' and repeats' files."""

    VERSION = 2
    MADE_BY = "dvc repro"

    id: str
    """The question's name in its dataset."""
    title: str
    """Document that the context is from; empty if the source names none."""
    context: str = ""
    """Hash of the context: equal ones have equal hashes (see `documents.context_name`)."""
    question: str
    """What was asked."""
    references: tuple[str, ...]
    """The right answers."""
    windows: int
    """Pieces that a long context was asked in; 1 for a context that fits the model."""
    leaked: bool
    """Whether the training questions give the answer away."""
    answer: str
    """What the model answered."""
    exact_match: float = Field(ge=0, le=1)
    """1 if the answer is one of the references by SQuAD's rules, else 0."""
    f1: float = Field(ge=0, le=1)
    """Overlap with the closest reference, by SQuAD's rules."""
    first_line: FirstLine | None = None
    """Of an untouched base, which has not learned to stop; null for a fine-tuned model."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Take the fine-tuned model's answer: version 1 held the untouched base's in a row too."""
        tuned = content.pop("after")
        del content["before"]
        # of the first runs; contexts have been asked in windows since
        content.pop("shortened", None)
        return {"windows": 1, "leaked": False, **content, **tuned}

    def score(self, metric: Metric) -> float:
        """Return one of the two scores."""
        return self.exact_match if metric == "exact_match" else self.f1

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two rows about the same question."""
        return (self.id, self.title, self.context, self.question, *self.references)


@dataclass(frozen=True)
class Prediction:
    """A question with the answers of the untouched base and of the fine-tuned model."""

    before: AnsweredQuestion
    after: AnsweredQuestion


def join(base: Sequence[AnsweredQuestion], tuned: Sequence[AnsweredQuestion]) -> list[Prediction]:
    """Return each of the tuned model's answers with the base's to the same question.

    Raises:
        KeyError: the base was not asked one of the questions.
    """
    # two rows of one key are one question asked twice: the base answers both alike
    answered = {row.key: row for row in base}
    return [Prediction(before=answered[row.key], after=row) for row in tuned]


class Scores(Part):
    """Means over all questions, from 0 to 1."""

    exact_match: float = Field(alias="em", ge=0, le=1)
    """Share of the answers that are right by SQuAD's rules."""
    f1: float = Field(ge=0, le=1)
    """Mean overlap with the closest reference."""

    def score(self, metric: Metric) -> float:
        """Return one of the two means."""
        return self.exact_match if metric == "exact_match" else self.f1


def mean_scores(rows: Sequence[AnsweredQuestion]) -> Scores:
    """Return the mean scores of answers, to six places, as each answer's are stored."""
    return Scores(
        exact_match=round(sum(row.exact_match for row in rows) / len(rows), 6),
        f1=round(sum(row.f1 for row in rows) / len(rows), 6),
    )


def base_column(rows: Sequence[AnsweredQuestion], metric: Metric) -> list[float]:
    """Return an untouched base's score of each answer: of all of it, or of its first line.

    Whichever has the better mean counts, for all answers alike: a base that answers right and
    rambles on has not learned to stop, and knows the answer all the same.
    """
    whole = [row.score(metric) for row in rows]
    firsts = [
        row.score(metric) if row.first_line is None else row.first_line.score(metric)
        for row in rows
    ]
    return max(firsts, whole, key=sum)


def base_scores(rows: Sequence[AnsweredQuestion]) -> Scores:
    """Return an untouched base's mean scores, to six places, the better of the two ways."""
    return Scores(
        exact_match=round(sum(base_column(rows, "exact_match")) / len(rows), 6),
        f1=round(sum(base_column(rows, "f1")) / len(rows), 6),
    )


class ScoresFile(FileFormat):
    """`metrics/exam/<candidate>.json`, which `dvc metrics` shows: four places, so that it fits."""

    base: Scores
    """The untouched base's."""
    tuned: Scores
    """The fine-tuned model's, on the same questions."""

    @classmethod
    def of(cls, base: Scores, tuned: Scores) -> Self:
        """Round both to the four places that a table shows."""
        return cls(base=_to_four_places(base), tuned=_to_four_places(tuned))


def _to_four_places(scores: Scores) -> Scores:
    return Scores(exact_match=round(scores.exact_match, 4), f1=round(scores.f1, 4))


class Parameters(Part):
    """How many numbers a model is made of."""

    trainable: int
    """Those that training changes; in an untouched base, none."""
    total: int
    """All, the adapter's included."""


class ExamDetails(FileFormat):
    """`metrics/details/<candidate>.json`, and `metrics/bases/<candidate>.json` for a base."""

    VERSION = 2
    MADE_BY = "dvc repro"

    scores: Scores
    """By the rules that decide."""
    base_scores: Scores | None = None
    """The untouched base's on the same questions, of whole answers or of their first lines,
    whichever is better; null in the base's own file."""
    official: Scores | None = None
    """By the official script to the letter, which compares characters as they are encoded, and
    words by white space; null in a file of an earlier version."""
    published: Scores
    """By the published recipe's: first reference alone, five tokens, F1 over tokens."""
    clean: Scores | None
    """Over the questions that training does not give away; null if there is none."""
    questions: int
    """Questions asked."""
    clean_questions: int
    """Questions that training does not give away."""
    windowed_questions: int
    """Questions whose context was asked in several windows."""
    windows: int
    """Windows in all."""
    parameters: Parameters
    model_bytes: int
    """The base model in memory, in bytes, as `quantization` stores it."""
    flops_per_answer: float
    """Floating-point operations an answer; of a layer's experts those that a token goes to."""
    recurrent_layers: int = 0
    """Layers whose recurrence is not in that count; their matrices are."""
    way: str = ""
    """How the questions were put: a context's together (`shared`), several with their whole
    prompts (`padded`), or one at a time (`single`); the answers are the same."""
    cut_answers: int = 0
    """Answers that `evaluate.max_new_tokens` cut off before their end."""
    longer_references: int = 0
    """Questions all of whose references have more tokens than that, so that none can be met."""


def as_run_fields(details: ExamDetails) -> dict[str, dict[str, float]]:
    """Return what a run's log says of its exam, whole words in place of a metric file's keys."""
    base = details.base_scores
    return {
        "before": {metric: base.score(metric) for metric in METRICS} if base else {},
        "after": {metric: details.scores.score(metric) for metric in METRICS},
        "parameters": {
            "trainable": details.parameters.trainable,
            "total": details.parameters.total,
        },
    }
