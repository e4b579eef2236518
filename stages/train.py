"""Fine-tune one candidate: its own adapter, or that of a repeat.

python -m stages.train <candidate> [fold-N | seed-N]

With `train.processes` above 1 it starts itself so many times; torchrun may do so as well.
"""

import contextlib
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestibular.core.base_models import PinnedBase, locate, longest_input, read_pin
from vestibular.core.candidates import load_for_candidate
from vestibular.core.cost_files import write_cost
from vestibular.core.costs import Machine, TrainingCost
from vestibular.core.environment import arithmetic_in_force, settle
from vestibular.core.errors import exit_on_error
from vestibular.core.files import atomic_folder, file_sha256, write_table
from vestibular.core.logs import silence_libraries
from vestibular.core.paths import CURVES, TRAINING_FILE
from vestibular.core.questions import Question
from vestibular.core.training_record import TrainingRecord
from vestibular.core.trials import (
    Trial,
    asked_questions,
    data_sha256,
    learned_questions,
    parse_trial,
    training_inputs,
)
from vestibular.core.work_folder import exclusive_lock, work_folder
from vestibular.tracking.checkpoints import check_processes, training_key
from vestibular.tracking.spool import Spool, recorded, run_id
from vestibular.training.launching import launch, silent_when_lost
from vestibular.training.places import Place, take_place
from vestibular.training.settings import TrainingParams


@dataclass(frozen=True)
class Training:
    """What is known of a training before it begins."""

    trial: Trial
    params: TrainingParams
    pinned: PinnedBase
    questions: list[Question]
    validation: list[Question]
    identity: str
    """Name of the run."""
    settings: str
    """The same without code and packages."""
    checkpoints: Path
    place: Place


@exit_on_error
@silent_when_lost
@recorded("train")
def main(spool: Spool) -> None:
    """Write the adapter and, for the candidate's own, the loss curve and the training's cost."""
    trial = parse_trial(sys.argv[1:], "stages.train")
    params = load_for_candidate(TrainingParams, trial.candidate)
    place = take_place(os.environ, params.train)
    repeat = trial.plan()
    if repeat is not None:
        params = params.model_copy(update={"seed": repeat.seed})
    pinned = read_pin(trial.candidate)
    base = locate(pinned.pin)
    questions, validation = learned_questions(repeat), asked_questions(repeat)
    data = data_sha256(repeat)
    inputs = training_inputs(params.seed, params.prompt, params.train, pinned, data)
    # without their number: processes of another number find the checkpoint, and are told of it
    alike = {**inputs, "train": params.train.model_dump(exclude={"processes"})}
    key = training_key(**alike, script=file_sha256(Path(__file__)))
    checkpoints = work_folder() / "checkpoints" / f"{trial.name}-{key}"
    processes, work = params.train.processes, f"the training of {trial.name}"
    with contextlib.ExitStack() as held:
        if place is None or place.needs_lock:
            # whom a launcher of another kind has started, the others do not wait for as long
            patient = place is None or place.count == 1
            for lock in (
                Path(".vestibular/locks", trial.stage("train")),
                work_folder() / "locks" / key,
            ):
                held.enter_context(exclusive_lock(lock, work, wait=patient))
            check_processes(checkpoints, processes, work)
        if place is None:
            launch([sys.executable, *sys.orig_argv[1:]], processes, work)
            return
        identity = run_id(candidate=trial.name, training=key, processes=processes)
        environment = settle(arithmetic_in_force(params.train.arithmetic, base))
        if place.is_first:
            facts = {"base": inputs["base"], "data": data, "variables": environment.as_json()}
            spool.open(identity, trial.candidate, params.model_dump(mode="json"), **facts)
        else:
            # the first one says what is to be said
            nowhere = held.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            held.enter_context(contextlib.redirect_stderr(nowhere))
        environment.tell()
        settings = run_id(candidate=trial.name, **inputs)
        train(
            Training(
                trial, params, pinned, questions, validation, identity, settings, checkpoints, place
            ),
            spool,
        )


def train(training: Training, spool: Spool) -> None:
    """Train, as one of so many processes; the first one writes what came of it."""
    silence_libraries()
    # imported behind the checks: torch and its friends take seconds
    import torch
    from transformers import set_seed

    from vestibular.modeling import capability, determinism, memory, models
    from vestibular.modeling.encoding import encode_for_training
    from vestibular.tracking import metering
    from vestibular.training import adapters, planning, preflight, saving
    from vestibular.training.processes import together
    from vestibular.training.steps import first_step, rehearse
    from vestibular.training.training import CURVE, fine_tune
    from vestibular.training.ways import settled, what_changes

    trial, params = training.trial, training.params
    name, settings, seed = trial.name, params.train, params.seed
    base = locate(training.pinned.pin)
    set_seed(seed)
    device = models.pick_device()
    dtype = models.pick_precision(settings.precision, device, base)
    tokenizer = models.load_tokenizer(base)
    limit = longest_input(base, settings.max_length)
    encoded, held_out = (
        [encode_for_training(tokenizer, params.prompt, question, limit) for question in split]
        for split in (training.questions, training.validation)
    )
    preflight.check_examples(tokenizer, params.prompt, training.questions, encoded, limit)
    ways = capability.ways(base)
    if changed := what_changes(settings, ways):
        print(f"{name}: {changed}", file=sys.stderr)
    settings = settled(settings, ways)
    full = settings.method == "full"
    if not full:
        saving.rehearse_saving(models.load_configuration(base), settings.lora)
    # from here on: the check is one on a CPU
    determinism.ask_for_deterministic_kernels(device)

    def load_base() -> Any:
        # what is trained stays in full precision
        numbers = torch.float32 if full else dtype
        return models.load_base(base, settings.quantization, device, numbers)

    with together(training.place, device) as processes:
        # `auto` goes by the memory that is free, which each would find another
        plan = processes.from_first(
            lambda: planning.plan_training(base, settings, limit, encoded, seed, device)
        )
        settings = plan.settings
        room = planning.room_of_a_process(settings, device)
        if plan.is_tight(room):
            memory.return_freed_memory()
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
        spool.record(
            "computing", values={**metering.computing(device, dtype), "processes": processes.count}
        )
        trained = fine_tune(
            model,
            encoded,
            held_out,
            settings,
            batching,
            dtype,
            seed,
            training.checkpoints,
            record=spool.point,
            on_epoch=spool.epoch,
            processes=processes,
        )
        peaks = processes.all((metering.peak_process_bytes(), metering.peak_device_bytes(device)))
    if not processes.is_first:
        return
    with atomic_folder(trial.adapter) as folder:
        saving.save_trained(model, tokenizer, training.pinned.pin, folder, start)
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
            settings=training.settings,
            run=training.identity,
        )
        record.write(folder / TRAINING_FILE)
    told = record.model_dump(mode="json", exclude={"run", "settings", "version"})
    spool.record("trained", values=told)
    spool.files("adapter", trial.adapter)
    if trial.is_own:
        write_table(CURVES / f"{name}.tsv", CURVE, trained.curve)
        asked = len(encoded) * settings.epochs
        tokens = sum(question.length for question in encoded) * settings.epochs
        peaks.append((metering.peak_process_bytes(), metering.peak_device_bytes(device)))
        cost = TrainingCost(
            started=trained.started,
            seconds=trained.seconds,
            epoch_seconds=trained.epoch_seconds,
            processes=processes.count,
            processor_seconds=trained.processor_seconds,
            questions_per_second=asked / trained.seconds,
            tokens_per_second=tokens / trained.seconds,
            planned_bytes=plan.held_bytes(room),
            peak_process_bytes=max(peak for peak, _ in peaks),
            peak_device_bytes=max(peak for _, peak in peaks),
            machine=Machine(**metering.machine(device)),
        )
        write_cost(training.identity, "train", cost)
        spool.record("cost", values=cost.model_dump(mode="json"))
    shutil.rmtree(training.checkpoints)


if __name__ == "__main__":
    main()
