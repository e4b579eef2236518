"""`vestibular scatter`: runs each training and exam that is out of date as a job of its own."""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestibular.core.environment import FREE_MEMORY
from vestibular.core.errors import BusyError, LaunchError
from vestibular.core.paths import PARAMS
from vestibular.core.work_folder import exclusive_lock
from vestibular.core.yaml_files import read_yaml
from vestibular.params.project import Params, load_params

if TYPE_CHECKING:
    from vestibular.scatter.cells import Cell
    from vestibular.scatter.engine import Engine, Resources
    from vestibular.scatter.resources import Plan

ENGINES = ("local", "slurm", "ray")
NAME = re.compile(r"\w[\w.-]*")
"""Names of experiments; they also name a git reference and a folder."""
SECONDS = {"local": 1.0, "slurm": 5.0, "ray": 5.0}
"""Seconds between two checks of the jobs."""
DESCRIPTION = """\
Run all trainings and exams that are out of date, each as a job in a clone of its own, then collect
their results and run `select` here. The results are the same bytes as those of `dvc repro`, which
runs the stages one after the other.

A cell is the work of one job: a base's exam, or the training and exam of a candidate or a repeat.
Its folder below .vestibular/scatter holds `run.sh`, which runs the cell, `log`, and at the end
`exit` with the status. Results return through DVC's cache, which all machines must see, or through
a DVC remote (`--through`). Tracked files are used as they are, committed or not.

If anything goes wrong, run the same command again: finished cells do not run again, running cells
are followed, and the rest is run. Ctrl-C ends the jobs.
"""
EPILOG = """\
examples:
  vestibular scatter --jobs 4              four processes at a time on this machine
  vestibular scatter --on slurm --detach   Slurm's job arrays; run it again to follow
  vestibular scatter --dry-run             only write the scripts: run them wherever you like,
  vestibular scatter --collect             and collect their results
  vestibular scatter --on slurm --through mine
                                           nodes that see the remote, but not the cache
  vestibular scatter --exp fast -S train.learning_rate=2e-2
                                           a DVC experiment, for `dvc exp show`
`scatter` in params.yaml sets the resources of a cell (cpus, gpus, memory_gb, minutes) and the
options of Slurm and Ray (sbatch, ray); the rest is taken from `vestibular plan`.
"""


def add_command(commands: Any) -> None:
    """Add the command to the parser of commands."""
    parser = commands.add_parser(
        "scatter",
        help="run the trainings and exams side by side, here or on a cluster",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--on",
        choices=ENGINES,
        default="local",
        help="processes on this machine, Slurm, or a Ray cluster (default: %(default)s)",
    )
    parser.add_argument(
        "--jobs",
        type=_positive,
        metavar="N",
        help="with local: processes at a time (default: one a processor or GPU, as memory allows)",
    )
    parser.add_argument(
        "--detach",
        action="store_const",
        const="start",
        help="run in the background; the same command without it follows",
    )
    # the last of the two options wins, so this one can be appended to the same command
    parser.add_argument(
        "--detached", dest="detach", action="store_const", const="started", help=argparse.SUPPRESS
    )
    parser.add_argument(
        "--through",
        metavar="REMOTE",
        help="DVC remote that carries the results, in a temporary folder of its own (default: the "
        "cache, which all cells share)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only write the cells' scripts")
    parser.add_argument(
        "--collect", action="store_true", help="collect existing results; start no jobs"
    )
    parser.add_argument("--exp", metavar="NAME", help="save the run as a DVC experiment")
    parser.add_argument(
        "-S",
        "--set-param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="with --exp: a changed setting, as for `dvc exp run`",
    )
    parser.set_defaults(run=run_scatter)


def run_scatter(arguments: argparse.Namespace) -> None:
    """Scatter, or follow a scatter that runs in the background."""
    if bool(arguments.exp) != bool(arguments.set_param):
        raise LaunchError("--exp NAME and -S KEY=VALUE belong together: name both, or neither")
    if arguments.exp and not NAME.fullmatch(arguments.exp):
        raise LaunchError(f"--exp {arguments.exp}: a name holds letters, digits, '-', '_' and '.'")
    load_params()
    from vestibular.scatter import background

    if arguments.detach == "start":
        background.start([*sys.argv[1:], "--detached"])
        return
    try:
        with exclusive_lock(background.lock_file(), background.WORK, wait=False):
            if arguments.detach:
                background.announce()
            _scatter(arguments)
    except BusyError:
        if not background.is_under_way():
            raise
        background.follow()


def _scatter(arguments: argparse.Namespace) -> None:
    # imported here: what DVC is read with
    from vestibular.scatter import remote, scattering
    from vestibular.scatter.pipeline import trunk_of

    through = remote.address_of(Path(), arguments.through) if arguments.through else None
    with _project(arguments) as (project, finish):
        trunk = trunk_of(project)
        progress = scattering.out_of_date(project, trunk, through)
        if progress.restored:
            print(f"Restored from DVC's run-cache: {', '.join(progress.restored)}", flush=True)
        if progress.unfinished:
            round_ = scattering.cells_left(project, progress, through)
            if arguments.collect:
                scattering.collect(round_, scattering.states(round_))
            params, plan = _planned(project)
            scattering.lay_out(round_, progress, _variables(params, plan))
            if arguments.dry_run:
                print(scattering.describe(round_))
                return
            lines = scattering.supervise(
                round_,
                _resources(arguments, params, plan),
                _engine(arguments.on, arguments, params, plan),
                lambda name: _engine(name, arguments, params, plan),
                SECONDS[arguments.on],
            )
            scattering.collect(round_, lines)
        elif arguments.dry_run:
            print("Every training and exam is up to date: there is nothing to scatter.")
            return
        finish()
    scattering.clean_up(Path(), through)


@contextlib.contextmanager
def _project(arguments: argparse.Namespace) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Yield the folder of the pipeline, and what to do once all cells are done."""
    from vestibular.scatter.errors import ScatterError
    from vestibular.scatter.workspace import follow_dvc, make_variant, remove_variant, state_of

    if not arguments.exp:

        def reproduce() -> None:
            if follow_dvc(Path(), "repro"):
                raise ScatterError("dvc repro: failed, as DVC says above; all cells are done")

        yield Path(), reproduce
        return
    settings = read_yaml(PARAMS)
    untracked = [settings["data"]["source"], settings["bases"]]
    project, content = make_variant(arguments.exp, arguments.set_param, untracked)

    def experiment() -> None:
        if state_of(Path())[1] != content:
            raise ScatterError(
                "the project's files have changed since the cells started; run the same command "
                "again, which runs those that are out of date"
            )
        options = [word for value in arguments.set_param for word in ("--set-param", value)]
        if follow_dvc(Path(), "exp", "run", "--temp", "--name", arguments.exp, *options):
            raise ScatterError("dvc exp run: failed, as DVC says above; all cells are done")
        remove_variant(arguments.exp)

    yield project, experiment


def _planned(project: Path) -> "tuple[Params, Plan | None]":
    """Return the settings, and the plan, which is None if the settings state all resources."""
    from vestibular.scatter.resources import plan_of

    params = load_params(project / PARAMS)
    stated = params.scatter.memory_gb is not None and params.scatter.minutes is not None
    return params, None if stated else plan_of(project, "vestibular.commands.scatter_plan")


def _variables(params: Params, plan: "Plan | None") -> dict[str, str]:
    """Return variables for the cells, so that `auto` has the same value in all of them."""
    from vestibular.scatter.folders import memory_stated
    from vestibular.scatter.resources import accelerators

    # the memory that is free here says nothing of GPUs elsewhere
    elsewhere = params.scatter.gpus and not accelerators()
    return {} if plan is None or elsewhere else {FREE_MEMORY: str(memory_stated(plan.free))}


def _resources(
    arguments: argparse.Namespace, params: Params, plan: "Plan | None"
) -> "Callable[[Cell], Resources]":
    from vestibular.scatter.resources import resources_of

    shared = 1
    if arguments.on == "local":
        jobs = _jobs(arguments, params)
        stated = os.environ.get("OMP_NUM_THREADS", "")
        shared = int(stated) if stated.isdecimal() else max(1, _processors() // jobs)
        threads = params.scatter.cpus or shared
        print(f"At most {jobs} at a time, {threads} thread(s) each.", flush=True)
    processes = params.train.processes
    return lambda cell: resources_of(cell, plan, params.scatter, shared, processes)


def _engine(
    name: str, arguments: argparse.Namespace, params: Params, plan: "Plan | None"
) -> "Engine":
    if name == "local":
        import psutil

        from vestibular.scatter.local import Local
        from vestibular.scatter.resources import accelerators

        gpus = accelerators()
        free = psutil.virtual_memory().available if plan is None else plan.free
        # what is free on one GPU says nothing of the others: each cell has one to itself
        memory = sys.maxsize if gpus else int(free)
        return Local(_jobs(arguments, params), memory, gpus)
    if name == "slurm":
        from vestibular.scatter.slurm import Slurm

        return Slurm(params.scatter.sbatch)
    if name == "ray":
        from vestibular.scatter.ray import Ray

        return Ray(params.scatter.ray)
    raise LaunchError(f"{name}: no such engine ({', '.join(ENGINES)})")


def _jobs(arguments: argparse.Namespace, params: Params) -> int:
    """Return how many processes may run at a time on this machine."""
    from vestibular.scatter.resources import accelerators

    asked: int | None = arguments.jobs
    return asked or accelerators() or max(1, _processors() // (params.scatter.cpus or 1))


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
