"""Conditions for registering or promoting a version."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vestibular.core.errors import DataError, ShallowHistoryError
from vestibular.core.model_file import ModelFile
from vestibular.core.paths import LEADERBOARD, MODEL_FILE, PRODUCTION, SELECTION, TRAINING_FILE
from vestibular.core.training_record import TrainingRecord
from vestibular.core.version_control import (
    committed_text,
    git_output,
    is_shallow,
    last_line,
    missing_identity,
    run_dvc,
)
from vestibular.core.yaml_files import parse_yaml
from vestibular.registry.commits import LOCK, UNSHALLOW

REMOTE_SECONDS = 300.0
"""Timeout for asking a DVC remote whether it has a model, in seconds."""


def facts_of_model() -> dict[str, str]:
    """Return the facts about the model in `models/production` for a tag.

    Raises:
        DataError: there is no model.
    """
    path = PRODUCTION / MODEL_FILE
    if not path.exists():
        refusal = refusal_at("HEAD")
        if refusal is not None:
            raise DataError(
                f"{PRODUCTION}: contains no model, since `select` promoted nothing: {refusal}"
            )
        raise DataError(
            f"{path}: not found; run `dvc repro`, or `dvc pull` if that has been run elsewhere"
        )
    model = ModelFile.read(path)
    return {
        "Candidate": model.candidate,
        "Run": TrainingRecord.read(PRODUCTION / TRAINING_FILE).run,
        "Exact-match": str(model.after.exact_match),
        "F1": str(model.after.f1),
    }


def refusal_at(commit: str) -> str | None:
    """Return why `select` promoted no candidate at a commit; None if it did.

    Raises:
        GitError: git does not have the commit.
    """
    for path in (SELECTION, LEADERBOARD):
        text = committed_text(commit, path)
        if text is not None:
            found = json.loads(text)
            if not found.get("promoted", True):
                return str(found.get("reason") or "it gave no reason")
    return None


def check_identity() -> None:
    """Check that git knows the author of a tag.

    Raises:
        DataError: it does not.
        GitError: git does not open the repository.
    """
    if missing_identity():
        raise DataError(
            "git does not know who you are, and the registry records who did what; run\n"
            '  git config user.name "Your Name"\n  git config user.email you@example.org'
        )


def check_whole_history() -> None:
    """Check that this clone has all versions and stages.

    Raises:
        ShallowHistoryError: this clone is shallow, and lacks the tags of earlier commits.
        GitError: git does not open the repository.
    """
    if is_shallow():
        raise ShallowHistoryError(
            "this clone is shallow: versions and stages of earlier commits may be missing, and a "
            f"new tag could reuse the name of one of them; run: {UNSHALLOW} --tags"
        )


def check_committed() -> None:
    """Check that the commit contains what is in the working tree.

    Raises:
        DataError: a tracked file has changes, or the model is not that of `dvc.lock`.
        GitError: git does not open the repository.
    """
    # names as they are, in any script
    own = ("-c", "core.quotePath=false")
    # if the project is a folder of a repository, the rest of the repository does not matter
    status = git_output(*own, "status", "--porcelain", "--untracked-files=no", "--", ".")
    if changed := [line[3:] for line in status.splitlines()]:
        raise DataError(
            f"{_first(changed)}: changed since the last commit, but a version is a commit; run "
            "`git add . && git commit` first"
        )
    if missing := _untracked_results():
        raise DataError(
            f"{_first(missing)}: not in git, so a version would lack what the run made; run `git "
            "add . && git commit` first"
        )
    faults = [
        f"{path} ({state})"
        for change in _dvc_status().get("select", [])
        if isinstance(change, dict)
        for kind in ("changed outs", "changed deps")
        for path, state in change.get(kind, {}).items()
        # what has not been pulled need not be here
        if kind == "changed outs" or state != "deleted"
    ]
    if faults:
        raise DataError(
            f"{', '.join(faults[:3])}: differs from {Path(LOCK)}; run `dvc repro` (or `dvc "
            "checkout`), commit, and then register"
        )


def _untracked_results() -> list[str]:
    """Return the lock and the stages' outputs that git neither tracks nor ignores.

    DVC tracks what git ignores.

    Raises:
        GitError: git does not open the repository.
    """
    others = git_output("ls-files", "-z", "--others", "--exclude-standard")
    lock = Path(LOCK)
    content = parse_yaml(lock.read_text(encoding="utf-8"), lock) if lock.exists() else {}
    stages = (content.get("stages") or {}).values()
    results = [lock, *(Path(out["path"]) for stage in stages for out in stage.get("outs", ()))]
    return [
        name
        for name in others.split("\0")
        if name and any(Path(name).is_relative_to(result) for result in results)
    ]


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


def check_pushed() -> None:
    """Check that the remote, if there is one, has the model.

    A remote that is a folder of this project, such as the demo's, does not count.

    Raises:
        DataError: it does not have the model, or does not answer.
    """
    if not run_dvc("remote", "list").stdout.strip():
        print(
            "note: no DVC remote is set up, so no other machine can download this version; run "
            "`dvc remote add --default NAME ADDRESS`, then `vestibular registry push --version "
            "VERSION`",
            file=sys.stderr,
        )
        return
    try:
        missing = _dvc_status("--cloud", seconds=REMOTE_SECONDS)
    except subprocess.TimeoutExpired:
        raise DataError(
            f"the DVC remote: no answer within {REMOTE_SECONDS:g} s; `dvc status --cloud` shows "
            "whether it answers again"
        ) from None
    if missing and _remote_is_in_project():
        print(
            f"note: {PRODUCTION}: not in the DVC remote yet, which is a folder of this project; "
            "run `dvc push` and commit what it adds, or set up a remote of your own, so that "
            "another machine can download this version",
            file=sys.stderr,
        )
    elif missing:
        raise DataError(
            f"{PRODUCTION}: not in the DVC remote yet, where other machines would look for it; "
            "run `dvc push` first"
        )


def _remote_is_in_project() -> bool:
    """Return whether DVC's default remote is a folder inside this project."""
    name = run_dvc("config", "core.remote").stdout.strip()
    address = run_dvc("config", f"remote.{name}.url").stdout.strip() if name else ""
    if not address or "://" in address:
        return False
    # DVC writes folders relative to its configuration
    return Path(".dvc", address).resolve().is_relative_to(Path.cwd().resolve())


def _dvc_status(*options: str, seconds: float | None = None) -> dict[str, Any]:
    result = run_dvc("status", "--json", *options, "select", seconds=seconds)
    if result.returncode:
        raise DataError(f"dvc status: {last_line(result.stderr)}")
    return dict(json.loads(result.stdout.strip().splitlines()[-1]))
