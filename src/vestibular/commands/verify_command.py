"""`vestibular verify`: a revision's results checked, and made again."""

import argparse
from typing import Any

DIFFERS = 1
"""Exit status where something is not equal."""


def add_command(commands: Any) -> None:
    """Add it to the parser of commands."""
    verify = commands.add_parser(
        "verify",
        help="run a revision again, and say whether its results come out equal",
        description="Look first, without running anything, whether a commit's results are of its "
        "own settings, code and data, whether they are the files that the run wrote, and whether "
        "the answers have the scores that are said of them. Then run its stages again in a "
        "temporary clone, which uses nothing of DVC's run-cache and changes no result here, and "
        "say of each output: bitwise equal, equal within noise (and how much differs), or "
        "different; and what differs between the machines and packages. Measured costs are never "
        "the same, and are left out.",
        epilog="Exit status: 0 if all is bitwise equal, 1 if something differs, 2 if the revision "
        "cannot be run. Examples: vestibular verify; vestibular verify v1.0 --cells gpt2-mini; "
        "vestibular verify HEAD --no-run",
    )
    verify.add_argument(
        "revision",
        metavar="REV",
        nargs="?",
        default="HEAD",
        help="a commit, branch, tag or experiment of DVC's (default: HEAD)",
    )
    verify.add_argument(
        "--cells",
        type=_names,
        metavar="A,B",
        help="run only these, with the stages that they rest on: what stands behind the @ in "
        "`dvc.yaml`, as gpt2-mini or gpt2-mini-fold-1",
    )
    verify.add_argument(
        "--no-run", action="store_true", help="look at the commit alone; takes seconds"
    )
    verify.add_argument(
        "--allow-noise",
        action="store_true",
        help="status 0 also where all that differs is within noise, as on another machine",
    )
    verify.set_defaults(run=run_verify)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError(f"names of cells with commas between them (got {text!r})")
    return names


def run_verify(arguments: argparse.Namespace) -> None:
    """Verify a revision, and end with status 1 if something differs."""
    # numpy and tables, which the other commands need not wait for
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
