"""Check all settings, audit the questions, pin the base models.

python -m stages.prepare
"""

from pathlib import Path

from vestibular.base_models import locate, pin, positions
from vestibular.errors import ParamsError, exit_on_error
from vestibular.files import file_sha256, whole_folder, write_json
from vestibular.layout import DATA_METRICS, FOLDS, PARAMS, PINS, PREPARED
from vestibular.params import load_params
from vestibular.questions import SPLITS, audit_documents, write_questions
from vestibular.runs import deal_folds
from vestibular.squad import read_squad


@exit_on_error
def main() -> None:
    """Write `data/prepared`, `data/bases`, `data/folds.json` and `metrics/data.json`."""
    params = load_params()
    bases = Path(params.bases)
    pins = {name: pin(name, candidate, bases) for name, candidate in params.candidates.items()}
    for name, pinned in pins.items():
        longest = params.candidates[name].train.max_length
        room = min(longest, positions(locate(pinned)) or longest)
        if params.evaluate.max_new_tokens >= room:
            raise ParamsError(
                f"{PARAMS}: evaluate.max_new_tokens: {params.evaluate.max_new_tokens} leaves no "
                f"room for a prompt in the {room} tokens of {name}; lower it"
            )
    sources = {split: Path(params.data.source, getattr(params.data, split)) for split in SPLITS}
    audited = {split: audit_documents(read_squad(path), path) for split, path in sources.items()}

    everything = [question for questions, _ in audited.values() for question in questions]
    folds = deal_folds(everything, len(params.evaluate.folds))

    with whole_folder(PREPARED) as folder:
        for split, (questions, _) in audited.items():
            write_questions(folder, split, questions)
    with whole_folder(PINS) as folder:
        for name, pinned in pins.items():
            write_json(folder / f"{name}.json", pinned.as_json())
    write_json(FOLDS, folds)
    write_json(
        DATA_METRICS,
        {
            split: {"sha256": file_sha256(sources[split]), **audit.as_metrics()}
            for split, (_, audit) in audited.items()
        },
    )


if __name__ == "__main__":
    main()
