"""The command line: `vestibular <command>`. Light; what needs torch imports it when it runs."""

import argparse
import os
import sys
from pathlib import Path

from vestibular.commands import (
    answer_command,
    data_command,
    init_command,
    project_commands,
    registry_commands,
    scatter_command,
    verify_command,
)
from vestibular.commands.next_steps import next_steps
from vestibular.core.base_models import configuration_folder
from vestibular.core.errors import (
    DataError,
    NoGitError,
    NoRepositoryError,
    ShallowHistoryError,
    VestibularError,
    exit_on_error,
)
from vestibular.core.files import atomic_file
from vestibular.core.installed import library_version
from vestibular.core.logs import silence_libraries
from vestibular.core.paths import LEADERBOARD, PARAMS, REPORT, SELECTION
from vestibular.core.yaml_files import read_yaml
from vestibular.mirror import commands as mirror_commands
from vestibular.params.project import load_params
from vestibular.registry.commits import commit_of
from vestibular.selection.leaderboard import Leaderboard, as_text

EXPERIMENT_OPTIONS = (
    "--only-changed",
    *("--drop", "Created"),
    # every dependency's hash and every candidate's scores have a path in their column's name
    *("--drop", ".*/"),
)
"""What leaves of `dvc exp show` the winner's scores and the settings that differ."""
SHOWN_FLIPS = 10
"""Flipped questions that `compare` shows of a candidate, unless asked for all."""


@exit_on_error
def main() -> None:
    """Run the command that the arguments name."""
    known = parser()
    arguments, further = known.parse_known_args()
    # argparse keeps for a command only what does not begin with an option
    if further and arguments.run is not run_experiments:
        known.error(f"unrecognized arguments: {' '.join(further)}")
    if arguments.run is run_experiments:
        arguments.options = further
    arguments.run(arguments)


def parser() -> argparse.ArgumentParser:
    """Build the parser, with a help text that teaches."""
    top = argparse.ArgumentParser(
        prog="vestibular",
        description="An entrance exam for language models. The pipeline itself is run with "
        "`dvc repro`; these commands look at its results and use them.",
    )
    top.add_argument("--version", action="version", version=f"vestibular {library_version()}")
    commands = top.add_subparsers(metavar="command")
    # without a command: whoever types the name alone wants to see what there is
    top.set_defaults(run=lambda _: top.print_help())

    project_commands.add_commands(commands)
    answer_command.add_command(commands)

    init_command.add_command(commands)

    plan = commands.add_parser(
        "plan",
        help="tell what each candidate will take, before anything is trained",
        description="Print for each candidate its parameters, the bytes of its weights, the most "
        "memory that training and exam will take, roughly how long the training will last, whether "
        "that fits this machine, and settings with which it would. No weights are read; a model "
        "on the hub is asked for its configuration and tokenizer alone.",
    )
    plan.set_defaults(run=run_plan)

    fetch = commands.add_parser(
        "fetch",
        help="download the data and the base models that params.yaml names",
        description="Download what is not there yet: data files (data.urls, data.hub), checked by "
        "their SHA-256, and base models, into the hub's cache. Afterwards `HF_HUB_OFFLINE=1 dvc "
        "repro` needs no network.",
    )
    fetch.set_defaults(run=run_fetch)

    pin = commands.add_parser(
        "pin",
        help="write the hub's commits into the settings file",
        description="Ask the hub for the commit of each revision that is missing or a branch's "
        "name, and write it into the settings file; everything else in the file stays.",
    )
    pin.add_argument(
        "--params", type=Path, default=PARAMS, metavar="FILE", help="(default: %(default)s)"
    )
    pin.add_argument(
        "--update", action="store_true", help="move pinned revisions to the newest commit as well"
    )
    pin.set_defaults(run=run_pin)

    board = commands.add_parser(
        "leaderboard",
        help="show the candidates and their scores",
        description="Print the last run's candidates by rank, with their scores before and after "
        "fine-tuning and 95 % intervals, the reference points, and which is promoted and why.",
    )
    board.set_defaults(run=run_leaderboard)

    data_command.add_command(commands)
    scatter_command.add_command(commands)

    experiments = commands.add_parser(
        "experiments",
        help="show DVC's experiments in a table that fits the screen",
        description="Print `dvc exp show` with the winner's scores and the settings that differ, "
        "without the columns that hold hashes and other candidates' scores. What is the same in "
        "all experiments is left out. Further options go to `dvc exp show`.",
        epilog="example: vestibular experiments --sort-by f1 --sort-order desc",
        add_help=True,
    )
    experiments.set_defaults(run=run_experiments)

    compare = commands.add_parser(
        "compare",
        help="say whether the scores of two runs differ beyond noise",
        description="Compare each candidate's answers of two runs, question by question: whether "
        "the difference is beyond noise, which questions flipped, and what changed in settings, "
        "data, base and code. The answers come from DVC's cache; nothing is checked out. Where "
        "they are not there, the scores that git holds are shown.",
        epilog="OLD and NEW are commits, branches, tags or DVC experiments; for example: "
        "vestibular compare HEAD~1",
    )
    compare.add_argument(
        "old", metavar="OLD", nargs="?", default="HEAD", help="the earlier run (default: HEAD)"
    )
    compare.add_argument(
        "new", metavar="NEW", nargs="?", help="the later run (default: the working tree's last)"
    )
    compare.add_argument("--all", action="store_true", help="show every question that flipped")
    compare.set_defaults(run=run_compare)

    verify_command.add_command(commands)

    report = commands.add_parser(
        "report",
        help="say where the report is and which commit it belongs to",
        description="Print the path of the last run's report and the commit that recorded it. The "
        "page itself holds no commit: it is part of the commit.",
        epilog="example: vestibular report --output report.html",
    )
    report.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write a copy that has the commit in it, to be sent to others",
    )
    report.set_defaults(run=run_report)

    registry_commands.add_commands(commands)
    mirror_commands.add_command(commands)

    # a program of its own, which reads its own options: none begins with the sign named here
    server = commands.add_parser(
        "neptune-server",
        help="serve runs and models to the neptune client and to a browser",
        add_help=False,
        prefix_chars="\0",
    )
    server.add_argument("options", nargs="*")
    server.set_defaults(run=run_neptune_server)
    return top


def run_plan(_: argparse.Namespace) -> None:
    """Print what each candidate will take."""
    silence_libraries()
    params = load_params()
    # what its files alone refuse needs none of the seconds that torch and its friends take
    for name in params.candidates:
        configuration_folder(name, params.candidate(name))
    from vestibular.commands.forecast import forecasts
    from vestibular.commands.forecast_text import as_text as plan_text

    print(plan_text(*forecasts(params), len(params.repeats)))


def run_fetch(_: argparse.Namespace) -> None:
    """Download data and base models."""
    silence_libraries()
    from vestibular.commands.fetch import fetch_all

    faults = []
    for done in fetch_all(load_params()):
        if isinstance(done, VestibularError):
            faults.append(str(done))
        else:
            print(done, flush=True)
    if faults:
        raise VestibularError("\n".join(faults))


def run_pin(arguments: argparse.Namespace) -> None:
    """Write commits into the settings file."""
    silence_libraries()
    from vestibular.commands.pinning import pin_revisions

    print("\n".join(pin_revisions(arguments.params, arguments.update)))


def run_leaderboard(_: argparse.Namespace) -> None:
    """Print the leaderboard and what to do with it."""
    board = Leaderboard.read(LEADERBOARD)
    print(as_text(board))
    print(f"\n{board.reason}.")
    for note in board.notes:
        print(note)
    print(f"Next ({SELECTION} says all that the choice rests on):")
    print(next_steps(board))
    if REPORT.exists():
        print(f"The report shows every question with every answer: {REPORT.resolve().as_uri()}")


def run_report(arguments: argparse.Namespace) -> None:
    """Print where the report is and its commit, and write a copy if asked to."""
    # templates and charts, which the other commands need not wait for
    from vestibular.report.page import with_commit

    if not REPORT.exists():
        raise DataError(f"{REPORT}: not found; run `dvc repro` first")
    # first: whatever becomes of the commit, the page is there
    if arguments.output is None:
        print(REPORT.resolve().as_uri(), flush=True)
    try:
        commit = commit_of(REPORT)
        said = f"commit {commit}" if commit else "not committed yet: no commit's dvc.lock holds it"
        in_copy = commit or "not committed"
    except (NoRepositoryError, NoGitError, ShallowHistoryError) as error:
        said, in_copy = f"commit unknown: {error}", "unknown"
    if arguments.output is not None:
        text = with_commit(REPORT.read_text(encoding="utf-8"), in_copy)
        with atomic_file(arguments.output) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(arguments.output.resolve().as_uri())
    print(said)


def run_compare(arguments: argparse.Namespace) -> None:
    """Print what changed between two runs."""
    # numpy takes a quarter of a second, which the other commands need not wait for
    from vestibular.registry.changes import compare
    from vestibular.registry.changes_text import advice
    from vestibular.registry.changes_text import as_text as changes_text
    from vestibular.registry.revisions import has_remote, read_revision

    old, new = read_revision(arguments.old), read_revision(arguments.new)
    found = compare(old, new)
    print(changes_text(found, old, new, None if arguments.all else SHOWN_FLIPS))
    if (how := advice(found, has_remote)) is not None:
        print(f"\n{how}")
    if arguments.new is None and read_yaml(PARAMS) != new.params:
        print(f"\n{PARAMS} has changed since the last `dvc repro`: run it to see the effect")


def run_experiments(arguments: argparse.Namespace) -> None:
    """Become DVC's own command, with the options that make its table fit."""
    command = [sys.executable, "-m", "dvc", "exp", "show", *EXPERIMENT_OPTIONS, *arguments.options]
    os.execv(sys.executable, command)  # noqa: S606 - no shell is needed


def run_neptune_server(arguments: argparse.Namespace) -> None:
    """Become the server's program."""
    command = [sys.executable, "-m", "neptune_server", *arguments.options]
    os.execv(sys.executable, command)  # noqa: S606 - no shell is needed
