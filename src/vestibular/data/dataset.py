"""A dataset's two splits: read in any format, audited, divided, and looked through for leaks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vestibular.core.data_metrics import DataMetrics
from vestibular.core.errors import DataError
from vestibular.core.files import file_sha256
from vestibular.core.layout import PARAMS
from vestibular.core.questions import Question
from vestibular.data.audit import Audit, audit
from vestibular.data.leaks import Leaks, find_leaks
from vestibular.data.records import Record
from vestibular.data.settings import DataSettings
from vestibular.data.splits import drawn_split, split_by_document
from vestibular.data.squad import read_squad
from vestibular.data.tables import read_table
from vestibular.scoring.normalization import Normalization


@dataclass(frozen=True)
class Dataset:
    """Both splits, ready to be written."""

    questions: dict[str, list[Question]]
    """`train` and `validation`."""
    metrics: DataMetrics
    """What the audits found, with the files' hashes."""


def load_dataset(settings: DataSettings, rules: Normalization, seed: int) -> Dataset:
    """Read, check and divide the questions.

    Args:
        settings: where they are, and how they are divided.
        rules: what of an answer's spelling does not count.
        seed: of the split, where it is drawn.

    Raises:
        DataError: a file is missing, is not the right one or malformed, or leaks are to fail.
    """
    paths = {
        split: Path(settings.source, name)
        for split in ("train", "validation")
        if (name := getattr(settings, split)) is not None
    }
    for split, path in paths.items():
        _check_file(path, split, settings)
    records = {split: _read(path, settings) for split, path in paths.items()}
    if settings.validation_size is not None:
        train, validation = split_by_document(records["train"], settings.validation_size, seed)
        records = {"train": train, "validation": validation}
    questions: dict[str, list[Question]] = {}
    audits: dict[str, Audit] = {}
    for split, found in records.items():
        path = paths.get(split, paths["train"])
        questions[split], audits[split] = audit(found, path, settings.unanswerable, rules)
    leaks = find_leaks(questions["train"], questions["validation"])
    questions = _without_leaks(questions, leaks, settings.leaks)
    metrics = _metrics(paths, questions, audits, leaks, settings.leaks)
    if settings.validation_size is not None:
        drawn = drawn_split(
            len(questions["train"]), len(questions["validation"]), settings.validation_size
        )
        metrics = metrics.model_copy(update={"drawn": drawn})
    return Dataset(questions, metrics)


def _check_file(path: Path, split: str, settings: DataSettings) -> None:
    """Make sure that a file is there and is the one that was meant.

    Raises:
        DataError: it is not; says where it is to be had.
    """
    address = getattr(settings.urls, split, None)
    if settings.hub:
        address = f"the hub's dataset {settings.hub.id}"
    if address and not path.exists():
        raise DataError(
            f"{path}: not found; on a machine with a network `vestibular fetch` gets it from "
            f"{address}: run it here, or run it there and copy the file"
        )
    expected = getattr(settings.sha256, split, None)
    if expected and path.is_file() and (found := file_sha256(path)) != expected:
        raise DataError(
            f"{path}: is not the file that is meant: its SHA-256 is {found}, and {PARAMS} says "
            f"{expected} under data.sha256.{split}; put the right file there"
            + (", or remove it and run `vestibular fetch`" if address else "")
        )


def _read(path: Path, settings: DataSettings) -> list[Record]:
    if settings.columns is None:
        return read_squad(path)
    return read_table(path, settings.format, settings.columns)


def _without_leaks(
    questions: Mapping[str, list[Question]], leaks: Leaks, action: str
) -> dict[str, list[Question]]:
    if leaks.leaked and action == "fail":
        counts = leaks.counts
        raise DataError(
            f"{PARAMS}: data.leaks: fail: training gives {leaks.leaked} of {counts['questions']} "
            f"validation questions away ({counts['overlapping_contexts']} of "
            f"{counts['contexts']} contexts overlap); write drop_from_train to leave the "
            f"{len(leaks.training_ids)} training questions out, or report to count them only"
        )
    train, validation = questions["train"], questions["validation"]
    if action == "drop_from_train":
        train = [question for question in train if question.id not in leaks.training_ids]
        if not train:
            raise DataError(
                f"{PARAMS}: data.leaks: drop_from_train: no training question would be left; "
                "the two splits hold the same texts"
            )
    else:
        validation = [
            replace(question, leaked=question.id in leaks.validation_ids) for question in validation
        ]
    return {"train": train, "validation": validation}


def _metrics(
    paths: Mapping[str, Path],
    questions: Mapping[str, list[Question]],
    audits: Mapping[str, Audit],
    leaks: Leaks,
    action: str,
) -> DataMetrics:
    dropped = len(leaks.training_ids) if action == "drop_from_train" else 0
    found = {
        split: audits[split].as_metrics(kept, file_sha256(paths.get(split, paths["train"])))
        for split, kept in questions.items()
    }
    return DataMetrics(**found, leaks=leaks.as_metrics(dropped))
