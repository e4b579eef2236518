"""Settings of the dataset: `data` in `params.yaml`."""

from typing import Literal

from pydantic import Field, model_validator

from vestibular.core.settings import Settings


class Columns(Settings):
    """Names of a table's columns; omit those that the table does not have."""

    context: str
    """The text that contains the answer."""
    question: str
    """The question."""
    answers: str
    """The reference answers: one text, or a list (see `tables.py`)."""
    answer_start: str | None = None
    """Position of each answer in the context, in characters."""
    id: str | None = None
    """The question's id; without this column, the file's name and the row."""
    title: str | None = None
    """Document of the context; without this column, each context is a document."""
    is_impossible: str | None = None
    """Whether the context lacks the answer."""


class Files(Settings):
    """A value for each of the two files."""

    train: str
    """For the file with the training questions."""
    validation: str | None = None
    """For the file with the validation questions, if there is one."""


class HubDataset(Settings):
    """A dataset on the Hugging Face hub; `vestibular fetch` writes its splits to files."""

    id: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")
    """Its id, `owner/name`."""
    revision: str
    """Commit, 40 hexadecimal digits; `vestibular pin` writes it."""
    config: str | None = None
    """Its configuration, if it has several."""
    splits: Files
    """The dataset's split for each file."""


class DataSettings(Settings):
    """Location of the questions, and how they are divided."""

    source: str = Field(min_length=1)
    """Folder of the dataset's files; DVC watches it."""
    format: Literal["squad", "jsonl", "csv", "parquet"]
    """SQuAD's JSON (v1.1 or v2.0), or a table with one question per row."""
    train: str = Field(min_length=1)
    """File with the training questions, in `source`."""
    validation: str | None = Field(default=None, min_length=1)
    """File with the questions of the exam, in `source`."""
    validation_size: float | None = Field(default=None, gt=0, lt=1)
    """Fraction of the questions to hold out if there is no such file, in whole documents."""
    columns: Columns | None = None
    """Only for a table: names of its columns."""
    unanswerable: str | None = Field(min_length=1)
    """Answer for questions that their context does not answer; enables SQuAD v2.0's scoring. `null`
    if every question has an answer."""
    leaks: Literal["report", "drop_from_train", "fail"]
    """What to do with training questions that reveal validation answers: `report` counts them,
    `drop_from_train` leaves them out, `fail` refuses the data."""
    strict: bool = False
    """Whether every question that would be left out, corrected, or kept despite a fault is an
    error. Mere conversions are not: these values are read with their obvious meaning."""
    sha256: Files | None = None
    """SHA-256 of the files, so that no other file is used by mistake."""
    urls: Files | None = None
    """Addresses from which `vestibular fetch` downloads the files."""
    hub: HubDataset | None = None
    """Dataset on the hub that `vestibular fetch` writes to the files, as Parquet."""
    language: str | None = Field(None, pattern="^[a-z]{2,3}$")
    """Language of the questions, as an ISO 639 code (`pt`), for the model card and for the report's
    results by question word; `null` if unknown."""
    license: str | None = Field(None, min_length=1)
    """Licence of the data as the Hugging Face hub writes it (`cc-by-4.0`), for the model card;
    `null` if unknown."""

    @model_validator(mode="after")
    def _fits_together(self) -> "DataSettings":
        if (self.validation is None) == (self.validation_size is None):
            raise ValueError("set either validation (a file) or validation_size, not both")
        if (self.columns is None) != (self.format == "squad"):
            raise ValueError(
                "columns are for a table: name those of the file, or omit them if format is squad"
            )
        if self.urls and self.hub:
            raise ValueError("urls and hub exclude each other: the files come from one source")
        if self.hub and self.format != "parquet":
            raise ValueError("hub writes Parquet files: set format: parquet")
        return self
