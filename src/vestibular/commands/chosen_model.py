"""Which model answers: that of the last run, a candidate, a folder's, or a registered version."""

import argparse
import sys
from pathlib import Path
from typing import Any

from vestibular.core.base_models import read_pin
from vestibular.core.errors import VestibularError
from vestibular.core.files import atomic_folder
from vestibular.core.paths import PRODUCTION, TRAINING_FILE
from vestibular.core.training_record import TrainingRecord
from vestibular.core.trials import data_sha256, training_inputs
from vestibular.core.work_folder import work_folder
from vestibular.params.project import load_params
from vestibular.tracking.spool import run_id

STAGE = "production"


def add_options(parser: Any) -> None:
    """Add the options that choose a model."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help=f"folder with a model that `select` wrote (default: {PRODUCTION}, the last run's)",
    )
    which.add_argument("--version", metavar="VERSION", help="a registered version, such as v0.1.0")
    which.add_argument(
        "--stage", metavar="STAGE", help="the version in a stage, such as production"
    )
    which.add_argument(
        "--candidate", metavar="NAME", help="a candidate of the last run, promoted or not"
    )


def chosen_folder(arguments: argparse.Namespace) -> Path:
    """Return the folder of the model that the options choose; a version is downloaded once.

    Raises:
        DataError: there is no such version, or its files are nowhere to be had.
        GitError: there is no registry here.
        ParamsError: there is no such candidate.
    """
    if arguments.candidate is not None:
        return _candidate_folder(arguments.candidate)
    if arguments.version is None and arguments.stage is None:
        if arguments.model is None:
            _note_another_in_production()
        return arguments.model or PRODUCTION
    # imported here: git's libraries take a while
    from vestibular.registry.registry import Registry
    from vestibular.registry.transfer import download

    artifact = load_params().registry.artifact
    registry = Registry(artifact)
    version = (
        registry.in_stage(arguments.stage)
        if arguments.version is None
        else registry.find(f"v{arguments.version.removeprefix('v')}")
    )
    name = f"{artifact}-{version.event.version}-{version.event.commit[:12]}"
    folder = work_folder() / "versions" / name
    if not folder.exists():
        download(registry.artifact, version.event.version, folder)
    return folder


def _candidate_folder(name: str) -> Path:
    """Return a folder with a candidate's model, as `select` would write it; made once.

    Raises:
        ParamsError: there is no such candidate.
        DataError: it has not been trained or examined.
    """
    # numpy takes a quarter of a second, which the other choices need not wait for
    from vestibular.report.manifest import describe_model
    from vestibular.selection.production import write_model
    from vestibular.selection.stage_results import read_result

    params = load_params()
    train = params.candidate(name).train
    result = read_result(name, params.seed, ())
    pinned = read_pin(name)
    inputs = training_inputs(params.seed, params.prompt, train, pinned, data_sha256(None))
    if result.training.settings not in ("", run_id(candidate=name, **inputs)):
        print(
            f"note: {name} was trained with other settings or data than those of now; `dvc repro` "
            "trains it again",
            file=sys.stderr,
        )
    model = describe_model(params, name, pinned.pin, result)
    key = run_id(run=result.training.run, model=model.model_dump(mode="json"))
    folder = work_folder() / "candidates" / f"{name}-{key}"
    if not folder.exists():
        with atomic_folder(folder) as temporary:
            write_model(model, temporary)
    return folder


def _note_another_in_production() -> None:
    """Say so if the registry has another model in production than the last run's."""
    record = PRODUCTION / TRAINING_FILE
    if not record.exists():
        return
    from vestibular.registry.registry import Registry

    try:
        version = Registry(load_params().registry.artifact).in_stage(STAGE)
    except VestibularError:
        # no settings, no registry, or nothing in production: there is no other model to speak of
        return
    registered = version.event.facts.get("Run")
    if registered and registered != TrainingRecord.read(record).run:
        print(
            f"note: the registry has {version.event.version}, another model, in {STAGE}; "
            f"`--stage {STAGE}` asks that one",
            file=sys.stderr,
        )
