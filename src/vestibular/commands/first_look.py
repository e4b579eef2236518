"""First look of `vestibular init` at a folder with questions, before there are settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vestibular.commands.init_command import column_option
from vestibular.core.errors import DataError, LaunchError
from vestibular.data.dataset import Dataset, load_dataset
from vestibular.data.findings import RefusedDataError
from vestibular.data.settings import Columns, DataSettings
from vestibular.data.tables import KINDS, column_names
from vestibular.scoring.languages import usual_columns
from vestibular.scoring.normalization import Normalization

FORMATS = {".json": "squad", **KINDS}
"""Format by file suffix."""
VALIDATION_SIZE = 0.2
"""Fraction held out if there is only one file."""
SEED = 42
"""Seed in the first settings, with which a part is held out."""
TRAIN_NAMES = ("train",)
VALIDATION_NAMES = ("dev", "valid", "val", "test")
NEEDED = ("context", "question", "answers")


@dataclass(frozen=True)
class Wanted:
    """The user's statements about the data; None for what has to be found out."""

    source: Path
    format: str | None
    train: str | None
    validation: str | None
    unanswerable: str | None
    columns: dict[str, str]
    """Names of columns, by content."""


class UnanswerableError(LaunchError):
    """Questions are marked as impossible, but the answer to give is not known."""


@dataclass(frozen=True)
class FirstLook:
    """The questions, and the settings that they were read with."""

    settings: DataSettings
    dataset: Dataset
    unread: tuple[str, ...]
    """Names of columns with unknown content."""

    @property
    def learned(self) -> int:
        """Number of training questions."""
        return len(self.dataset.questions["train"])

    def longest(self, what: str) -> str:
        """Return the longest of the contexts, or of the answers."""
        questions = [one for split in self.dataset.questions.values() for one in split]
        if what == "context":
            return max((one.context for one in questions), key=len)
        return max((answer for one in questions for answer in one.answers), key=len)


def look(wanted: Wanted, rules: Normalization) -> FirstLook:
    """Read the questions, using the user's statements and what the files tell.

    Raises:
        DataError: the folder has no such files, or they cannot be read.
        UnanswerableError: the answer to impossible questions is needed.
        LaunchError: the meaning is ambiguous; names the option that is needed.
    """
    kind, train, validation = _files(wanted)
    columns: Columns | None = None
    unread: tuple[str, ...] = ()
    if kind != "squad":
        names = column_names(wanted.source / train, kind)
        columns = _columns(wanted, names)
        read = columns.model_dump().values()
        unread = tuple(name for name in names if name.strip() and name not in read)
    settings = DataSettings.model_validate(
        {
            "source": wanted.source.as_posix(),
            "format": kind,
            "train": train,
            "validation": validation,
            "validation_size": None if validation else VALIDATION_SIZE,
            "columns": columns,
            "unanswerable": wanted.unanswerable,
            "leaks": "report",
        }
    )
    try:
        return FirstLook(settings, load_dataset(settings, rules, SEED), unread)
    except RefusedDataError as error:
        kinds = {finding.kind for finding in error.findings}
        if kinds != {"impossible_without_setting"}:
            raise
        count = len(error.findings)
        are = "question is" if count == 1 else "questions are"
        raise UnanswerableError(
            f"{wanted.source}: {count:,} {are} marked as impossible to answer; use --unanswerable "
            "TEXT to say what the model should answer"
        ) from None


def _files(wanted: Wanted) -> tuple[str, str, str | None]:
    """Return the format, the training file and, if there is one, the validation file."""
    if not wanted.source.is_dir():
        raise DataError(
            f"{wanted.source}: no such folder; name the one with the files of questions"
        )
    kinds = {
        path.name: FORMATS[path.suffix]
        for path in sorted(wanted.source.iterdir())
        if path.suffix in FORMATS
    }
    # if no file has the ending of the stated format, they are of this format all the same
    names = [name for name, kind in kinds.items() if kind == wanted.format] or list(kinds)
    train, validation = wanted.train, wanted.validation
    if train is None:
        rest = [name for name in names if name != validation]
        named = [name for name in rest if name.lower().startswith(TRAIN_NAMES)]
        chosen = rest if len(rest) == 1 else named
        if not rest:
            ends = ", ".join(FORMATS)
            raise DataError(
                f"{wanted.source}: contains no file of questions ({ends}); name one with --train"
            )
        if len(chosen) != 1:
            raise LaunchError(
                f"{wanted.source}: contains several files ({', '.join(rest)}); name the training "
                "file with --train FILE, and the one for the exam with --validation FILE"
            )
        train = chosen[0]
    if validation is None and wanted.train is None:
        others = [name for name in names if name.lower().startswith(VALIDATION_NAMES)]
        validation = others[0] if len(others) == 1 and others[0] != train else None
    kind = wanted.format or FORMATS.get(Path(train).suffix)
    if kind is None:
        raise LaunchError(f"{train}: name its format with --format ({', '.join(FORMATS.values())})")
    return kind, train, validation


def _columns(wanted: Wanted, names: Sequence[str]) -> Columns:
    """Return the columns, as stated by the user or recognized by name."""
    found: dict[str, str] = {}
    for what, usual in usual_columns().items():
        given = wanted.columns.get(what)
        if given is not None and given not in names:
            raise LaunchError(
                f"{column_option(what)} {given}: there is no such column ({', '.join(names)})"
            )
        alike = [name for name in names if name.strip().lower() in usual]
        if given is not None:
            found[what] = given
        elif len(alike) == 1:
            found[what] = alike[0]
    if missing := [what for what in NEEDED if what not in found]:
        options = " ".join(f"{column_option(what)} NAME" for what in missing)
        raise LaunchError(
            f"{wanted.source}: which columns hold the {' and the '.join(missing)}? It has "
            f"{', '.join(names)}; write {options}"
        )
    return Columns.model_validate(found)
