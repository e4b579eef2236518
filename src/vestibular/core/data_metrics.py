"""What `prepare` found out about the data: sums over `data/audit.jsonl` (see `data_audit.py`)."""

from typing import Self

from pydantic import model_validator

from vestibular.core.file_formats import FileFormat, Part


class Rows(Part):
    """The account of reading: every row of the source is read or left out."""

    present: int
    """Questions or rows of a table that the file holds, as counted while it was parsed; of one file
    for both splits, those that fell to this one."""
    read: int
    """Questions that are kept."""
    left_out: int
    """Questions that are not."""

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.read + self.left_out != self.present:
            raise ValueError(
                f"{self.read} rows read and {self.left_out} left out are not {self.present}"
            )
        return self


class LeftOut(Part):
    """Questions that cannot be asked or scored, by reason."""

    empty_question: int
    empty_context: int
    no_answer: int
    gives_answer_away: int = 0
    """Training questions that give a validation answer away (`data.leaks: drop_from_train`)."""


class Faults(Part):
    """Answers and questions that are kept, by what is wrong with them."""

    wrong_answer_start: int
    """Stated offsets that do not point at the answer, and were mended."""
    answer_not_in_context: int
    """Answers that stand nowhere in their context."""
    answer_in_other_form: int = 0
    """Answers whose letters the context encodes in another way, as composed or decomposed
    accents (Unicode NFC and NFD)."""
    answers_in_one_text: int = 0
    """Answers that stand nowhere in their context, whose parts between `|` or `;` all do: several
    answers, most likely, that are compared as one."""
    empty_answer: int
    """Answers without a visible character, which were left out beside others."""
    answer_of_articles_alone: int = 0
    """Answers of which scoring leaves nothing, since they are an article or a mark; only an answer
    that says nothing either is right then."""
    answer_of_impossible: int = 0
    """Answers to questions that are marked as impossible, which were left out."""
    no_answer_though_possible: int = 0
    """Questions that are marked as possible and have no answer; they are taken for impossible."""
    start_without_answer: int = 0
    """Offsets of questions that have no answer, which were left out."""
    duplicate_question: int
    """Questions that were asked about the same context before."""
    duplicate_id: int
    """Ids that were another question's, and got a suffix."""
    missing_id: int = 0
    """Questions without an id in a table that has a column of them; they got the file's name and
    the row."""
    special_token: int = 0
    """Texts that spell a special token of a candidate's tokenizer, as `</s>`; they are read as
    text, and control nothing."""


class Converted(Part):
    """Values that were read with what they plainly mean, by how they were written."""

    id_as_number: int = 0
    title_as_number: int = 0
    answer_start_as_text: int = 0
    answer_start_as_fraction: int = 0
    """As `19.0`, which pandas makes of 19 in a column with gaps."""
    answer_start_as_list: int = 0
    """Cells of text that hold a list of offsets."""
    answers_as_json: int = 0
    """Cells of text that hold JSON, in a format that has lists of its own."""
    answers_as_python: int = 0
    """Cells of text that hold what Python prints for a list, a dictionary or an array."""
    is_impossible_as_text: int = 0
    is_impossible_as_number: int = 0
    empty_as_nan: int = 0
    """Cells that say "not a number" for nothing."""
    byte_order_mark: int = 0
    """Lines that begin with one, as in files that were joined."""


class SplitMetrics(Part):
    """One split."""

    sha256: str
    """Of the file that the split is from."""
    documents: int
    """Documents, as far as titles and contexts tell."""
    contexts: int
    """Different contexts."""
    questions: int
    """Questions that are kept."""
    unanswerable: int
    """Questions that their context does not answer."""
    references_per_question: dict[str, int]
    """Number of questions by their number of references."""
    rows: Rows | None = None
    """Null in a file of an earlier version."""
    contexts_without_spaces: int = 0
    """Contexts most of whose letters are of a script without spaces between words. There every
    character counts as a word: in the leak audit, in the windows of the exam and in F1."""
    left_out: LeftOut
    faults: Faults
    converted: Converted = Converted()


class LeakMetrics(Part):
    """What training questions give away of the validation questions."""

    questions: int
    """Validation questions."""
    contexts: int
    """Validation contexts."""
    overlapping_contexts: int
    """Validation contexts half of whose word 8-grams stand in one training context."""
    questions_on_overlapping_contexts: int
    nearly_equal_questions: int
    """Validation questions that share four fifths of their 3-grams with a training question."""
    clean_questions: int
    """Validation questions that nothing gives away."""
    dropped_from_train: int
    """Training questions that were left out for it."""

    @property
    def given_away(self) -> int:
        """Validation questions that training gives away, or would have."""
        return self.questions - self.clean_questions

    def sentence(self) -> str:
        """Return what a reader has to know of it, and can do; empty if nothing is given away."""
        if not self.given_away:
            return ""
        advice = (
            f"the {self.dropped_from_train:,} training questions that do so were left out"
            if self.dropped_from_train
            else "data.leaks: drop_from_train leaves out the training questions that do so"
        )
        return (
            f"Training gives {self.given_away:,} of {self.questions:,} validation questions away, "
            f"by a context that overlaps or by an equal question; {advice}."
        )


class DrawnSplit(Part):
    """A validation split that was drawn from the training questions."""

    asked: float
    """Share of the questions that was to be held out."""
    share: float
    """Share that is held out, since documents are held out whole."""
    warning: str | None
    """What to do where the two differ by more than half of what was asked."""


class DataMetrics(FileFormat):
    """`metrics/data.json`."""

    MADE_BY = "dvc repro prepare"

    train: SplitMetrics
    validation: SplitMetrics
    leaks: LeakMetrics
    leaked_between_folds: int = 0
    """Questions that the questions of other folds give away."""
    drawn: DrawnSplit | None = None
    """Null where the source has a validation split."""

    def splits(self) -> dict[str, SplitMetrics]:
        """Return both splits by name."""
        return {"train": self.train, "validation": self.validation}
