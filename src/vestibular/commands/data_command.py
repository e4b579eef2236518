"""`vestibular data`: what `prepare` found in the data, row by row."""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from vestibular.core.data_audit import AuditRow
from vestibular.core.data_metrics import DataMetrics
from vestibular.core.errors import DataError
from vestibular.core.paths import DATA_AUDIT, DATA_METRICS, REFUSED_DATA
from vestibular.core.work_folder import work_folder


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "data",
        help="show what was found in the data, and what was done about it",
        description="Show what the last `prepare` converted, corrected, noted or left out, and, if "
        "it refused the data, every fault that it found. Without --kind, one line per "
        "kind.",
        epilog="example: vestibular data --kind duplicate_question",
    )
    parser.add_argument("--kind", metavar="KIND", help="show every row of this kind")
    parser.add_argument("--all", action="store_true", help="show every row")
    parser.set_defaults(run=run_data)


def run_data(arguments: argparse.Namespace) -> None:
    """Print the rows of the last audit, or of the last refusal if that is newer."""
    from vestibular.data.audit_table import listing, summary

    path = latest()
    rows = AuditRow.read_lines(path)
    kinds = Counter(row.kind for row in rows)
    wanted = None if arguments.kind is None else arguments.kind.replace(" ", "_")
    if wanted is not None and wanted not in kinds:
        raise DataError(
            f"{path}: has no rows of kind {wanted} ({', '.join(kinds) or 'it is empty'})"
        )
    if not rows:
        print("Every row was read as it is.")
    elif wanted is not None or arguments.all:
        print(listing([row for row in rows if wanted in (None, row.kind)]))
    else:
        print(summary(rows))
        print(f"\n`vestibular data --kind KIND` shows every row of a kind; all are in {path}.")
    if path == DATA_AUDIT and wanted is None and DATA_METRICS.exists():
        leaks = DataMetrics.read(DATA_METRICS).leaks.sentence()
        if leaks:
            print(f"\n{leaks}")


def latest() -> Path:
    """Return the file of the last refusal, which `prepare` removes, or else of the audit."""
    refused = work_folder() / REFUSED_DATA
    return refused if refused.exists() else DATA_AUDIT
