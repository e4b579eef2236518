"""Fine-tune one candidate.

python -m stages.train <candidate>
"""

import shutil
import sys
from pathlib import Path

from vestibular.base_models import locate, read_pin
from vestibular.checkpoints import only_one, training_key, work_folder
from vestibular.errors import ParamsError, exit_on_error
from vestibular.files import folder_sha256, whole_folder, write_json, write_table
from vestibular.layout import ADAPTERS, CURVES, PREPARED, TRAIN_COSTS, TRAINING_FILE
from vestibular.logs import quiet
from vestibular.params import load_params
from vestibular.questions import read_questions
from vestibular.spool import Spool, recorded, run_id


@exit_on_error
@recorded("train")
def main(spool: Spool) -> None:
    """Write the adapter, the loss curve and what the training cost."""
    if len(sys.argv) != 2:
        raise ParamsError("usage: python -m stages.train <candidate>")
    name = sys.argv[1]
    params = load_params()
    candidate = params.candidate(name)
    settings = candidate.train
    pin = read_pin(name)
    base = locate(pin)
    questions = read_questions(PREPARED, "train")
    validation = read_questions(PREPARED, "validation")
    inputs = {
        "seed": params.seed,
        "prompt": params.prompt.model_dump(),
        "train": settings.model_dump(),
        "base": pin.as_json(),
        "data": folder_sha256(PREPARED),
    }
    key, run = training_key(**inputs), run_id(candidate=name, **inputs)
    work = f"the training of {name}"
    with (
        only_one(Path(".vestibular/locks", name), work),
        only_one(work_folder() / "locks" / key, work),
    ):
        spool.open(run, name, params, base=pin.as_json(), data=inputs["data"])
        quiet()
        # imported behind the checks: torch and its friends take seconds
        from transformers import set_seed

        from vestibular import measuring, models
        from vestibular.encoding import encode_for_training
        from vestibular.training import CURVE, fine_tune, usable_batching

        set_seed(params.seed)
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
        spool.record("model", configuration=model.config.to_dict())
        batching = usable_batching(model, settings, name)
        checkpoints = work_folder() / "checkpoints" / f"{name}-{key}"
        trained = fine_tune(
            model, encoded, held_out, settings, batching, params.seed, checkpoints, spool.point
        )

        with whole_folder(ADAPTERS / name) as folder:
            models.save_adapter(model, tokenizer, pin, folder)
            write_json(
                folder / TRAINING_FILE,
                {
                    "questions": len(encoded),
                    "shortened": sum(question.shortened for question in encoded),
                    "steps": trained.steps,
                    "batching": batching,
                    "run": run,
                },
            )
        write_table(CURVES / f"{name}.tsv", CURVE, trained.curve)
        share = trained.measured_steps / trained.steps
        asked = len(encoded) * settings.epochs * share
        tokens = sum(question.length for question in encoded) * settings.epochs * share
        cost = {
            "seconds": trained.seconds,
            "seconds_per_epoch": trained.seconds / (settings.epochs * share),
            "questions_per_second": asked / trained.seconds,
            "tokens_per_second": tokens / trained.seconds,
            "peak_process_bytes": measuring.peak_process_bytes(),
            "peak_device_bytes": measuring.peak_device_bytes(device),
            "model_bytes": model_bytes,
        }
        write_json(TRAIN_COSTS / f"{name}.json", cost)
        spool.record("cost", values=cost)
        spool.files("adapter", ADAPTERS / name)
        shutil.rmtree(checkpoints)


if __name__ == "__main__":
    main()
