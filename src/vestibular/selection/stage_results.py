"""Results of the earlier stages for each candidate, read for the choice."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vestibular.core.errors import DataError
from vestibular.core.exam_results import (
    AnsweredQuestion,
    ExamDetails,
    Prediction,
    Scores,
    base_scores,
    join,
    mean_scores,
)
from vestibular.core.paths import (
    ADAPTERS,
    BASE_PREDICTIONS,
    CURVES,
    DETAILS,
    PREPARED,
    TRAINING_FILE,
)
from vestibular.core.questions import Question, read_questions
from vestibular.core.repeats import fold_of_each, read_repeat
from vestibular.core.training_record import TrainingRecord
from vestibular.core.trials import Trial


@dataclass(frozen=True)
class CandidateResult:
    """A candidate's own training and exam."""

    training: TrainingRecord
    base_scores: Scores
    """The untouched base's mean scores on the validation questions, the better of its two ways."""
    base_details: ExamDetails
    """Results of the untouched base's exam; it includes the training questions if there are
    folds."""
    details: ExamDetails
    predictions: Sequence[Prediction]
    """The validation questions with both answers."""
    curve: Sequence[Mapping[str, str]]
    """The loss curve, one row of texts per logged step."""
    seeds: Mapping[str, Scores]
    """Mean scores by seed; empty if there is only one seed."""
    further_answers: Sequence[Sequence[AnsweredQuestion]]
    """For each further seed, the answers to the validation questions."""


def read_result(name: str, seed: int, seeds: Sequence[str]) -> CandidateResult:
    """Read the results of the earlier stages for a candidate.

    Args:
        name: the candidate.
        seed: the settings' own seed.
        seeds: names of the repeats with another seed.

    Raises:
        DataError: the candidate has not been trained or evaluated.
    """
    # in the order of the stages, so that the first missing one is named
    trial, base_stage = Trial(name), f"evaluate_base@{name}"
    training = TrainingRecord.read(_made(ADAPTERS / name / TRAINING_FILE, trial.stage("train")))
    with _made(CURVES / f"{name}.tsv", trial.stage("train")).open(
        encoding="utf-8", newline=""
    ) as file:
        curve = list(csv.DictReader(file, delimiter="\t"))
    own = _answers(trial)
    predictions = _with_base(name, own)
    further = {one.removeprefix("seed-"): _answers(Trial(name, one)) for one in seeds}
    return CandidateResult(
        training=training,
        base_scores=base_scores([each.before for each in predictions]),
        base_details=ExamDetails.read(_made(BASE_PREDICTIONS / f"{name}.json", base_stage)),
        details=ExamDetails.read(_made(DETAILS / f"{name}.json", trial.stage("evaluate"))),
        predictions=predictions,
        curve=curve,
        seeds={key: mean_scores(rows) for key, rows in {str(seed): own, **further}.items()}
        if further
        else {},
        further_answers=list(further.values()),
    )


def read_out_of_fold(name: str, folds: Sequence[str]) -> list[Prediction]:
    """Return a candidate's answers to all questions, training questions first.

    Raises:
        DataError: a fold has not been evaluated, or was evaluated on other questions.
    """
    plans = [read_repeat(fold) for fold in folds]
    counts = [len(read_questions(PREPARED, split)) for split in ("train", "validation")]
    waiting = [iter(_answers(Trial(name, fold))) for fold in folds]
    rows = []
    for fold in fold_of_each(plans, *counts):
        row = next(waiting[fold], None)
        if row is None:
            raise DataError(
                f"{name}: {folds[fold]}: examined on other questions than those prepared; run "
                f"`dvc repro {Trial(name, folds[fold]).stage('evaluate')}`"
            )
        rows.append(row)
    return _with_base(name, rows)


def read_all_questions(folds: Sequence[str]) -> list[Question]:
    """Return the questions that decide: all if there are folds, else the validation questions."""
    splits = ("train", "validation") if folds else ("validation",)
    return [question for split in splits for question in read_questions(PREPARED, split)]


def _with_base(name: str, rows: Sequence[AnsweredQuestion]) -> list[Prediction]:
    try:
        return join(_read(BASE_PREDICTIONS / f"{name}.jsonl", f"evaluate_base@{name}"), rows)
    except KeyError:
        raise DataError(
            f"{name}: its base was examined on other questions; run `dvc repro "
            f"evaluate_base@{name}`"
        ) from None


def _answers(trial: Trial) -> list[AnsweredQuestion]:
    return _read(trial.predictions, trial.stage("evaluate"))


def _read(path: Path, stage: str) -> list[AnsweredQuestion]:
    return AnsweredQuestion.read_lines(_made(path, stage))


def _made(path: Path, stage: str) -> Path:
    if not path.exists():
        raise DataError(f"{path}: not found; run `dvc repro {stage}` first")
    return path
