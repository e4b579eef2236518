"""Figures about the prepared data: sums over `data/audit.jsonl` (see `data_audit.py`)."""

from typing import Self

from pydantic import model_validator

from vestibular.core.file_formats import FileFormat, Part


class Rows(Part):
    """Balance of the rows: every row of the source is read or left out."""

    present: int
    """Questions or table rows in the file, counted while parsing; for a file that holds both
    splits, those of this split."""
    read: int
    """Questions that were kept."""
    left_out: int
    """Questions that were left out."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.read + self.left_out != self.present:
            raise ValueError(
                f"{self.read} rows read and {self.left_out} left out are not {self.present}"
            )
        return self


class LeftOut(Part):
    """Questions left out because they cannot be asked or scored, by reason."""

    empty_question: int
    empty_context: int
    no_answer: int
    gives_answer_away: int = 0
    """Training questions that reveal a validation answer (`data.leaks: drop_from_train`)."""


class Faults(Part):
    """Faults of answers and questions that were kept."""

    wrong_answer_start: int
    """Stated offsets that did not point at the answer, and were corrected."""
    answer_not_in_context: int
    """Answers that do not occur in their context."""
    answer_in_other_form: int = 0
    """Answers that the context encodes differently, with composed or decomposed accents (Unicode
    NFC and NFD)."""
    answers_in_one_text: int = 0
    """Answers that do not occur in their context, although all parts between `|` or `;` do: most
    likely several answers, which are compared as one."""
    empty_answer: int
    """Answers without a visible character, left out next to other answers."""
    answer_of_articles_alone: int = 0
    """Answers of which scoring leaves nothing, since they consist of articles or punctuation; only
    an answer that is equally empty then counts as right."""
    answer_of_impossible: int = 0
    """Answers to questions marked as impossible, left out."""
    no_answer_though_possible: int = 0
    """Questions marked as possible that have no answer; they are treated as impossible."""
    start_without_answer: int = 0
    """Offsets of questions without an answer, left out."""
    duplicate_question: int
    """Questions that were already asked about the same context."""
    duplicate_id: int
    """Ids already used by another question, which got a suffix."""
    missing_id: int = 0
    """Questions without an id in a table that has a column of them; they were named after the file
    and the row."""
    special_token: int = 0
    """Texts that spell a special token of a candidate's tokenizer, such as `</s>`; they are read as
    plain text."""


class Converted(Part):
    """Values that were converted to their obvious meaning, by how they were written."""

    id_as_number: int = 0
    title_as_number: int = 0
    answer_start_as_text: int = 0
    answer_start_as_fraction: int = 0
    """Such as `19.0`, which pandas makes of 19 in a column with gaps."""
    answer_start_as_list: int = 0
    """Text cells that contain a list of offsets."""
    answers_as_json: int = 0
    """Text cells that contain JSON, in a format that has lists of its own."""
    answers_as_python: int = 0
    """Text cells that contain Python's printed form of a list, a dictionary or an array."""
    is_impossible_as_text: int = 0
    is_impossible_as_number: int = 0
    empty_as_nan: int = 0
    """Cells with "not a number" in place of an empty value."""
    byte_order_mark: int = 0
    """Lines that begin with a byte order mark, as in concatenated files."""


class SplitMetrics(Part):
    """Figures of one split."""

    sha256: str
    """SHA-256 of the split's source file."""
    documents: int
    """Number of documents, as far as titles and contexts tell."""
    contexts: int
    """Number of distinct contexts."""
    questions: int
    """Questions that were kept."""
    unanswerable: int
    """Questions that cannot be answered from their context."""
    references_per_question: dict[str, int]
    """Number of questions for each number of references."""
    rows: Rows | None = None
    """Null in a file of an earlier version."""
    contexts_without_spaces: int = 0
    """Contexts written mostly in a script without spaces between words. In these, every character
    counts as a word: in the leak audit, in the windows of the exam and in F1."""
    left_out: LeftOut
    faults: Faults
    converted: Converted = Converted()


class LeakMetrics(Part):
    """How far training questions reveal the answers to validation questions."""

    questions: int
    """Validation questions."""
    contexts: int
    """Validation contexts."""
    overlapping_contexts: int
    """Validation contexts of which half the word 8-grams occur in one training context."""
    questions_on_overlapping_contexts: int
    nearly_equal_questions: int
    """Validation questions that share four fifths of their 3-grams with a training question."""
    clean_questions: int
    """Validation questions whose answers nothing reveals."""
    dropped_from_train: int
    """Training questions left out because of leaks."""

    @property
    def given_away(self) -> int:
        """Validation questions whose answers training questions reveal, or would reveal."""
        return self.questions - self.clean_questions

    def sentence(self) -> str:
        """Return what a reader must know about leaks, and can do; empty if there are none."""
        if not self.given_away:
            return ""
        advice = (
            f"the {self.dropped_from_train:,} training questions that do so were left out"
            if self.dropped_from_train
            else "data.leaks: drop_from_train leaves out these training questions"
        )
        return (
            f"Training questions reveal the answers to {self.given_away:,} of {self.questions:,} "
            f"validation questions, by an overlapping context or an equal question; {advice}."
        )


class DrawnSplit(Part):
    """A validation split drawn from the training questions."""

    asked: float
    """Share of the questions to be held out."""
    share: float
    """Share actually held out: documents are held out whole."""
    warning: str | None
    """Advice if the two differ by more than half of the requested share."""


class DataMetrics(FileFormat):
    """`metrics/data.json`."""

    MADE_BY = "dvc repro prepare"

    train: SplitMetrics
    validation: SplitMetrics
    leaks: LeakMetrics
    leaked_between_folds: int = 0
    """Questions whose answers other folds reveal."""
    drawn: DrawnSplit | None = None
    """Null if the source has a validation split."""

    def splits(self) -> dict[str, SplitMetrics]:
        """Return both splits by name."""
        return {"train": self.train, "validation": self.validation}
