"""Files of candidates and repeats that the settings no longer name.

`select` depends on whole folders, so that a leftover would change its key: a user who removes a
candidate and one who clones the project afterwards would get different keys. DVC hashes a stage's
dependencies again after its command, so that `dvc.lock` records the folders without the leftovers.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vestibular.core.errors import DataError
from vestibular.core.exam_results import AnsweredQuestion, ExamDetails, ScoresFile
from vestibular.core.file_formats import FileFormat
from vestibular.core.paths import (
    ADAPTERS,
    BASE_PREDICTIONS,
    CURVES,
    DETAILS,
    PREDICTIONS,
    REPEAT_ADAPTERS,
    REPEAT_PREDICTIONS,
    SCORES,
    TRAINING_FILE,
)
from vestibular.core.training_record import TrainingRecord
from vestibular.core.trials import Trial


def remove_leftovers(candidates: Sequence[str], repeats: Sequence[str]) -> list[Path]:
    """Delete what stages made for candidates or repeats that the settings no longer name.

    Other files stay: a file or folder is taken to be a stage's only if its content is.

    Returns:
        the deleted paths.
    """
    own = {Trial(name).name for name in candidates}
    repeated = {Trial(name, repeat).name for name in candidates for repeat in repeats}
    removed = []
    for path, is_ours in _found(own, repeated):
        if is_ours(path):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            removed.append(path)
    return removed


def _found(own: set[str], repeated: set[str]) -> Iterator[tuple[Path, Callable[[Path], bool]]]:
    places: list[tuple[Path, str, set[str], Callable[[Path], bool]]] = [
        (ADAPTERS, "", own, _is_adapter),
        (REPEAT_ADAPTERS, "", repeated, _is_adapter),
        (CURVES, ".tsv", own, _is_curve),
        (SCORES, ".json", own, lambda path: _has_format(ScoresFile, path)),
        (DETAILS, ".json", own, lambda path: _has_format(ExamDetails, path)),
        (BASE_PREDICTIONS, ".json", own, lambda path: _has_format(ExamDetails, path)),
        (BASE_PREDICTIONS, ".jsonl", own, _holds_answers),
        (PREDICTIONS, ".jsonl", own, _holds_answers),
        (REPEAT_PREDICTIONS, ".jsonl", repeated, _holds_answers),
    ]
    for folder, suffix, named, is_ours in places:
        for path in sorted(folder.glob(f"*{suffix}")):
            known = path.name.removesuffix(suffix) in named
            if path.suffix == suffix and not known and path.is_dir() == (not suffix):
                yield path, is_ours


def _is_adapter(path: Path) -> bool:
    record = path / TRAINING_FILE
    return record.is_file() and _has_format(TrainingRecord, record)


def _is_curve(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().startswith("step\tepoch\tloss\tvalidation_loss\t")


def _has_format(model: type[FileFormat], path: Path) -> bool:
    try:
        model.read(path)
    except DataError:
        return False
    return True


def _holds_answers(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        try:
            AnsweredQuestion.parse(json.loads(file.readline()), path)
        except (ValueError, DataError):
            return False
    return True
