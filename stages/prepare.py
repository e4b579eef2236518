"""Check all settings, audit the questions, pin the base models.

python -m stages.prepare
"""

from pathlib import Path

from vestibular.base_models import pin
from vestibular.errors import exit_on_error
from vestibular.files import file_sha256, whole_folder, write_json
from vestibular.layout import DATA_METRICS, PINS, PREPARED
from vestibular.params import load_params
from vestibular.questions import SPLITS, audit_documents, write_questions
from vestibular.squad import read_squad


@exit_on_error
def main() -> None:
    """Write `data/prepared`, `data/bases` and `metrics/data.json`."""
    params = load_params()
    bases = Path(params.bases)
    pins = {name: pin(name, candidate, bases) for name, candidate in params.candidates.items()}
    sources = {split: Path(params.data.source, getattr(params.data, split)) for split in SPLITS}
    audited = {split: audit_documents(read_squad(path), path) for split, path in sources.items()}

    with whole_folder(PREPARED) as folder:
        for split, (questions, _) in audited.items():
            write_questions(folder, split, questions)
    with whole_folder(PINS) as folder:
        for name, pinned in pins.items():
            write_json(folder / f"{name}.json", pinned.as_json())
    write_json(
        DATA_METRICS,
        {
            split: {"sha256": file_sha256(sources[split]), **audit.as_metrics()}
            for split, (_, audit) in audited.items()
        },
    )


if __name__ == "__main__":
    main()
