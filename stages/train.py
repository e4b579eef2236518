"""Fine-tune one candidate: its own adapter, that of a fold, or that of a further seed.

python -m stages.train <candidate> [--fold N | --seed N]
"""

import shutil
import sys
from pathlib import Path

from vestibular.core.base_models import locate, longest_input, read_pin
from vestibular.core.errors import exit_on_error
from vestibular.core.files import whole_folder, write_json, write_table
from vestibular.core.layout import CURVES, TRAIN_COSTS, TRAINING_FILE
from vestibular.core.logs import quiet
from vestibular.core.params import load_params
from vestibular.core.runs import parse_run
from vestibular.tracking.checkpoints import only_one, training_key, work_folder
from vestibular.tracking.spool import Spool, recorded, run_id


@exit_on_error
@recorded("train")
def main(spool: Spool) -> None:
    """Write the adapter and, for the candidate's own, the loss curve and the training's cost."""
    params = load_params()
    run = parse_run(sys.argv[1:], "stages.train", params)
    name, seed = run.name, params.seed if run.seed is None else run.seed
    settings = params.candidate(run.candidate).train
    pin = read_pin(run.candidate)
    base = locate(pin)
    questions, validation = run.questions()
    inputs = run.training_inputs(params, pin, run.data_sha256())
    key, identity = training_key(**inputs), run_id(candidate=name, **inputs)
    work = f"the training of {name}"
    with (
        only_one(Path(".vestibular/locks", run.stage("train")), work),
        only_one(work_folder() / "locks" / key, work),
    ):
        spool.open(identity, run.candidate, params, base=inputs["base"], data=inputs["data"])
        quiet()
        # imported behind the checks: torch and its friends take seconds
        import torch
        from transformers import set_seed

        from vestibular.modeling import memory, models, planning
        from vestibular.modeling.encoding import encode_for_training
        from vestibular.tracking import measuring
        from vestibular.training import preflight
        from vestibular.training.training import (
            CURVE,
            fine_tune,
            first_step,
            usable_batching,
        )

        memory.return_freed_memory()
        set_seed(seed)
        device = models.pick_device()
        dtype = models.pick_precision(settings.precision, device)
        tokenizer = models.load_tokenizer(base)
        limit = longest_input(base, settings.max_length)
        encoded, held_out = (
            [encode_for_training(tokenizer, params.prompt, question, limit) for question in split]
            for split in (questions, validation)
        )
        preflight.check_examples(tokenizer, params.prompt, questions, encoded, limit)
        plan = planning.plan_training(base, settings, limit, encoded, seed, device)
        settings = plan.settings

        model = models.load_base(
            base,
            settings.quantization,
            device,
            # what is trained stays in full precision
            torch.float32 if settings.method == "full" else dtype,
        )
        model_bytes = model.get_memory_footprint()
        model = models.make_trainable(model, settings, bool(settings.gradient_checkpointing))
        spool.record("model", configuration=model.config.to_dict())
        batching = usable_batching(model, settings, name)
        learns_prompt = settings.loss == "full"
        print(preflight.example(tokenizer, encoded[0], learns_prompt), file=sys.stderr)
        preflight.check_labels(*first_step(encoded, settings, batching, seed), learns_prompt)
        checkpoints = work_folder() / "checkpoints" / f"{name}-{key}"
        trained = fine_tune(
            model, encoded, held_out, settings, batching, dtype, seed, checkpoints, spool.point
        )

        with whole_folder(run.adapter) as folder:
            models.save_trained(model, tokenizer, pin, folder)
            write_json(
                folder / TRAINING_FILE,
                {
                    "questions": len(encoded),
                    "shortened": sum(question.shortened for question in encoded),
                    "steps": trained.steps,
                    "batching": batching,
                    "max_tokens_per_batch": settings.max_tokens_per_batch,
                    "gradient_checkpointing": settings.gradient_checkpointing,
                    "run": identity,
                },
            )
        spool.files("adapter", run.adapter)
        if run.is_own:
            write_table(CURVES / f"{name}.tsv", CURVE, trained.curve)
            asked = len(encoded) * settings.epochs
            tokens = sum(question.length for question in encoded) * settings.epochs
            cost = {
                "seconds": trained.seconds,
                "seconds_per_epoch": trained.seconds / settings.epochs,
                "questions_per_second": asked / trained.seconds,
                "tokens_per_second": tokens / trained.seconds,
                "planned_bytes": plan.peak_bytes,
                "peak_process_bytes": measuring.peak_process_bytes(),
                "peak_device_bytes": measuring.peak_device_bytes(device),
                "model_bytes": model_bytes,
                "machine": measuring.machine(device),
            }
            write_json(TRAIN_COSTS / f"{name}.json", cost)
            spool.record("cost", values=cost)
        shutil.rmtree(checkpoints)


if __name__ == "__main__":
    main()
