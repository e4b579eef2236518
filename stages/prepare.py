"""Check all settings, audit the questions, pin the base models.

python -m stages.prepare
"""

from pathlib import Path

from vestibular.core.base_models import Pin, locate, longest_input, pin
from vestibular.core.errors import ParamsError, VestibularError, exit_on_error
from vestibular.core.files import whole_folder, write_json
from vestibular.core.layout import DATA_METRICS, FOLDS, PARAMS, PINS, PREPARED
from vestibular.core.params import Params, load_params
from vestibular.core.questions import write_questions
from vestibular.core.runs import deal_folds
from vestibular.data.dataset import load_dataset


@exit_on_error
def main() -> None:
    """Write `data/prepared`, `data/bases`, `data/folds.json` and `metrics/data.json`."""
    params = load_params()
    # whoever lacks several downloads wants to hear of all of them at once
    faults: list[VestibularError] = []
    dataset, pins = None, {}
    try:
        dataset = load_dataset(params.data, params.seed)
    except VestibularError as fault:
        faults.append(fault)
    for name in params.candidates:
        try:
            pins[name] = pin_base(params, name)
        except VestibularError as fault:
            faults.append(fault)
    if dataset is None or faults:
        raise VestibularError("\n".join(dict.fromkeys(map(str, faults))))

    everything = [question for questions in dataset.questions.values() for question in questions]
    folds = deal_folds(everything, len(params.evaluate.folds))

    with whole_folder(PREPARED) as folder:
        for split, questions in dataset.questions.items():
            write_questions(folder, split, questions)
    with whole_folder(PINS) as folder:
        for name, pinned in pins.items():
            write_json(folder / f"{name}.json", pinned.as_json())
    write_json(FOLDS, folds)
    write_json(DATA_METRICS, dataset.metrics)


def pin_base(params: Params, name: str) -> Pin:
    """Pin a candidate's base model and make sure that a prompt and an answer fit it."""
    candidate = params.candidates[name]
    pinned = pin(name, candidate, Path(params.bases))
    # a folder's bytes have just been hashed
    folder = Path(pinned.base_model) if pinned.sha256 is not None else locate(pinned)
    room = longest_input(folder, candidate.train.max_length)
    if params.evaluate.max_new_tokens >= room:
        raise ParamsError(
            f"{PARAMS}: evaluate.max_new_tokens: {params.evaluate.max_new_tokens} leaves no "
            f"room for a prompt in the {room} tokens of {name}; lower it"
        )
    return pinned


if __name__ == "__main__":
    main()
