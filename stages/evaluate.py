"""Examine one candidate after its fine-tuning: its own adapter, or that of a repeat.

python -m stages.evaluate <candidate> [fold-N | seed-N]
"""

import sys

from vestibular.core.base_models import locate, read_pin
from vestibular.core.candidates import load_for_candidate
from vestibular.core.cost_files import write_cost
from vestibular.core.environment import arithmetic_in_force, settle
from vestibular.core.errors import DataError, exit_on_error
from vestibular.core.exam_results import (
    AnsweredQuestion,
    ScoresFile,
    as_run_fields,
    base_scores,
    join,
)
from vestibular.core.logs import silence_libraries
from vestibular.core.paths import BASE_PREDICTIONS, DETAILS, SCORES, TRAINING_FILE
from vestibular.core.training_record import TrainingRecord
from vestibular.core.trials import asked_questions, parse_trial
from vestibular.examination.settings import ExamParams
from vestibular.tracking.spool import Spool, recorded


@exit_on_error
@recorded("evaluate")
def main(spool: Spool) -> None:
    """Write every answer and, for the candidate's own adapter, the scores and the cost."""
    trial = parse_trial(sys.argv[1:], "stages.evaluate")
    name, trained = trial.name, trial.adapter
    params = load_for_candidate(ExamParams, trial.candidate)
    pinned = read_pin(trial.candidate)
    base = locate(pinned.pin)
    environment = settle(arithmetic_in_force(pinned.arithmetic, base))
    questions = asked_questions(trial.plan())
    if not trained.is_dir():
        raise DataError(f"{trained}: not found; run `dvc repro {trial.stage('train')}` first")
    identity = TrainingRecord.read(trained / TRAINING_FILE).run
    settings = params.model_dump(mode="json")
    spool.open(identity, trial.candidate, settings, variables=environment.as_json())
    environment.tell()
    silence_libraries()
    # imported behind the checks: torch and its friends take seconds
    from vestibular.examination.exam import load_examinee, sit

    examinee = load_examinee(base, pinned, trained)
    spool.record("computing", values=examinee.computing())
    result = sit(examinee, params, pinned, questions, f"examining {name}")
    AnsweredQuestion.write_lines(trial.predictions, result.rows)
    spool.files("predictions", trial.predictions)
    if not trial.is_own:
        return
    untouched = AnsweredQuestion.read_lines(BASE_PREDICTIONS / f"{name}.jsonl")
    of_base = base_scores([each.before for each in join(untouched, result.rows)])
    details, cost = result.details(of_base), result.cost()
    ScoresFile.of(of_base, details.scores).write(SCORES / f"{name}.json")
    details.write(DETAILS / f"{name}.json")
    write_cost(identity, "evaluate", cost)
    spool.record("scores", values=as_run_fields(details))
    spool.record("details", values=details.model_dump(mode="json"))
    spool.record("cost", values=cost.model_dump(mode="json"))


if __name__ == "__main__":
    main()
