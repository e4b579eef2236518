"""Verification of a revision: first its own consistency, then its repetition."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vestibular.clones.clone import Clone, temporary_clone
from vestibular.core.costs import CandidateCosts, Costs
from vestibular.core.errors import DataError, LaunchError
from vestibular.core.files import file_md5
from vestibular.core.installed import CODE, differing, library_version
from vestibular.core.paths import COSTS
from vestibular.core.version_control import committed_text, git_output, head_commit, run_git
from vestibular.registry.commits import LOCK
from vestibular.registry.revisions import Revision, has_remote, read_revision
from vestibular.verification import commit_checks
from vestibular.verification.commit_checks import Finding
from vestibular.verification.machines import machines_text
from vestibular.verification.outcomes import Before, Outcome, Verdict, outcomes
from vestibular.verification.pipeline import (
    Pipeline,
    Stage,
    provide_sources,
    read_pipeline,
)
from vestibular.verification.rerunning import Rerun, costs_of, run_again
from vestibular.verification.scores import wrong_scores

Tell = Callable[[str], None]


@dataclass
class Verification:
    """Findings about a revision."""

    name: str
    """The short commit."""
    findings: list[Finding] = field(default_factory=list)
    """Faults found without a run."""
    outcomes: list[Outcome] = field(default_factory=list)
    """Each repeated output; empty if nothing was run."""
    machines: list[str] = field(default_factory=list)
    """Differences between the machines and packages, one per line."""
    rerun: Rerun = field(default_factory=Rerun)

    def is_equal(self, noise_allowed: bool) -> bool:
        """Return whether nothing differs.

        Args:
            noise_allowed: whether outputs that are equal within noise count as equal.
        """
        fine = {Verdict.EQUAL, Verdict.MEASURED, *([Verdict.NOISE] if noise_allowed else [])}
        return not self.findings and all(one.verdict in fine for one in self.outcomes)


def verify(name: str, cells: Sequence[str] | None, run: bool, tell: Tell) -> Verification:
    """Check a revision's results, in a temporary clone that is always removed.

    Args:
        name: a commit, branch, tag or DVC experiment.
        cells: cells to run again, as named in `dvc.yaml` after the `@`; None for all stages.
        run: whether to run anything.
        tell: called with each line as soon as it is known.

    Raises:
        DataError: there is no such revision, it has no run, or one of its inputs is not available.
        GitError: git or DVC fails.
        LaunchError: there is no such cell, or the revision belongs to another library.
    """
    revision = read_revision(name)
    commit = _full(revision.name)
    result = Verification(revision.name)
    tell(f"{revision.name}: {run_git('log', '-1', '--format=%s', commit).stdout.strip()}")
    if run_git(
        "--no-optional-locks", "status", "--porcelain", "--untracked-files=no", "--", "."
    ).stdout:
        tell("changes since the last commit are not included")
    with temporary_clone(commit) as clone:
        _check_library(clone)
        pipeline = read_pipeline(clone)
        stages = pipeline.chosen(cells)
        provide_sources(clone, pipeline)
        result.findings = _checked(revision, clone, pipeline, commit, tell)
        if run:
            before = _before(revision, clone, pipeline, commit)
            tell(f"running {_counted(stages)} again, in a clone that is removed afterwards")
            result.rerun = run_again(clone, stages)
            result.outcomes = outcomes(before, clone, stages, result.rerun)
            measured = [cost for _, cost in costs_of(clone)]
            result.machines = machines_text(_costs(commit), measured)
    return result


def _full(short: str) -> str:
    return git_output("rev-parse", "--verify", f"{short}^{{commit}}").strip()


def _check_library(clone: Clone) -> None:
    """Check that the installed library is the one with which a project's commit was run."""
    code = clone.project / CODE
    if code.is_dir() and (names := differing(code)):
        raise LaunchError(
            f"{clone.commit[:7]}: {CODE}: {', '.join(names)}: belongs to another library than the "
            f"installed one (vestibular {library_version()}); install the one in "
            f"{CODE}/requirements.txt to verify it"
        )


def _checked(
    revision: Revision, clone: Clone, pipeline: Pipeline, commit: str, tell: Tell
) -> list[Finding]:
    """Check the commit without a run, and report the result."""
    outputs, lock = pipeline.outputs(), revision.lock
    kept = [pair for pair in outputs if pair[1].cached]
    in_git = [pair for pair in outputs if not pair[1].cached]
    # before DVC looks at its cache: it deletes damaged objects
    damaged = commit_checks.damaged_objects(outputs, lock)
    missing = commit_checks.missing_outputs(outputs, lock)
    if missing and has_remote():
        tell(f"downloading {len(missing)} outputs that are not in DVC's cache from the remote")
        clone.run_dvc("fetch", "--quiet")
        missing = commit_checks.missing_outputs(outputs, lock)
    # links to the cache are safe: a stage's outputs are removed before it runs
    clone.run_dvc("checkout", "--quiet", "--allow-missing")
    unknown = [*missing, *(finding.path for finding in damaged)]
    found = commit_checks.not_of_this_commit(clone, pipeline, lock, unknown)
    found += commit_checks.not_as_written(clone.project, in_git, lock, "the commit's file")
    found += damaged
    if commit == head_commit() and _same_lock(commit):
        # faults of the commit itself are already reported
        rest = [pair for pair in outputs if pair[1].path not in {one.path for one in found}]
        where = "the file in the working tree"
        found += commit_checks.not_as_written(Path(), rest, lock, where)
    scored, wrong = wrong_scores(clone.project, pipeline, lock)
    found += wrong
    for finding in found:
        tell(f"{finding.kind}: {finding.text}")
    if not found:
        present = len(outputs) - len(missing)
        tell(
            f"without a run: dvc.lock matches this commit's settings, code and data; {present} "
            f"outputs match dvc.lock; {scored:,} answers have the recorded scores"
        )
    if missing:
        tell(
            f"not here, so that only hashes can be compared: {', '.join(missing[:3])}"
            f"{f' and {len(missing) - 3} more' if len(missing) > 3 else ''} (of {len(kept)})"
        )
    return found


def _same_lock(commit: str) -> bool:
    """Return whether the working tree's results are recorded as the commit's."""
    here = Path(LOCK)
    return here.is_file() and here.read_text(encoding="utf-8") == committed_text(commit, LOCK)


def _before(revision: Revision, clone: Clone, pipeline: Pipeline, commit: str) -> Before:
    held = {
        output.path: file_md5(clone.project / output.path)
        for _, output in pipeline.outputs()
        if not output.cached and (clone.project / output.path).is_file()
    }
    return Before(commit, revision.lock, held)


def _costs(commit: str) -> list[CandidateCosts]:
    """Return the costs recorded by the commit's own run; empty if they cannot be read."""
    text = committed_text(commit, COSTS)
    try:
        return list(Costs.parse(json.loads(text), COSTS).candidates.values()) if text else []
    except (DataError, ValueError):
        return []


def _counted(stages: Sequence[Stage]) -> str:
    return "1 stage" if len(stages) == 1 else f"{len(stages)} stages"
