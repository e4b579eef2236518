"""Fine-tune one candidate: its own adapter, or that of a repeat.

python -m stages.train <candidate> [fold-N | seed-N]
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from vestibular.core.base_models import locate, longest_input, read_pin
from vestibular.core.candidates import load_for_candidate
from vestibular.core.cost_files import write_cost
from vestibular.core.costs import Machine, TrainingCost
from vestibular.core.environment import arithmetic_in_force, settle
from vestibular.core.errors import exit_on_error
from vestibular.core.files import file_sha256, whole_folder, write_table
from vestibular.core.layout import CURVES, TRAINING_FILE
from vestibular.core.logs import quiet
from vestibular.core.runs import (
    asked_questions,
    data_sha256,
    learned_questions,
    parse_run,
    training_inputs,
)
from vestibular.core.training_record import TrainingRecord
from vestibular.core.work_folder import exclusive_lock, work_folder
from vestibular.tracking.checkpoints import training_key
from vestibular.tracking.spool import Spool, recorded, run_id
from vestibular.training.settings import TrainingParams


@exit_on_error
@recorded("train")
def main(spool: Spool) -> None:
    """Write the adapter and, for the candidate's own, the loss curve and the training's cost."""
    run = parse_run(sys.argv[1:], "stages.train")
    params = load_for_candidate(TrainingParams, run.candidate)
    repeat = run.plan()
    name, settings = run.name, params.train
    seed = params.seed if repeat is None else repeat.seed
    pinned = read_pin(run.candidate)
    pin = pinned.pin
    base = locate(pin)
    environment = settle(arithmetic_in_force(settings.arithmetic, base))
    questions = learned_questions(repeat)
    validation = asked_questions(repeat)
    inputs = training_inputs(seed, params.prompt, settings, pinned, data_sha256(repeat))
    script = file_sha256(Path(__file__))
    key = training_key(**inputs, script=script)
    identity = run_id(candidate=name, training=key)
    work = f"the training of {name}"
    with (
        exclusive_lock(Path(".vestibular/locks", run.stage("train")), work),
        exclusive_lock(work_folder() / "locks" / key, work),
    ):
        recorded_settings = {**params.model_dump(mode="json"), "seed": seed}
        facts = {"base": inputs["base"], "data": inputs["data"], "variables": environment.as_json()}
        spool.open(identity, run.candidate, recorded_settings, **facts)
        environment.tell()
        quiet()
        # imported behind the checks: torch and its friends take seconds
        import torch
        from transformers import set_seed

        from vestibular.modeling import capability, determinism, memory, models
        from vestibular.modeling.encoding import encode_for_training
        from vestibular.modeling.planning import usable_bytes
        from vestibular.tracking import measuring
        from vestibular.training import adapters, planning, preflight, saving
        from vestibular.training.training import CURVE, fine_tune, first_step, rehearse
        from vestibular.training.ways import settled, what_changes

        set_seed(seed)
        device = models.pick_device()
        dtype = models.pick_precision(settings.precision, device, base)
        tokenizer = models.load_tokenizer(base)
        limit = longest_input(base, settings.max_length)
        encoded, held_out = (
            [encode_for_training(tokenizer, params.prompt, question, limit) for question in split]
            for split in (questions, validation)
        )
        preflight.check_examples(tokenizer, params.prompt, questions, encoded, limit)
        ways = capability.ways(base)
        if changed := what_changes(settings, ways):
            print(f"{name}: {changed}", file=sys.stderr)
        settings = settled(settings, ways)
        full = settings.method == "full"
        if not full:
            saving.rehearse_saving(models.configuration(base), settings.lora)
        # from here on: the check is one on a CPU
        determinism.ask_for_deterministic_kernels(device)
        plan = planning.plan_training(base, settings, limit, encoded, seed, device)
        settings = plan.settings
        room = usable_bytes(device)
        if plan.is_tight(room):
            memory.return_freed_memory()

        def load_base() -> Any:
            # what is trained stays in full precision
            numbers = torch.float32 if full else dtype
            return models.load_base(base, settings.quantization, device, numbers)

        model = load_base()
        model = adapters.make_trainable(model, settings, bool(settings.gradient_checkpointing))
        start = saving.starting_point(model)
        spool.record("model", configuration=model.config.to_dict())
        batching = settings.batching
        learns_prompt = settings.loss == "full"
        print(preflight.example(tokenizer, encoded[0], learns_prompt), file=sys.stderr)
        inputs_of_a_step, asked_in_it = first_step(encoded, settings, batching, seed)
        preflight.check_labels(inputs_of_a_step, asked_in_it, learns_prompt)
        rehearse(model, inputs_of_a_step[0], dtype, name)
        spool.record("computing", values=measuring.computing(device, dtype))
        checkpoints = work_folder() / "checkpoints" / f"{name}-{key}"
        trained = fine_tune(
            model,
            encoded,
            held_out,
            settings,
            batching,
            dtype,
            seed,
            checkpoints,
            record=spool.point,
            on_epoch=spool.epoch,
        )

        with whole_folder(run.adapter) as folder:
            saving.save_trained(model, tokenizer, pin, folder, start)
            if not full:
                expected = saving.outputs(model, encoded[0])
                del model
                saving.check_reloaded(expected, encoded[0], folder, load_base, start)
            record = TrainingRecord(
                questions=len(encoded),
                shortened=sum(question.shortened for question in encoded),
                steps=trained.steps,
                mean_loss=trained.mean_loss,
                batching=batching,
                way=ways.training,
                reason=ways.reason,
                max_tokens_per_batch=int(settings.max_tokens_per_batch),
                gradient_checkpointing=bool(settings.gradient_checkpointing),
                settings=run_id(candidate=name, **inputs),
                run=identity,
            )
            record.write(folder / TRAINING_FILE)
        told = record.model_dump(mode="json", exclude={"run", "settings", "version"})
        spool.record("trained", values=told)
        spool.files("adapter", run.adapter)
        if run.is_own:
            write_table(CURVES / f"{name}.tsv", CURVE, trained.curve)
            asked = len(encoded) * settings.epochs
            tokens = sum(question.length for question in encoded) * settings.epochs
            cost = TrainingCost(
                started=trained.started,
                seconds=trained.seconds,
                epoch_seconds=trained.epoch_seconds,
                questions_per_second=asked / trained.seconds,
                tokens_per_second=tokens / trained.seconds,
                planned_bytes=plan.held_bytes(room),
                peak_process_bytes=measuring.peak_process_bytes(),
                peak_device_bytes=measuring.peak_device_bytes(device),
                machine=Machine(**measuring.machine(device)),
            )
            write_cost(identity, "train", cost)
            spool.record("cost", values=cost.model_dump(mode="json"))
        shutil.rmtree(checkpoints)


if __name__ == "__main__":
    main()
