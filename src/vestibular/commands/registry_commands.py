"""`vestibular registry`: the commands and their output."""

import argparse
import contextlib
import sys
import textwrap
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from itertools import zip_longest
from pathlib import Path
from typing import Any

from vestibular.core.errors import NoGitError
from vestibular.core.version_control import is_shallow, run_git
from vestibular.params.project import load_params
from vestibular.registry.commits import UNSHALLOW
from vestibular.registry.registry import Registry
from vestibular.registry.tags import Event, Version, doubled, version_tag
from vestibular.registry.transfer import download, push

PRODUCTION_STAGE = "production"
TABLE_WIDTH = 100
CELL_WIDTH = 18
"""Minimum width of cells other than a row's last: a date and a time."""
LEAST_WRAPPED = 16
"""Minimum width of a row's last cell, however wide the others are."""


def add_commands(commands: Any) -> None:
    """Add `registry` and its own commands to the parser."""
    top = commands.add_parser(
        "registry",
        help="keep versions of the chosen model, and record which is in production",
        description="Versions and stages are git tags (GTO's), the files are tracked by DVC: push "
        "both (`git push --tags`, `dvc push`), and everybody has the same registry.",
    )
    own = top.add_subparsers(metavar="command")
    top.set_defaults(run=lambda _: top.print_help())

    register = _command(
        own, "register", run_register, "register the current commit's model as a version"
    )
    register.add_argument(
        "--bump",
        choices=("major", "minor", "patch"),
        default="minor",
        help="which part of the last version's number grows (default: %(default)s)",
    )

    promote = _command(own, "promote", run_promote, "assign a version to a stage")
    promote.add_argument("version", type=_version, help="for example v0.1.0")
    _stage(promote)
    promote.add_argument("--reason", help="why; kept in the history")
    promote.add_argument(
        "--force", action="store_true", help="promote although `select` refused; needs --reason"
    )

    rollback = _command(own, "rollback", run_rollback, "restore the previous version")
    _stage(rollback)
    rollback.add_argument("--reason", help="why; kept in the history")

    _command(own, "list", run_list, "show all versions, their scores and stages")
    _command(own, "history", run_history, "show who did what, when and why")

    push = _command(own, "push", run_push, "copy a version's files to the DVC remote")
    _which(push)

    download = _command(own, "download", run_download, "get a version's files into a folder")
    download.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    _which(download)


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], None], text: str
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}."
    )
    made.set_defaults(run=run)
    return made


def _which(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--version", type=_version, help="for example v0.1.0")
    _stage(which)


def _stage(parser: Any) -> None:
    parser.add_argument("--stage", default=PRODUCTION_STAGE, help="default: %(default)s")


def _version(text: str) -> str:
    return text if text.startswith("v") else f"v{text}"


def run_register(arguments: argparse.Namespace) -> None:
    """Register the current commit's model."""
    registry = _registry()
    version = registry.register(arguments.bump)
    name, facts = version.event.version, version.event.facts
    print(f"{registry.artifact} {name}: {facts['Candidate']}, commit {version.event.commit[:7]}")
    _publish(version.event.tag)
    print(f"  vestibular registry promote {name}", file=sys.stderr)
    _note_what_is_odd(registry)


def run_promote(arguments: argparse.Namespace) -> None:
    """Promote a version."""
    registry = _registry()
    reason, force = arguments.reason, arguments.force
    _print_event(registry, registry.promote(arguments.version, arguments.stage, reason, force))


def run_rollback(arguments: argparse.Namespace) -> None:
    """Restore the previous version."""
    registry = _registry()
    _print_event(registry, registry.rollback(arguments.stage, arguments.reason))


def run_list(_: argparse.Namespace) -> None:
    """Print one line per version."""
    registry = _registry()
    versions = registry.versions()
    _note_what_is_odd(registry)
    if not versions:
        print("no version yet; `vestibular registry register` creates one", file=sys.stderr)
        return
    rows = [["version", "candidate", "EM", "F1", "stage", "commit", "registered", "by"]]
    rows += [
        [
            version.event.version,
            version.event.facts.get("Candidate", "-"),
            *(_score(version.event, name) for name in ("Exact-match", "F1")),
            ", ".join(version.stages) or "-",
            version.event.commit[:7],
            f"{version.event.when:%Y-%m-%d %H:%M}",
            _name(version.event),
        ]
        for version in versions
    ]
    print_table(rows)


def run_history(_: argparse.Namespace) -> None:
    """Print one line per tag, the newest first."""
    registry = _registry()
    events = registry.history()
    _note_what_is_odd(registry)
    if not events:
        print("nothing yet; `vestibular registry register` is the first event", file=sys.stderr)
        return
    rows = [["when", "what", "version", "stage", "EM", "F1", "by", "why"]]
    rows += [
        [
            f"{event.when:%Y-%m-%d %H:%M}",
            event.action,
            event.version,
            event.stage or "-",
            *(_score(event, name) for name in ("Exact-match", "F1")),
            _name(event),
            _why(event),
        ]
        for event in reversed(events)
    ]
    print_table(rows)


def run_push(arguments: argparse.Namespace) -> None:
    """Push a version, by default the one in production."""
    registry = _registry()
    event = _chosen(registry, arguments).event
    count = push(registry.artifact, event.version, event.tag)
    print(f"{registry.artifact} {event.version}: {count} files pushed" if count else "up to date")


def run_download(arguments: argparse.Namespace) -> None:
    """Download a version, by default the one in production."""
    registry = _registry()
    version = _chosen(registry, arguments)
    _note_what_is_odd(registry)
    download(registry.artifact, version.event.version, arguments.folder)
    print(f"{registry.artifact} {version.event.version} is in {arguments.folder}")
    print(
        f'  vestibular answer --model {arguments.folder} --context FILE "question"',
        file=sys.stderr,
    )


def _chosen(registry: Registry, arguments: argparse.Namespace) -> Version:
    if arguments.version:
        return registry.find(arguments.version)
    return registry.in_stage(arguments.stage)


def _registry() -> Registry:
    return Registry(load_params().registry.artifact)


def _print_event(registry: Registry, event: Event) -> None:
    before = f", before it {event.facts['Replaces']}" if "Replaces" in event.facts else ""
    print(f"{registry.artifact} {event.version} is in {event.stage}{before}")
    _publish(event.tag)
    _note_what_is_odd(registry)


def _publish(tag: str) -> None:
    remotes = run_git("remote").stdout.split()
    if not remotes:
        print(
            "so far only in this repository, which has no remote: `git remote add origin "
            f"ADDRESS`, then `git push origin '{tag}'`",
            file=sys.stderr,
        )
        return
    origin = "origin" if "origin" in remotes else remotes[0]
    print(
        f"so far only in this repository; next:\n  git push {origin} '{tag}'\n(if git rejects it, "
        f"somebody else has used that name: git tag --delete '{tag}' && git fetch --tags, and try "
        "again)",
        file=sys.stderr,
    )


def _note_what_is_odd(registry: Registry) -> None:
    """Print on standard error what may mislead: missing versions, or one model with two names."""
    with contextlib.suppress(NoGitError):
        if is_shallow():
            _note(
                "this clone is shallow: versions and stages of earlier commits may be missing; "
                f"`{UNSHALLOW} --tags` downloads them"
            )
    been = {event.version for event in registry.history() if event.stage}
    for group in doubled(registry.versions()):
        _note(_about_double(registry.artifact, group, been))


def _about_double(artifact: str, group: Sequence[Version], been: AbstractSet[str]) -> str:
    """Say that versions are the same model, and how to delete those that were never in a stage."""
    names = [version.event.version for version in group]
    said = (
        f"{' and '.join(names)} are one commit, {group[0].event.commit[:7]}, which was registered "
        "more than once: one model with several names. Each can be promoted and downloaded"
    )
    kept = next((name for name in names if name in been), names[0])
    spare = [name for name in names if name != kept and name not in been]
    if not spare:
        return said
    tags = " ".join(f"'{version_tag(artifact, name)}'" for name in spare)
    return (
        f"{said}. To keep only {kept}: git push origin --delete {tags}, and in every clone: git "
        f"tag --delete {tags}"
    )


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _score(event: Event, name: str) -> str:
    return f"{float(event.facts[name]):.3f}" if name in event.facts else "-"


def _why(event: Event) -> str:
    reason = event.facts.get("Reason", "-")
    refused = event.facts.get("Against-selection")
    return f"{reason} (against `select`: {refused})" if refused else reason


def _name(event: Event) -> str:
    """Return the author's name, without the address, which `git show` has."""
    return event.who.partition(" <")[0]


def print_table(rows: list[list[str]]) -> None:
    """Print rows of at most `TABLE_WIDTH` columns; long cells are wrapped."""
    inner = [[textwrap.wrap(cell, CELL_WIDTH) for cell in row[:-1]] for row in rows]
    widths = [max(len(line) for row in inner for line in row[at]) for at in range(len(inner[0]))]
    rest = max(TABLE_WIDTH - sum(width + 2 for width in widths), LEAST_WRAPPED)
    for row, cells in zip(rows, inner, strict=True):
        for lines in zip_longest(*cells, textwrap.wrap(row[-1], rest), fillvalue=""):
            padded = [line.ljust(width) for line, width in zip(lines, widths, strict=False)]
            print("  ".join([*padded, lines[-1]]).rstrip())
