"""Fine-tune one candidate: its own adapter, that of a fold, or that of a further seed.

python -m stages.train <candidate> [--fold N | --seed N]
"""

import shutil
import sys
from pathlib import Path

from vestibular.base_models import locate, read_pin
from vestibular.checkpoints import only_one, training_key, work_folder
from vestibular.errors import exit_on_error
from vestibular.files import whole_folder, write_json, write_table
from vestibular.layout import CURVES, TRAIN_COSTS, TRAINING_FILE
from vestibular.logs import quiet
from vestibular.params import load_params
from vestibular.runs import parse_run


@exit_on_error
def main() -> None:
    """Write the adapter and, for the candidate's own, the loss curve and the training's cost."""
    params = load_params()
    run = parse_run(sys.argv[1:], "stages.train", params)
    name, seed = run.name, params.seed if run.seed is None else run.seed
    settings = params.candidate(run.candidate).train
    pin = read_pin(run.candidate)
    base = locate(pin)
    questions, validation = run.questions()
    key = training_key(
        seed=seed,
        prompt=params.prompt.model_dump(),
        train=settings.model_dump(exclude={"seeds"}),
        base=pin.as_json(),
        data=run.data_sha256(),
    )
    work = f"the training of {name}"
    with (
        only_one(Path(".vestibular/locks", run.stage("train")), work),
        only_one(work_folder() / "locks" / key, work),
    ):
        quiet()
        # imported behind the checks: torch and its friends take seconds
        from transformers import set_seed

        from vestibular import measuring, models
        from vestibular.encoding import encode_for_training
        from vestibular.training import CURVE, fine_tune, usable_batching

        set_seed(seed)
        device = models.pick_device()
        tokenizer = models.load_tokenizer(base)
        model = models.load_base(base, settings.quantization, device)
        model_bytes = model.get_memory_footprint()
        limit = models.longest_input(model, settings.max_length)
        encoded, held_out = (
            [encode_for_training(tokenizer, params.prompt, question, limit) for question in split]
            for split in (questions, validation)
        )
        model = models.add_adapter(
            model, settings.lora, settings.quantization, settings.gradient_checkpointing
        )
        batching = usable_batching(model, settings, name)
        checkpoints = work_folder() / "checkpoints" / f"{name}-{key}"
        trained = fine_tune(model, encoded, held_out, settings, batching, seed, checkpoints)

        with whole_folder(run.adapter) as folder:
            models.save_adapter(model, tokenizer, pin, folder)
            write_json(
                folder / TRAINING_FILE,
                {
                    "questions": len(encoded),
                    "shortened": sum(question.shortened for question in encoded),
                    "steps": trained.steps,
                    "batching": batching,
                },
            )
        if run.is_own:
            write_table(CURVES / f"{name}.tsv", CURVE, trained.curve)
            share = trained.measured_steps / trained.steps
            asked = len(encoded) * settings.epochs * share
            tokens = sum(question.length for question in encoded) * settings.epochs * share
            write_json(
                TRAIN_COSTS / f"{name}.json",
                {
                    "seconds": trained.seconds,
                    "seconds_per_epoch": trained.seconds / (settings.epochs * share),
                    "questions_per_second": asked / trained.seconds,
                    "tokens_per_second": tokens / trained.seconds,
                    "peak_process_bytes": measuring.peak_process_bytes(),
                    "peak_device_bytes": measuring.peak_device_bytes(device),
                    "model_bytes": model_bytes,
                    "machine": measuring.machine(device),
                },
            )
        shutil.rmtree(checkpoints)


if __name__ == "__main__":
    main()
