"""Which model answers: that of the last run, one in a folder, or a version of the registry."""

import argparse
import sys
from pathlib import Path
from typing import Any

from vestibular.core.errors import VestibularError
from vestibular.core.layout import PRODUCTION, TRAINING_FILE
from vestibular.core.training_record import TrainingRecord
from vestibular.core.work_folder import work_folder
from vestibular.params.project import load_params

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


def chosen_folder(arguments: argparse.Namespace) -> Path:
    """Return the folder of the model that the options choose; a version is downloaded once.

    Raises:
        DataError: there is no such version, or its files are nowhere to be had.
        GitError: there is no registry here.
    """
    if arguments.version is None and arguments.stage is None:
        if arguments.model is None:
            _note_another_in_production()
        return arguments.model or PRODUCTION
    # imported here: git's libraries take a while
    from vestibular.registry.registry import Registry

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
        registry.download(version, folder)
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
