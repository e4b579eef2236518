"""Settings of the dataset: `data` in `params.yaml`."""

from typing import Literal

from pydantic import Field, model_validator

from vestibular.core.settings import Settings


class Columns(Settings):
    """Names of a table's columns; leave out what the table does not have."""

    context: str
    """The text that holds the answer."""
    question: str
    """What is asked."""
    answers: str
    """The reference answers: one text, or a list (see `tables.py`)."""
    answer_start: str | None = None
    """Where each answer stands in the context, in characters."""
    id: str | None = None
    """The question's name; without it, the file's name and the row."""
    title: str | None = None
    """Document that the context is from; without it, each context is one."""
    is_impossible: str | None = None
    """Whether the context does not hold the answer."""


class Files(Settings):
    """A value for each of the two files."""

    train: str
    """Of the file with the training questions."""
    validation: str | None = None
    """Of the file with the validation questions, if there is one."""


class HubDataset(Settings):
    """A dataset on the Hugging Face hub; `vestibular fetch` writes its splits into files."""

    id: str = Field(pattern=r"^[\w.-]+(/[\w.-]+)?$")
    """Its name there, `owner/name`."""
    revision: str
    """Commit, 40 hexadecimal digits; `vestibular pin` writes it."""
    config: str | None = None
    """Its configuration, if it has several."""
    splits: Files
    """Its split for each file."""


class DataSettings(Settings):
    """Where the questions are, and how they are divided."""

    source: str = Field(min_length=1)
    """Folder with the dataset's files; DVC watches it."""
    format: Literal["squad", "jsonl", "csv", "parquet"]
    """SQuAD's JSON (v1.1 or v2.0), or a table with one question a row."""
    train: str = Field(min_length=1)
    """File with the training questions, within `source`."""
    validation: str | None = Field(default=None, min_length=1)
    """File with the questions that the candidates are examined on, within `source`."""
    validation_size: float | None = Field(default=None, gt=0, lt=1)
    """Without such a file: fraction of the questions that is held out, by whole documents."""
    columns: Columns | None = None
    """Only for a table: what its columns are called."""
    unanswerable: str | None = Field(min_length=1)
    """What to answer where the context holds no answer; brings SQuAD v2.0's rules of scoring.
    `null` if every question has one."""
    leaks: Literal["report", "drop_from_train", "fail"]
    """What to do with training questions that give validation answers away: `report` counts them,
    `drop_from_train` leaves them out, `fail` refuses the data."""
    strict: bool = False
    """Whether every question that would be left out, mended, or kept although it is odd is an
    error. Values that are only converted are none: they are read as what they plainly mean."""
    sha256: Files | None = None
    """SHA-256 of the files, so that no other file is taken for them."""
    urls: Files | None = None
    """Addresses that `vestibular fetch` downloads the files from."""
    hub: HubDataset | None = None
    """Dataset on the hub that `vestibular fetch` writes the files from, as Parquet."""
    language: str | None = Field(None, pattern="^[a-z]{2,3}$")
    """The questions' language, in ISO 639's letters (`pt`), for the model card and for the
    report's results by question word; nothing if it is not known."""
    license: str | None = Field(None, min_length=1)
    """The data's licence as the Hugging Face hub writes it (`cc-by-4.0`), for the model card;
    nothing if it is not known."""

    @model_validator(mode="after")
    def _fits_together(self) -> "DataSettings":
        if (self.validation is None) == (self.validation_size is None):
            raise ValueError("name a validation file or a validation_size, one of the two")
        if (self.columns is None) != (self.format == "squad"):
            raise ValueError(
                "columns are for a table: say what those of the file are called, or leave them "
                "out if format is squad"
            )
        if self.urls and self.hub:
            raise ValueError("urls and hub exclude each other: the files come from one place")
        if self.hub and self.format != "parquet":
            raise ValueError("hub makes Parquet files: write format: parquet")
        return self
