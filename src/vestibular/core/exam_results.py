"""Results of an exam: every answer with its scores, their means, and further figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from pydantic import Field

from vestibular.core.file_formats import FileFormat, Part
from vestibular.core.metrics import METRICS, Metric


class FirstLine(Part):
    """Scores of an answer's first line, where evaluation harnesses cut answers off."""

    exact_match: float = Field(ge=0, le=1)
    f1: float = Field(ge=0, le=1)

    def score(self, metric: Metric) -> float:
        """Return one of the two scores."""
        return self.exact_match if metric == "exact_match" else self.f1


class AnsweredQuestion(FileFormat):
    """A line of `metrics/predictions/<candidate>.jsonl`, or of the bases' and repeats' files."""

    VERSION = 2
    MADE_BY = "dvc repro"

    id: str
    """The question's id in its dataset."""
    title: str
    """Document of the context; empty if the source names none."""
    context: str = ""
    """Hash of the context (see `documents.context_name`)."""
    question: str
    """The question's text."""
    references: tuple[str, ...]
    """The reference answers."""
    windows: int
    """Number of windows into which a long context was cut; 1 if the context fits the model."""
    leaked: bool
    """Whether training questions reveal the answer."""
    answer: str
    """The model's answer."""
    exact_match: float = Field(ge=0, le=1)
    """1 if the answer is one of the references by SQuAD's rules, else 0."""
    f1: float = Field(ge=0, le=1)
    """Overlap with the closest reference, by SQuAD's rules."""
    first_line: FirstLine | None = None
    """Scores of the first line of an untouched base, which has not learned to stop; null for a
    fine-tuned model."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Take the fine-tuned model's answer: a row of version 1 held the base's too."""
        tuned = content.pop("after")
        del content["before"]
        # written by the first runs; contexts have been asked in windows since
        content.pop("shortened", None)
        return {"windows": 1, "leaked": False, **content, **tuned}

    def score(self, metric: Metric) -> float:
        """Return one of the two scores."""
        return self.exact_match if metric == "exact_match" else self.f1

    @property
    def key(self) -> tuple[str, ...]:
        """Fields by which two rows are about the same question."""
        return (self.id, self.title, self.context, self.question, *self.references)


@dataclass(frozen=True)
class Prediction:
    """A question with the answers of the untouched base and the fine-tuned model."""

    before: AnsweredQuestion
    after: AnsweredQuestion


def join(base: Sequence[AnsweredQuestion], tuned: Sequence[AnsweredQuestion]) -> list[Prediction]:
    """Pair each of the tuned model's answers with the base's answer to the same question.

    Raises:
        KeyError: the base was not asked one of the questions.
    """
    # two rows with one key are a question asked twice: the base answers both alike
    answered = {row.key: row for row in base}
    return [Prediction(before=answered[row.key], after=row) for row in tuned]


class Scores(Part):
    """Means over all questions, from 0 to 1."""

    exact_match: float = Field(alias="em", ge=0, le=1)
    """Share of answers that are right by SQuAD's rules."""
    f1: float = Field(ge=0, le=1)
    """Mean overlap with the closest reference."""

    def score(self, metric: Metric) -> float:
        """Return one of the two means."""
        return self.exact_match if metric == "exact_match" else self.f1


def mean_scores(rows: Sequence[AnsweredQuestion]) -> Scores:
    """Return the mean scores of answers, rounded to six places like each answer's scores."""
    return Scores(
        exact_match=round(sum(row.exact_match for row in rows) / len(rows), 6),
        f1=round(sum(row.f1 for row in rows) / len(rows), 6),
    )


def base_column(rows: Sequence[AnsweredQuestion], metric: Metric) -> list[float]:
    """Return an untouched base's score of each answer, of the whole or of its first line.

    The way with the better mean is used for all answers: a base that answers correctly and rambles
    on has not learned to stop, but does know the answer.
    """
    whole = [row.score(metric) for row in rows]
    firsts = [
        row.score(metric) if row.first_line is None else row.first_line.score(metric)
        for row in rows
    ]
    return max(firsts, whole, key=sum)


def base_scores(rows: Sequence[AnsweredQuestion]) -> Scores:
    """Return an untouched base's mean scores, the better of the two ways, to six places."""
    return Scores(
        exact_match=round(sum(base_column(rows, "exact_match")) / len(rows), 6),
        f1=round(sum(base_column(rows, "f1")) / len(rows), 6),
    )


class ScoresFile(FileFormat):
    """`metrics/exam/<candidate>.json`, shown by `dvc metrics` and rounded to four places."""

    base: Scores
    """Scores of the untouched base."""
    tuned: Scores
    """Scores of the fine-tuned model on the same questions."""

    @classmethod
    def of(cls, base: Scores, tuned: Scores) -> Self:
        """Round both to the four places shown in a table."""
        return cls(base=_to_four_places(base), tuned=_to_four_places(tuned))


def _to_four_places(scores: Scores) -> Scores:
    return Scores(exact_match=round(scores.exact_match, 4), f1=round(scores.f1, 4))


class Parameters(Part):
    """Number of parameters of a model."""

    trainable: int
    """Trainable parameters; 0 in an untouched base."""
    total: int
    """All parameters, the adapter included."""


class ExamDetails(FileFormat):
    """`metrics/details/<candidate>.json`, and `metrics/bases/<candidate>.json` for a base."""

    VERSION = 2
    MADE_BY = "dvc repro"

    scores: Scores
    """Scores by the rules that decide."""
    base_scores: Scores | None = None
    """Scores of the untouched base on the same questions, of whole answers or of their first lines,
    whichever is better; null in the base's own file."""
    official: Scores | None = None
    """Scores of the official script, which compares characters as encoded and splits words at white
    space; null in a file of an earlier version."""
    published: Scores
    """Scores of the published recipe: first reference only, five tokens, F1 over tokens."""
    clean: Scores | None
    """Scores on questions that training does not reveal; null if there are none."""
    questions: int
    """Number of questions asked."""
    clean_questions: int
    """Questions whose answers training does not reveal."""
    windowed_questions: int
    """Questions whose context was asked in several windows."""
    windows: int
    """Number of windows in total."""
    parameters: Parameters
    model_bytes: int
    """Size of the base model in memory, in bytes, as stored by `quantization`."""
    flops_per_answer: float
    """Floating-point operations per answer; of a layer's experts, only those used by a token
    count."""
    recurrent_layers: int = 0
    """Layers whose recurrence is not counted; their matrices are."""
    way: str = ""
    """How the questions were batched: all of a context together (`shared`), several whole prompts
    together (`padded`), or one at a time (`single`); the answers are the same."""
    cut_answers: int = 0
    """Answers cut off by `evaluate.max_new_tokens`."""
    longer_references: int = 0
    """Questions all of whose references have more tokens than that, so that no answer can match."""


def as_run_fields(details: ExamDetails) -> dict[str, dict[str, float]]:
    """Return the exam's results for the run log, under whole-word names."""
    base = details.base_scores
    return {
        "before": {metric: base.score(metric) for metric in METRICS} if base else {},
        "after": {metric: details.scores.score(metric) for metric in METRICS},
        "parameters": {
            "trainable": details.parameters.trainable,
            "total": details.parameters.total,
        },
    }
