"""Examine one candidate: the untouched base and the fine-tuned model.

python -m stages.evaluate <candidate> [--fold N | --seed N]
"""

import sys

from vestibular.base_models import locate, read_pin
from vestibular.errors import DataError, exit_on_error
from vestibular.files import write_json, write_json_lines
from vestibular.layout import EVALUATE_COSTS, SCORES
from vestibular.logs import quiet
from vestibular.params import load_params
from vestibular.runs import parse_run


@exit_on_error
def main() -> None:
    """Write every answer and, for the candidate's own adapter, the scores and the cost."""
    params = load_params()
    run = parse_run(sys.argv[1:], "stages.evaluate", params)
    name, adapter = run.name, run.adapter
    candidate = params.candidate(run.candidate)
    base = locate(read_pin(run.candidate))
    _, questions = run.questions()
    if not adapter.is_dir():
        raise DataError(f"{adapter}: not found; run `dvc repro {run.stage('train')}` first")

    quiet()
    # imported behind the checks: torch and its friends take seconds
    from tqdm import tqdm

    from vestibular import evaluation, measuring, models

    device = models.pick_device()
    tokenizer = models.load_tokenizer(adapter)
    model = models.load_base(base, candidate.train.quantization, device)
    model_bytes = model.get_memory_footprint()
    encoded = evaluation.encode_exam(
        model, tokenizer, params.prompt, candidate.train, params.evaluate, questions
    )
    model = models.load_adapter(model, adapter)
    shape = models.arithmetic_shape(base, model)
    with tqdm(total=2 * len(encoded), desc=f"examining {name}", disable=None) as bar:
        before, after, cost = evaluation.examine(
            model, tokenizer, encoded, params.evaluate, shape, bar.update
        )
    scores_before, rows_before = evaluation.score(questions, before, params.evaluate.articles)
    scores_after, rows_after = evaluation.score(questions, after, params.evaluate.articles)

    write_json_lines(
        run.predictions,
        evaluation.predictions(questions, encoded, rows_before, rows_after),
    )
    if not run.is_own:
        return
    write_json(
        SCORES / f"{name}.json",
        {
            "before": scores_before,
            "after": scores_after,
            "parameters": models.count_parameters(base, model),
        },
    )
    write_json(
        EVALUATE_COSTS / f"{name}.json",
        {
            **cost,
            "peak_process_bytes": measuring.peak_process_bytes(),
            "peak_device_bytes": measuring.peak_device_bytes(device),
            "model_bytes": model_bytes,
            "machine": measuring.machine(device),
        },
    )


if __name__ == "__main__":
    main()
