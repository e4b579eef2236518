"""A verification, formatted for a terminal."""

import textwrap
from collections import Counter

from tabulate import tabulate

from vestibular.verification.outcomes import Outcome, Verdict
from vestibular.verification.verifying import Verification

DETAIL_WIDTH = 100
ORDER = (Verdict.DIFFERENT, Verdict.NOT_MADE, Verdict.NOISE, Verdict.EQUAL, Verdict.MEASURED)


def as_text(found: Verification) -> str:
    """Format the result of a repetition, with the verdict in one line."""
    lines = []
    if found.outcomes:
        rows = [(one.stage, one.path, one.verdict.value) for one in found.outcomes]
        table = tabulate(rows, headers=("stage", "output", "result"), tablefmt="plain")
        lines += ["", table, ""]
        lines += [line for one in found.outcomes for line in _detail(one)]
        lines += _failures(found)
        lines += found.machines
    return "\n".join([*lines, _verdict(found)])


def _detail(one: Outcome) -> list[str]:
    if not one.detail or one.verdict is Verdict.NOT_MADE:
        return []
    said = f"{one.path}: {one.verdict.value}: {one.detail}"
    return textwrap.wrap(said, DETAIL_WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _failures(found: Verification) -> list[str]:
    """Show the last lines of each failed stage."""
    failed = dict.fromkeys(one.stage for one in found.outcomes if one.verdict is Verdict.NOT_MADE)
    return [
        line
        for stage in failed
        for line in (f"{stage} failed:", *(f"  {said}" for said in found.rerun.last_lines(stage)))
    ]


def _verdict(found: Verification) -> str:
    counts = Counter(one.verdict for one in found.outcomes)
    said = [f"{counts[verdict]} {verdict.value}" for verdict in ORDER if counts[verdict]]
    of_commit = ""
    if found.findings:
        number = len(found.findings)
        of_commit = f"{number} {'finding' if number == 1 else 'findings'} in the commit itself"
    if not found.outcomes:
        return f"{found.name}: {of_commit or 'no faults found in the commit itself'}; not run"
    if not found.findings and set(counts) <= {Verdict.EQUAL, Verdict.MEASURED}:
        return f"{found.name}: bitwise equal, costs excluded ({counts[Verdict.EQUAL]} outputs)"
    return f"{found.name}: " + "; ".join([", ".join(said), *([of_commit] if of_commit else [])])
