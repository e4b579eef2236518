"""`vestibular verify`: checks a revision's results, and makes them again."""

import argparse
from typing import Any

DIFFERS = 1
"""Exit status if something is not equal."""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    verify = commands.add_parser(
        "verify",
        help="run a revision again, and tell whether its results are the same",
        description="First check, without running anything, whether a commit's results come from "
        "its own settings, code and data, whether they are the files that the run wrote, and "
        "whether the answers have the recorded scores. Then run its stages again in a "
        "temporary clone, which uses nothing from DVC's run-cache and changes no result "
        "here, and report each output: bitwise equal, equal within noise (and how much "
        "differs), or different; and the differences between the machines and packages. "
        "Measured costs always differ, and are left out.",
        epilog="Exit status: 0 if all is bitwise equal, 1 if something differs, 2 if the revision "
        "cannot be run. Examples: vestibular verify; vestibular verify v1.0 --cells gpt2-mini; "
        "vestibular verify HEAD --no-run",
    )
    verify.add_argument(
        "revision",
        metavar="REV",
        nargs="?",
        default="HEAD",
        help="a commit, branch, tag or DVC experiment (default: HEAD)",
    )
    verify.add_argument(
        "--cells",
        type=_names,
        metavar="A,B",
        help="run only these cells and the stages that they depend on: the part after the @ in "
        "`dvc.yaml`, such as gpt2-mini or gpt2-mini-fold-1",
    )
    verify.add_argument(
        "--no-run", action="store_true", help="only check the commit; takes seconds"
    )
    verify.add_argument(
        "--allow-noise",
        action="store_true",
        help="status 0 also if all differences are within noise, as on another machine",
    )
    verify.set_defaults(run=run_verify)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(
            f"must be names of cells, separated by commas (got {text!r})"
        )
    return names


def run_verify(arguments: argparse.Namespace) -> None:
    """Verify a revision, and end with status 1 if something differs."""
    # imported here: numpy and tables, which other commands do not need
    from vestibular.verification.text import as_text
    from vestibular.verification.verifying import verify

    found = verify(
        arguments.revision,
        arguments.cells,
        not arguments.no_run,
        lambda line: print(line, flush=True),
    )
    print(as_text(found))
    if not found.is_equal(arguments.allow_noise):
        raise SystemExit(DIFFERS)
