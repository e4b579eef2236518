"""Examine one candidate: the untouched base and the fine-tuned model.

python -m stages.evaluate <candidate> [--fold N | --seed N]
"""

import sys
from functools import partial

from vestibular.core.base_models import locate, read_pin
from vestibular.core.errors import DataError, exit_on_error
from vestibular.core.files import read_json, write_json, write_json_lines
from vestibular.core.layout import DETAILS, EVALUATE_COSTS, SCORES, TRAINING_FILE
from vestibular.core.logs import quiet
from vestibular.core.params import load_params
from vestibular.core.runs import parse_run
from vestibular.tracking.spool import Spool, recorded


@exit_on_error
@recorded("evaluate")
def main(spool: Spool) -> None:
    """Write every answer and, for the candidate's own adapter, the scores and the cost."""
    params = load_params()
    run = parse_run(sys.argv[1:], "stages.evaluate", params)
    name, trained = run.name, run.adapter
    train, exam = params.candidate(run.candidate).train, params.evaluate
    base = locate(read_pin(run.candidate))
    questions = run.asked()
    if not trained.is_dir():
        raise DataError(f"{trained}: not found; run `dvc repro {run.stage('train')}` first")

    spool.open(read_json(trained / TRAINING_FILE)["run"], run.candidate, params)
    quiet()
    # imported behind the checks: torch and its friends take seconds
    from tqdm import tqdm

    from vestibular.examination import evaluation
    from vestibular.examination.asking import answer_text, ask
    from vestibular.modeling import memory, models, planning
    from vestibular.tracking import measuring

    memory.return_freed_memory()
    device = models.pick_device()
    dtype = models.pick_precision(train.precision, device)
    tokenizer = models.load_tokenizer(trained)
    model = models.load_base(base, train.quantization, device, dtype).eval()
    model_bytes = model.get_memory_footprint()
    encoded = evaluation.encode_exam(base, tokenizer, params.prompt, train, exam, questions)
    budget = planning.answering_budget(model, exam, device)
    count = sum(len(windows) for windows in encoded)
    put = partial(
        ask,
        max_new_tokens=exam.max_new_tokens,
        max_tokens=budget,
        unanswerable=params.data.unanswerable,
    )
    with tqdm(total=2 * count, desc=f"examining {name}", disable=None) as bar:
        # the base answers before the adapter is on it: one load serves both
        before = put(model, tokenizer, encoded, on_answered=bar.update)
        if train.method == "lora":
            model = models.load_adapter(model, trained)
        else:
            del model
            model = models.load_base(trained, "none", device, dtype).eval()
        elapsed = measuring.stopwatch()
        after = put(model, tokenizer, encoded, on_answered=bar.update)
        seconds = elapsed()
    cost = evaluation.cost_of(
        encoded,
        after,
        seconds,
        models.arithmetic_shape(base, model),
        lambda windows: put(model, tokenizer, [windows]),
    )
    scores, rows, details = {}, {}, {}
    for when, answers in (("before", before), ("after", after)):
        texts = [answer_text(tokenizer, answer) for answer in answers]
        scores[when], rows[when] = evaluation.score(
            questions, texts, exam.articles, params.data.unanswerable
        )
        details[when] = evaluation.details(tokenizer, params.prompt, questions, answers, rows[when])

    write_json_lines(
        run.predictions,
        evaluation.predictions(questions, encoded, rows["before"], rows["after"]),
    )
    spool.files("predictions", run.predictions)
    if not run.is_own:
        return
    views = {
        **details,
        "questions": len(questions),
        "clean_questions": sum(not question.leaked for question in questions),
        "windowed_questions": sum(len(windows) > 1 for windows in encoded),
        "windows": count,
    }
    results = {**scores, "parameters": models.count_parameters(base, model)}
    costs = {
        **cost,
        "peak_process_bytes": measuring.peak_process_bytes(),
        "peak_device_bytes": measuring.peak_device_bytes(device),
        "model_bytes": model_bytes,
        "machine": measuring.machine(device),
    }
    write_json(SCORES / f"{name}.json", results)
    write_json(DETAILS / f"{name}.json", views)
    write_json(EVALUATE_COSTS / f"{name}.json", costs)
    spool.record("scores", values=results)
    spool.record("details", values=views)
    spool.record("cost", values=costs)


if __name__ == "__main__":
    main()
