"""The whole of `params.yaml`, read and checked at once."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from vestibular.core.candidates import merge_candidates, written_location
from vestibular.core.errors import ParamsError
from vestibular.core.paths import PARAMS
from vestibular.core.settings import PromptSettings, Seed, Settings, validate
from vestibular.core.trials import FOLD, SEED
from vestibular.core.yaml_files import read_yaml
from vestibular.data.settings import DataSettings
from vestibular.examination.settings import EvaluateSettings
from vestibular.params.scatter_settings import ScatterSettings
from vestibular.selection.settings import SelectSettings
from vestibular.training.settings import TrainSettings

MirrorTarget = Literal["neptune", "mlflow"]
FIRST = {"data", "bases", "repeats", "candidates"}
"""Keys of a new project before it has settings: those that DVC needs to read `dvc.yaml`."""


class RegistrySettings(Settings):
    """Names under which versions of the chosen model are kept."""

    artifact: str = Field(pattern=r"^[a-z](-?[a-z0-9]+)+$")
    """Name of the model in git tags and in MLflow; must match `artifacts` in `dvc.yaml`."""
    model_key: str = Field(pattern=r"^[A-Z][A-Z0-9]{1,9}$")
    """Key of the model in Neptune: capital letters and digits."""


class Candidate(Settings):
    """A base model with its fine-tuning settings."""

    base_model: str = Field(min_length=1)
    """A folder, or the id of a model on the Hugging Face hub."""
    revision: str | None = None
    """The hub's commit, 40 hexadecimal digits, written by `vestibular pin`; only for a hub id."""
    train: TrainSettings
    """`train` overridden by the candidate's own values."""


class Params(Settings):
    """The whole of `params.yaml`."""

    seed: Seed
    """Seed of everything random."""
    bases: str = Field(min_length=1)
    """Folder of the local base models; DVC watches it."""
    data: DataSettings
    prompt: PromptSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    repeats: Annotated[tuple[str, ...], Field(strict=False)]
    """Further trainings and exams of every candidate, for the choice only. `fold-1` to `fold-5`:
    five folds of a cross-validation; `seed-7`: all training questions with seed 7. A list and not a
    number, since DVC makes a stage of each item and cannot count."""
    select: SelectSettings
    mirror: Annotated[tuple[MirrorTarget, ...], Field(strict=False)]
    """Services to which `vestibular mirror` pushes the runs; nothing depends on them."""
    registry: RegistrySettings
    scatter: ScatterSettings = ScatterSettings()
    """Resources of a cell of `vestibular scatter`; may be omitted."""
    candidates: dict[str, Candidate]

    @field_validator("data")
    @classmethod
    def _names_two_files(cls, data: DataSettings) -> DataSettings:
        if data.validation is not None and Path(data.validation) == Path(data.train):
            raise ValueError(
                "train and validation are the same file; name another file, or omit validation "
                "and set validation_size"
            )
        return data

    @field_validator("repeats", mode="before")
    @classmethod
    def _has_no_number(cls, repeats: object) -> object:
        if isinstance(repeats, int):
            names = ", ".join(f"fold-{number}" for number in range(1, min(repeats, 10) + 1))
            raise ValueError(f"DVC needs a list of names: write [{names}] (got {repeats})")
        for one in repeats if isinstance(repeats, list | tuple) else ():
            if not isinstance(one, str):
                seed = isinstance(one, int) and not isinstance(one, bool) and one >= 0
                advice = f": write seed-{one} for a training with seed {one}" if seed else ""
                raise ValueError(f"{one}: must be fold-N or seed-N{advice}")
        return repeats

    @field_validator("repeats")
    @classmethod
    def _names_folds_and_seeds(cls, repeats: tuple[str, ...], info: Any) -> tuple[str, ...]:
        for name in repeats:
            if not FOLD.fullmatch(name) and not SEED.fullmatch(name):
                raise ValueError(f"{name}: must be fold-N or seed-N, N a whole number")
            if SEED.fullmatch(name) and int(name.removeprefix("seed-")) >= 2**32:
                raise ValueError(f"{name}: a seed must be less than 4,294,967,296")
        if len(set(repeats)) < len(repeats) or f"seed-{info.data.get('seed')}" in repeats:
            raise ValueError("lists a name twice, or the seed of `seed`")
        folds = sorted(int(name.removeprefix("fold-")) for name in repeats if FOLD.fullmatch(name))
        if folds != list(range(1, len(folds) + 1)) or len(folds) == 1:
            named = ", ".join(f"fold-{number}" for number in folds)
            raise ValueError(f"folds must be numbered from 1: fold-1, fold-2 (got {named})")
        return repeats

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the repeats that are folds of the cross-validation, in order."""
        return tuple(sorted((name for name in self.repeats if FOLD.fullmatch(name)), key=_number))

    @property
    def seeds(self) -> tuple[str, ...]:
        """Names of the repeats that are trainings with another seed."""
        return tuple(name for name in self.repeats if SEED.fullmatch(name))

    def candidate(self, name: str) -> Candidate:
        """Return the candidate called `name`.

        Raises:
            ParamsError: there is no such candidate.
        """
        if name not in self.candidates:
            known = ", ".join(self.candidates)
            raise ParamsError(f"{PARAMS}: candidates.{name}: no such candidate ({known})")
        return self.candidates[name]


def has_settings(path: Path = PARAMS) -> bool:
    """Return whether the settings have been written yet, valid or not.

    Raises:
        ParamsError: the file is not YAML.
    """
    return path.exists() and read_yaml(path).keys() != FIRST


def load_params(path: Path = PARAMS) -> Params:
    """Read and check all settings.

    Raises:
        ParamsError: lists every fault, one per line, each with the path of its key.
    """
    content = read_yaml(path)
    if content.keys() == FIRST:
        raise ParamsError(f"{path}: contains no settings yet; `vestibular init` writes them")
    faults, candidates = merge_candidates(content)
    merged = content if candidates is None else {**content, "candidates": candidates}
    return validate(
        Params, merged, path, lambda location: written_location(location, content), faults
    )


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])
