"""Examine one candidate: the untouched base and the fine-tuned model.

python -m stages.evaluate <candidate>
"""

import sys

from vestibular.base_models import locate, read_pin
from vestibular.errors import DataError, ParamsError, exit_on_error
from vestibular.files import read_json, write_json, write_json_lines
from vestibular.layout import (
    ADAPTERS,
    EVALUATE_COSTS,
    PREDICTIONS,
    PREPARED,
    SCORES,
    TRAINING_FILE,
)
from vestibular.logs import quiet
from vestibular.params import load_params
from vestibular.questions import read_questions
from vestibular.spool import Spool, recorded


@exit_on_error
@recorded("evaluate")
def main(spool: Spool) -> None:
    """Write the scores before and after, every answer, and what answering cost."""
    if len(sys.argv) != 2:
        raise ParamsError("usage: python -m stages.evaluate <candidate>")
    name = sys.argv[1]
    params = load_params()
    candidate = params.candidate(name)
    base = locate(read_pin(name))
    questions = read_questions(PREPARED, "validation")
    adapter = ADAPTERS / name
    if not adapter.is_dir():
        raise DataError(f"{adapter}: not found; run `dvc repro train@{name}` first")

    spool.open(read_json(adapter / TRAINING_FILE)["run"], name, params)
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
    with tqdm(total=2 * len(encoded), desc=f"examining {name}", disable=None) as bar:
        before, after, cost = evaluation.examine(
            model, tokenizer, encoded, params.evaluate, bar.update
        )
    scores_before, rows_before = evaluation.score(questions, before, params.evaluate.articles)
    scores_after, rows_after = evaluation.score(questions, after, params.evaluate.articles)

    write_json_lines(
        PREDICTIONS / f"{name}.jsonl",
        evaluation.predictions(questions, encoded, rows_before, rows_after),
    )
    scores = {
        "before": scores_before,
        "after": scores_after,
        "parameters": models.count_parameters(base, model),
    }
    costs = {
        **cost,
        "peak_process_bytes": measuring.peak_process_bytes(),
        "peak_device_bytes": measuring.peak_device_bytes(device),
        "model_bytes": model_bytes,
    }
    write_json(SCORES / f"{name}.json", scores)
    write_json(EVALUATE_COSTS / f"{name}.json", costs)
    spool.record("scores", values=scores)
    spool.record("cost", values=costs)
    spool.files("predictions", PREDICTIONS / f"{name}.jsonl")


if __name__ == "__main__":
    main()
