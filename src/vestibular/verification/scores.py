"""Scores computed again from the answers that they are said to be of."""

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
from vestibular.core.layout import BASE_PREDICTIONS, PREDICTIONS, REPEAT_PREDICTIONS, SCORES
from vestibular.registry.revisions import flat
from vestibular.verification.commit_checks import Finding
from vestibular.verification.contents import kept_file, recorded, stages_of
from vestibular.verification.pipeline import Pipeline

ANSWERS = (PREDICTIONS, BASE_PREDICTIONS, REPEAT_PREDICTIONS)
"""Folders with a file of answers for each exam."""


def is_of_answers(path: str) -> bool:
    """Return whether an output holds an exam's answers."""
    return Path(path).parent in ANSWERS and Path(path).suffix == ".jsonl"


def read_answers(path: Path, md5: str | None) -> list[AnsweredQuestion] | None:
    """Read an exam's answers from DVC's cache; None where they are not there.

    Args:
        path: where the run wrote them, for messages.
        md5: their hash.

    Raises:
        DataError: the file is not what it should be.
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
    """Score all answers that are here again.

    Args:
        project: the commit's files.
        pipeline: its stages.
        lock: what its `dvc.lock` says.

    Returns:
        how many answers were scored, and whose scores come out different.
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
    # imported here: it comes with libraries that take seconds
    from vestibular.scoring.metric import load_metric

    rules, articles = (settings.get(f"evaluate.{key}") for key in ("normalization", "articles"))
    metric = load_metric(f"{rules}-{articles}")

    def computed(answers: list[str]) -> Iterator[tuple[float, float]]:
        result = metric.compute(
            predictions=answers,
            references=[list(row.references) for row in rows],
            unanswerable=settings.get("data.unanswerable"),
        )
        return zip(result["exact_matches"], result["f1s"], strict=True)

    firsts = computed([row.answer.partition("\n")[0].strip() for row in rows])
    for row, whole, first in zip(rows, computed([row.answer for row in rows]), firsts, strict=True):
        said = [("", row.exact_match, row.f1, *whole)]
        if row.first_line is not None:
            of_line = (row.first_line.exact_match, row.first_line.f1, *first)
            said.append((" (first line)", *of_line))
        for what, match, overlap, right_match, right_overlap in said:
            if (match, overlap) != (right_match, right_overlap):
                yield (
                    f"question {row.id}{what}: exact match {match:g} and F1 {overlap:g} are said "
                    f"of {row.answer!r}, which has {right_match:g} and {right_overlap:g}"
                )
                break


def _wrong_means(
    project: Path, known: Mapping[Path, Sequence[AnsweredQuestion]]
) -> Iterator[Finding]:
    """Compare the score files that git holds with the answers' means."""
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
                    f"{SCORES / name}: {whose}: {_scores(one)}, and its answers have "
                    f"{_scores(other)}",
                )


def _scores(scores: Scores) -> str:
    return f"exact match {scores.exact_match:g} and F1 {scores.f1:g}"
