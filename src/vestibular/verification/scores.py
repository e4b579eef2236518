"""Scores computed again from the answers."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vestibular.core.errors import DataError
from vestibular.core.exam_results import (
    AnsweredQuestion,
    Scores,
    ScoresFile,
    base_scores,
    join,
    mean_scores,
)
from vestibular.core.paths import BASE_PREDICTIONS, PREDICTIONS, REPEAT_PREDICTIONS, SCORES
from vestibular.registry.revisions import flat
from vestibular.scoring.normalization import Normalization
from vestibular.scoring.scoring import (
    best,
    exact_match,
    f1,
    f1_or_nothing,
    without_unanswerable,
)
from vestibular.verification.commit_checks import Finding
from vestibular.verification.contents import kept_file, recorded, stages_of
from vestibular.verification.pipeline import Pipeline

ANSWERS = (PREDICTIONS, BASE_PREDICTIONS, REPEAT_PREDICTIONS)
"""Folders with one file of answers per exam."""


def is_of_answers(path: str) -> bool:
    """Return whether an output contains an exam's answers."""
    return Path(path).parent in ANSWERS and Path(path).suffix == ".jsonl"


def read_answers(path: Path, md5: str | None) -> list[AnsweredQuestion] | None:
    """Read an exam's answers from DVC's cache; None if they are not there.

    Args:
        path: original path, for messages.
        md5: their hash.

    Raises:
        DataError: the file is malformed.
    """
    content = kept_file(md5) if md5 is not None else None
    if content is None:
        return None
    try:
        return AnsweredQuestion.read_lines(content)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def wrong_scores(
    project: Path, pipeline: Pipeline, lock: Mapping[str, Any]
) -> tuple[int, list[Finding]]:
    """Score again all answers that are available.

    Args:
        project: the commit's files.
        pipeline: its stages.
        lock: content of its `dvc.lock`.

    Returns:
        the number of scored answers, and those whose scores differ.
    """
    found, scored = [], 0
    known: dict[Path, Sequence[AnsweredQuestion]] = {}
    for stage, output in pipeline.outputs():
        path = Path(output.path)
        if not is_of_answers(output.path):
            continue
        try:
            rows = read_answers(path, recorded(lock, stage.name).get(output.path))
        except DataError as error:
            found.append(Finding("scores", str(error)))
            continue
        if rows is None:
            continue
        known[path] = rows
        settings = flat(stages_of(lock)[stage.name].get("params", {}).get("params.yaml") or {})
        if "evaluate.normalization" not in settings:
            # a run of an earlier version, whose rules had no name yet
            continue
        wrong = list(_wrong_rows(rows, settings))
        scored += len(rows)
        if wrong:
            more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            found.append(Finding("scores", f"{path}: {wrong[0]}{more}"))
    return scored, [*found, *_wrong_means(project, known)]


def _wrong_rows(rows: Sequence[AnsweredQuestion], settings: Mapping[str, Any]) -> Iterator[str]:
    rules = Normalization(settings["evaluate.normalization"], settings["evaluate.articles"])
    unanswerable = settings.get("data.unanswerable")
    for row in rows:
        said = [("", row.answer, row.exact_match, row.f1)]
        if (line := row.first_line) is not None:
            first = row.answer.partition("\n")[0].strip()
            said.append((" (first line)", first, line.exact_match, line.f1))
        for what, answer, match, overlap in said:
            right = _scored(answer, row.references, rules, unanswerable)
            if (match, overlap) != right:
                yield (
                    f"question {row.id}{what}: recorded exact match {match:g} and F1 {overlap:g} "
                    f"for {answer!r}, but the scores are {right[0]:g} and {right[1]:g}"
                )
                break


def _scored(
    answer: str, references: Sequence[str], rules: Normalization, unanswerable: str | None
) -> tuple[float, float]:
    """Return an answer's exact match and F1, rounded like the exam's metric.

    The metric itself is not used: the library that loads it takes seconds to import.
    """
    word_f1 = f1
    if unanswerable is not None:
        word_f1 = f1_or_nothing
        answer, references = without_unanswerable(answer, references, unanswerable, rules)
    return (
        best(exact_match, answer, references, rules),
        round(best(word_f1, answer, references, rules), 6),
    )


def _wrong_means(
    project: Path, known: Mapping[Path, Sequence[AnsweredQuestion]]
) -> Iterator[Finding]:
    """Compare the score files in git with the answers' means."""
    for path, rows in known.items():
        name = f"{path.stem}.json"
        written, base = project / SCORES / name, BASE_PREDICTIONS / path.name
        if path.parent != PREDICTIONS or base not in known or not written.is_file():
            continue
        try:
            said = ScoresFile.read(written)
            of_base = base_scores([each.before for each in join(known[base], rows)])
        except (DataError, KeyError, ValidationError) as error:
            yield Finding("scores", f"{SCORES / name}: {error}")
            continue
        right = ScoresFile.of(of_base, mean_scores(rows))
        for whose in ("base", "tuned"):
            one, other = getattr(said, whose), getattr(right, whose)
            if one != other:
                yield Finding(
                    "scores",
                    f"{SCORES / name}: {whose}: {_scores(one)}, but its answers have "
                    f"{_scores(other)}",
                )


def _scores(scores: Scores) -> str:
    return f"exact match {scores.exact_match:g} and F1 {scores.f1:g}"
