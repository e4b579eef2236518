"""Check all settings, audit the questions, pin the base models.

python -m stages.prepare
"""

from collections.abc import Iterable
from pathlib import Path

from vestibular.core.base_models import Pin, PinnedBase, locate, longest_input, pin
from vestibular.core.data_audit import AuditRow
from vestibular.core.errors import (
    BaseModelError,
    DataError,
    ParamsError,
    VestibularError,
    exit_on_error,
)
from vestibular.core.files import atomic_folder, write_json
from vestibular.core.logs import silence_libraries
from vestibular.core.paths import (
    BASE_EXAM,
    DATA_AUDIT,
    DATA_METRICS,
    PARAMS,
    PINS,
    PREPARED,
    REFUSED_DATA,
    REPEATS,
)
from vestibular.core.questions import write_question_file, write_questions
from vestibular.core.work_folder import work_folder
from vestibular.data.audit_table import summary
from vestibular.data.dataset import load_dataset
from vestibular.data.findings import refused_rows
from vestibular.data.folds import count_leaks_between, plan_repeats
from vestibular.modeling.capability import ways
from vestibular.modeling.spelled_tokens import special_tokens
from vestibular.params.project import Params, load_params
from vestibular.scoring.languages import advice
from vestibular.training import schedule


@exit_on_error
def main() -> None:
    """Write the prepared questions, what the repeats change, the pins and the data's metrics."""
    params = load_params()
    # whoever lacks several downloads wants to hear of all of them at once
    faults: list[VestibularError] = []
    dataset, pins = None, {}
    try:
        dataset = load_dataset(params.data, params.evaluate.rules, params.seed)
    except VestibularError as fault:
        _write_refusal(fault)
        faults.append(fault)
    for name in params.candidates:
        try:
            pins[name] = pin_base(params, name)
        except VestibularError as fault:
            faults.append(fault)
    if not faults:
        # what takes torch, and with it seconds, comes last
        for name, pinned in pins.items():
            try:
                pins[name] = try_base(params, name, pinned)
            except VestibularError as fault:
                faults.append(fault)
    if dataset is None or faults:
        raise VestibularError("\n".join(dict.fromkeys(map(str, faults))))
    dataset.note_special_tokens(special_tokens_of(pins.values()))
    repeats = plan_repeats(dataset.questions, params.folds, params.seeds, params.seed)
    try:
        between_folds = count_leaks_between(repeats, params.data.leaks)
    except DataError as fault:
        _write_refusal(fault)
        raise
    # a fold asks training questions too
    asked_of_bases = ("train", "validation") if params.folds else ("validation",)

    with atomic_folder(PREPARED) as folder:
        for split, questions in dataset.questions.items():
            write_questions(folder, split, questions)
    with atomic_folder(REPEATS) as folder:
        # DVC warns of an empty folder each time
        write_json(folder / "names.json", list(repeats))
        for name, repeat in repeats.items():
            repeat.write(folder / f"{name}.json")
    write_question_file(
        BASE_EXAM, (one for split in asked_of_bases for one in dataset.questions[split])
    )
    with atomic_folder(PINS) as folder:
        for name, pinned in pins.items():
            pinned.write(folder / f"{name}.json")
    audit_rows = list(dataset.audit_rows())
    AuditRow.write_lines(DATA_AUDIT, audit_rows)
    metrics = dataset.metrics(between_folds)
    metrics.write(DATA_METRICS)
    (work_folder() / REFUSED_DATA).unlink(missing_ok=True)
    if audit_rows:
        print(f"{summary(audit_rows)}\n`vestibular data` shows every row.")
    if leaks := metrics.leaks.sentence():
        print(leaks)
    for name in params.candidates:
        learned = len(dataset.questions["train"])
        for warning in schedule.warnings(params.candidate(name).train, learned):
            print(f"{name}: {warning}")
    examined = params.evaluate
    if said := advice(params.data.language, examined.normalization, examined.articles):
        print(f"{PARAMS}: {said}")
    if metrics.drawn is not None and metrics.drawn.warning is not None:
        print(f"{PARAMS}: {metrics.drawn.warning}")


def _write_refusal(fault: VestibularError) -> None:
    AuditRow.write_lines(work_folder() / REFUSED_DATA, refused_rows(fault))


def just_pinned(pinned: Pin) -> Path:
    """Return the folder of a base whose bytes have just been hashed."""
    return Path(pinned.base_model) if pinned.sha256 is not None else locate(pinned)


def special_tokens_of(pins: Iterable[PinnedBase]) -> frozenset[str]:
    """Return what any candidate's tokenizer takes for a token that controls the model."""
    # imported here: it comes with torch
    from vestibular.modeling.models import load_tokenizer

    tokenizers = (load_tokenizer(just_pinned(pinned.pin)) for pinned in pins)
    return frozenset().union(*map(special_tokens, tokenizers))


def try_base(params: Params, name: str, pinned: PinnedBase) -> PinnedBase:
    """Make sure that a base model can be asked and taught; return the pin with its chat prompt."""
    silence_libraries()
    # imported here: torch and its friends take seconds
    from vestibular.modeling.base_checks import check_base
    from vestibular.modeling.models import rehearse_loading

    folder = just_pinned(pinned.pin)
    ways(folder)
    train = params.candidate(name).train
    targets = train.lora.target_modules if train.method == "lora" else "auto"
    chat = check_base(folder, params.prompt, targets)
    rehearse_loading(folder)
    if train.method == "lora" and train.lora.options:
        from vestibular.modeling.models import load_configuration
        from vestibular.training.saving import rehearse_saving

        try:
            rehearse_saving(load_configuration(folder), train.lora)
        except BaseModelError as fault:
            raise BaseModelError(f"{PARAMS}: candidates.{name}: {fault}") from None
    return pinned.model_copy(update={"chat_prompt_sha256": chat})


def pin_base(params: Params, name: str) -> PinnedBase:
    """Pin a candidate's base model and make sure that a prompt and an answer fit it."""
    candidate = params.candidates[name]
    pinned = pin(name, candidate, Path(params.bases))
    room = longest_input(just_pinned(pinned), candidate.train.max_length)
    if params.evaluate.max_new_tokens >= room:
        raise ParamsError(
            f"{PARAMS}: evaluate.max_new_tokens: {params.evaluate.max_new_tokens} leaves no "
            f"room for a prompt in the {room} tokens of {name}; lower it"
        )
    return PinnedBase(
        base_model=pinned.base_model,
        revision=pinned.revision,
        sha256=pinned.sha256,
        quantization=candidate.train.quantization,
        precision=candidate.train.precision,
        arithmetic=candidate.train.arithmetic,
        max_length=candidate.train.max_length,
    )


if __name__ == "__main__":
    main()
