"""What `prepare` found out about the data."""

from vestibular.core.file_formats import FileFormat, Part


class LeftOut(Part):
    """Questions that cannot be asked or scored, by reason."""

    empty_question: int
    empty_context: int
    no_answer: int


class Faults(Part):
    """Answers and questions that are kept, by what is wrong with them."""

    wrong_answer_start: int
    """Stated offsets that do not point at the answer, and were mended."""
    answer_not_in_context: int
    """Answers that stand nowhere in their context."""
    empty_answer: int
    """Answers without a text, which were left out beside others."""
    answer_of_articles_alone: int = 0
    """Answers of which scoring leaves nothing, since they are an article or a mark; only an answer
    that says nothing either is right then."""
    duplicate_question: int
    """Questions that were asked about the same context before."""
    duplicate_id: int
    """Ids that were another question's, and got a suffix."""


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
    left_out: LeftOut
    faults: Faults


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
