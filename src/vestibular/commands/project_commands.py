"""`vestibular new` and `vestibular upgrade`: projects in repositories of their own."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vestibular.core.errors import DataError, ParamsError
from vestibular.core.paths import PARAMS

WHAT_HAPPENED = {
    "added": "new",
    "updated": "brought up to date",
    "merged": "brought up to date, including your changes",
    "conflict": "your changes and the library's are on the same lines",
    "removed": "removed; the library no longer has it",
    "kept": "left as it is",
}

FIRST_STEPS = (
    "# put your questions into data/mine, local base models into models/bases",
    "vestibular init --source data/mine    # settings for them; asks for the rest",
    "dvc add data/mine models/bases        # tracked by DVC instead of git",
)
"""Steps before the first run without the demo."""


def add_commands(commands: Any) -> None:
    """Add both commands to the parser."""
    new = commands.add_parser(
        "new",
        help="start a project in a folder of its own",
        description="Create a project with everything that is your own: the graph, the stages, "
        "later the data, models and results. The library stays the installed one. The folder "
        "becomes a git repository, or a part of the existing one. Existing files are not "
        "changed.",
        epilog="example: vestibular new exam --demo",
    )
    new.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    new.add_argument(
        "--demo", action="store_true", help="with the demo's questions, base models and settings"
    )
    new.set_defaults(run=run_new)

    upgrade = commands.add_parser(
        "upgrade",
        help="update a project made by `new` to the installed library",
        description="Record the installed packages' content, on which the stages depend, merge "
        "changes in dvc.yaml, the stages and the plots with your own, and print which "
        "stages will run again and why. Settings, data and results stay as they are.",
    )
    upgrade.set_defaults(run=run_upgrade)


def run_new(arguments: argparse.Namespace) -> None:
    """Create a project and print what to type in it."""
    from vestibular.commands.plot_page import write_page
    from vestibular.scaffold.creation import create

    folder: Path = arguments.folder
    made = create(folder, arguments.demo)
    write_page(folder)
    where = "a git repository of its own" if made.inside is None else f"part of {made.inside}"
    print(f"{folder}: a project, {where}")
    for name in made.kept:
        print(f"{name}: yours, left as it is")
    if made.committed:
        print("Its files are committed.")
    else:
        message = shlex.quote("Start a project")
        print(f"Its files are not committed ({made.not_committed}): git commit -m {message}")
    print("Next:")
    if folder.resolve() != Path.cwd():
        print(f"  cd {shlex.quote(str(folder))}")
    if not arguments.demo:
        print("\n".join(f"  {line}" for line in FIRST_STEPS))
    print("  dvc repro\n  vestibular leaderboard\nREADME.md explains how to continue.")


def run_upgrade(_: argparse.Namespace) -> None:
    """Upgrade the current project, and print what that means for its results."""
    from vestibular.commands.plot_page import write_page
    from vestibular.scaffold.upgrading import upgrade

    done = upgrade()
    write_page(Path())
    if done.before == done.after:
        print(f"vestibular {done.after}")
    else:
        print(f"vestibular {done.before} -> {done.after}")
    print(f"packages with other content: {', '.join(done.packages) or 'none that a stage uses'}")
    for change in done.files:
        print(f"{change.name}: {WHAT_HAPPENED[change.kind]}")
    if done.conflicts:
        raise DataError(
            f"{', '.join(done.conflicts)}: choose between <<<<<<< and >>>>>>>, then see `dvc "
            "status` for what will run; `git checkout .` undoes the upgrade"
        )
    _check_settings()
    _tell_reruns()
    print("Next: git add . && git commit -m Upgrade, and dvc repro")


def _check_settings() -> None:
    """Check that existing settings are valid for this library.

    Raises:
        ParamsError: they are not; the rest of the upgrade is done.
    """
    from vestibular.params.project import has_settings, load_params

    try:
        if has_settings():
            load_params()
    except ParamsError as error:
        raise ParamsError(f"{error}\nEverything else is upgraded.") from None


def _tell_reruns() -> None:
    from vestibular.scaffold.reruns import has_run, reruns

    if not PARAMS.exists() or not has_run():
        print("Nothing has been run here yet.")
        return
    found = reruns()
    if not found.certain:
        print("Nothing runs again: all results are up to date.")
        return
    print("`dvc repro` runs again:")
    for reasons, stages in _by_reasons(found.certain).items():
        print(f"  {', '.join(stages)}: {', '.join(reasons)}")
    if found.possible:
        print(f"and, if their inputs turn out different: {', '.join(found.possible)}")
    if not any("train" in stage for stage in (*found.certain, *found.possible)):
        print("No training runs again.")


def _by_reasons(certain: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = {}
    for stage, reasons in certain.items():
        found.setdefault(tuple(reasons), []).append(stage)
    return found
