"""Examine one candidate's untouched base model.

python -m stages.evaluate_base <candidate>

It depends on the base, the prompt, the questions and the exam's settings alone: no change of a
training setting, no fold and no seed examines it again.
"""

import sys

from vestibular.core.base_models import locate, read_pin
from vestibular.core.candidates import load_for_candidate
from vestibular.core.environment import arithmetic_in_force, settle
from vestibular.core.errors import exit_on_error
from vestibular.core.exam_results import AnsweredQuestion
from vestibular.core.logs import silence_libraries
from vestibular.core.paths import BASE_EXAM, BASE_PREDICTIONS
from vestibular.core.questions import read_question_file
from vestibular.core.trials import parse_trial
from vestibular.examination.settings import ExamParams


@exit_on_error
def main() -> None:
    """Write every answer, and what else the exam found."""
    trial = parse_trial(sys.argv[1:], "stages.evaluate_base", has_repeats=False)
    params = load_for_candidate(ExamParams, trial.candidate)
    pinned = read_pin(trial.candidate)
    base = locate(pinned.pin)
    environment = settle(arithmetic_in_force(pinned.arithmetic, base))
    questions = read_question_file(BASE_EXAM)

    environment.tell()
    silence_libraries()
    # imported behind the checks: torch and its friends take seconds
    from vestibular.examination.exam import load_examinee, sit

    examinee = load_examinee(base, pinned)
    result = sit(examinee, params, pinned, questions, f"examining the base of {trial.candidate}")
    AnsweredQuestion.write_lines(BASE_PREDICTIONS / f"{trial.candidate}.jsonl", result.rows)
    result.details().write(BASE_PREDICTIONS / f"{trial.candidate}.json")


if __name__ == "__main__":
    main()
