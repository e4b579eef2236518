"""A dataset's two splits: read from any format, audited, divided, and checked for leaks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vestibular.core.data_audit import AuditRow
from vestibular.core.data_metrics import DataMetrics, DrawnSplit, LeakMetrics
from vestibular.core.errors import DataError
from vestibular.core.files import file_sha256
from vestibular.core.paths import PARAMS
from vestibular.core.questions import Question
from vestibular.data.audit import Audit, audit
from vestibular.data.findings import Origin, RefusedDataError, refusal, refused
from vestibular.data.leaks import Leaks, find_leaks
from vestibular.data.settings import DataSettings
from vestibular.data.sources import Source
from vestibular.data.splits import drawn_split, split_by_document
from vestibular.data.squad import read_squad
from vestibular.data.tables import read_table
from vestibular.modeling.spelled_tokens import spelled_in
from vestibular.scoring.normalization import Normalization


@dataclass(frozen=True)
class Dataset:
    """Both splits, ready to be written."""

    questions: dict[str, list[Question]]
    """Questions of `train` and `validation`."""
    audits: dict[str, Audit]
    """Audit of each split."""
    files: dict[str, Path]
    """Source file of each split."""
    leaks: LeakMetrics
    drawn: DrawnSplit | None
    """None if the source has a validation split."""

    def note_special_tokens(self, tokens: frozenset[str]) -> None:
        """Record the texts that spell a tokenizer's special tokens; each context is checked once.

        Args:
            tokens: special tokens of all candidates.
        """
        seen: set[str] = set()
        for split, questions in self.questions.items():
            audited = self.audits[split]
            for one in questions:
                texts = [("question", one.question), *(("answers", text) for text in one.answers)]
                if one.context not in seen:
                    seen.add(one.context)
                    texts.append(("context", one.context))
                for place, text in texts:
                    for token in spelled_in(tokens, text):
                        origin = audited.origins[one.id].at(place)
                        what = "kept; every candidate reads it as plain text"
                        audited.findings.add("special_token", origin, token, what, one.id)

    def metrics(self, leaked_between_folds: int = 0) -> DataMetrics:
        """Return `metrics/data.json`: sums over the recorded rows."""
        splits = {
            split: audited.as_metrics(self.questions[split], file_sha256(self.files[split]))
            for split, audited in self.audits.items()
        }
        return DataMetrics(
            **splits,
            leaks=self.leaks,
            leaked_between_folds=leaked_between_folds,
            drawn=self.drawn,
        )

    def audit_rows(self) -> Iterator[AuditRow]:
        """Yield the lines of `data/audit.jsonl`, training first."""
        for split, audited in self.audits.items():
            yield from (finding.as_row(split) for finding in audited.findings.rows)


def load_dataset(settings: DataSettings, rules: Normalization, seed: int) -> Dataset:
    """Read, check and divide the questions.

    Args:
        settings: where they are, and how they are divided.
        rules: normalization of answers.
        seed: seed of a drawn split.

    Raises:
        DataError: a file is missing, malformed or not the expected one, or there are leaks and
            these are errors.
    """
    paths = {
        split: Path(settings.source, name)
        for split in ("train", "validation")
        if (name := getattr(settings, split)) is not None
    }
    for split, path in paths.items():
        _check_file(path, split, settings)
    _refuse_one_content(paths)
    sources = {split: _read(path, settings) for split, path in paths.items()}
    records = {split: source.records for split, source in sources.items()}
    found = {split: source.findings for split, source in sources.items()}
    if settings.validation_size is not None:
        train, validation = split_by_document(
            records["train"], settings.validation_size, seed, paths["train"]
        )
        records = {"train": train, "validation": validation}
        found = sources["train"].findings.divided(
            {one.origin.row or 0: split for split, ones in records.items() for one in ones}
        )
    files = {split: paths.get(split, paths["train"]) for split in records}
    if sum(map(len, records.values())) != sum(source.present for source in sources.values()):
        raise RuntimeError("the number of rows read differs from the number in the files")
    questions: dict[str, list[Question]] = {}
    audits: dict[str, Audit] = {}
    for split, ones in records.items():
        questions[split], audits[split] = audit(
            ones, files[split], settings.unanswerable, rules, found[split]
        )
    if settings.strict:
        _refuse_all_that_is_odd(audits)
    leaks = find_leaks(questions["train"], questions["validation"])
    asked = len(questions["train"])
    questions = _without_leaks(questions, leaks, settings.leaks, audits["train"])
    drawn = None
    if settings.validation_size is not None:
        drawn = drawn_split(
            len(questions["train"]), len(questions["validation"]), settings.validation_size
        )
    dropped = asked - len(questions["train"])
    return Dataset(questions, audits, files, leaks.as_metrics(dropped), drawn)


def _refuse_all_that_is_odd(audits: Mapping[str, Audit]) -> None:
    """Refuse data with any question that is not as it should be.

    Raises:
        DataError: a question would be left out, corrected or kept despite a fault; names all of
            them.
    """
    odd = [
        refused(
            one.kind,
            one.origin,
            f"{one.kind.replace('_', ' ')}: {one.found!r}; correct it, or write data.strict: "
            f"false ({one.done})",
        )
        for audited in audits.values()
        for one in audited.findings.rows
        if one.action != "converted"
    ]
    if odd:
        raise RefusedDataError(odd)


def _refuse_one_content(paths: Mapping[str, Path]) -> None:
    """Refuse two files with the same content, so that nobody is examined on learned questions.

    Raises:
        DataError: the two files hold the same bytes.
    """
    if len(paths) < 2:
        return
    train, validation = paths.values()
    # a missing file is reported where it is read
    if not (train.is_file() and validation.is_file()):
        return
    if file_sha256(train) == file_sha256(validation):
        what = (
            f"holds the same bytes as {train}; name a file with other questions, or set "
            "data.validation_size to hold out a part of one file"
        )
        raise refusal("one_content", Origin(validation), what)


def _check_file(path: Path, split: str, settings: DataSettings) -> None:
    """Check that a file exists and is the expected one.

    Raises:
        DataError: it does not, or is not; says where to get it.
    """
    address = getattr(settings.urls, split, None)
    if settings.hub:
        address = f"the hub dataset {settings.hub.id}"
    if address and not path.exists():
        raise DataError(
            f"{path}: not found; on a machine with network access, `vestibular fetch` downloads "
            f"it from {address}: run it here, or run it there and copy the file"
        )
    expected = getattr(settings.sha256, split, None)
    if expected and path.is_file() and (found := file_sha256(path)) != expected:
        raise refusal(
            "wrong_file",
            Origin(path),
            f"is not the expected file: its SHA-256 is {found}, but {PARAMS} has {expected} under "
            f"data.sha256.{split}; put the right file there"
            + (", or remove it and run `vestibular fetch`" if address else ""),
        )


def _read(path: Path, settings: DataSettings) -> Source:
    if settings.columns is None:
        return read_squad(path)
    return read_table(path, settings.format, settings.columns)


def _without_leaks(
    questions: Mapping[str, list[Question]], leaks: Leaks, action: str, trained: Audit
) -> dict[str, list[Question]]:
    if leaks.leaked and action == "fail":
        counts = leaks.counts
        raise refusal(
            "leaks",
            Origin(PARAMS),
            f"data.leaks: fail: training questions reveal {leaks.leaked} of {counts['questions']} "
            f"validation answers ({counts['overlapping_contexts']} of {counts['contexts']} "
            f"contexts overlap); write drop_from_train to leave out the {len(leaks.train)} "
            "training questions, or report to only count them",
        )
    train, validation = questions["train"], questions["validation"]
    if action == "drop_from_train":
        for place in sorted(leaks.train):
            given = train[place]
            origin = trained.origins[given.id]
            trained.findings.add("gives_answer_away", origin, given.question, "left out", given.id)
        train = [question for place, question in enumerate(train) if place not in leaks.train]
        if not train:
            raise refusal(
                "leaks",
                Origin(PARAMS),
                "data.leaks: drop_from_train: no training question would be left; both splits "
                "contain the same texts",
            )
    else:
        validation = [
            replace(question, leaked=place in leaks.validation)
            for place, question in enumerate(validation)
        ]
    return {"train": train, "validation": validation}
