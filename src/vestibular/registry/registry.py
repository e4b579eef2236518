"""The registry: versions of the chosen model and their stages, kept as tags in git.

The tags are GTO's (`qa-model@v0.1.0`, `qa-model#production#1`), the files are those that DVC
tracks at the tagged commit. A tag's message holds what the tag does not say: the candidate, its
scores, the reason. Who and when are the tag's own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from vestibular.core.errors import DataError
from vestibular.core.layout import LEADERBOARD, MODEL_FILE, PRODUCTION, SELECTION, TRAINING_FILE
from vestibular.core.model_file import ModelFile
from vestibular.core.training_record import TrainingRecord

NO_REPOSITORY = "this is no git repository, and the registry is kept in git's tags"
REMOTE_SECONDS = 300.0
"""How long a DVC remote may take to say whether it has a model."""
Bump = Literal["major", "minor", "patch"]
EVENTS = {"registration": "register", "assignment": "promote", "unassignment": "unassign"}
"""GTO's events that count here, and what they are called where no message says otherwise."""


@dataclass(frozen=True)
class Event:
    """A tag: a version was registered, promoted or restored."""

    action: str
    """`register`, `promote`, `rollback` or, by GTO's own command, `unassign`."""
    version: str
    when: datetime
    who: str
    commit: str
    facts: Mapping[str, str]
    """What the tag's message says, by name."""
    stage: str | None = None
    number: int = 0
    """Place in the order of a stage's tags; their times are whole seconds only."""


@dataclass(frozen=True)
class Version:
    """A registered version and the stages that it is in now."""

    event: Event
    stages: list[str] = field(default_factory=list)


class Registry:
    """The versions of one model in the git repository of the current folder."""

    def __init__(self, artifact: str) -> None:
        self.artifact = artifact

    def register(self, bump: Bump) -> Version:
        """Make the model of the current commit a version.

        Raises:
            DataError: the commit does not hold the model as it stands here, or the model's
                files are not where others find them, or the commit has a version already.
        """
        import gto.api
        from gto.exceptions import VersionExistsForCommit

        _check_identity()
        _check_committed()
        facts = _facts()
        _check_pushed()
        known = self.versions()
        bumps = {f"bump_{bump}": True} if known else {"version": "v0.1.0"}
        message = _message(f"Register {facts['Candidate']} as {self.artifact}", facts)
        try:
            gto.api.register(".", self.artifact, "HEAD", message=message, **bumps)
        except VersionExistsForCommit as error:
            raise DataError(
                f"{self.artifact}: {error}; one commit holds one version. "
                "`vestibular registry list` shows them"
            ) from None
        return self.versions()[-1]

    def promote(self, version: str, stage: str, reason: str | None, force: bool) -> Event:
        """Put a version into a stage; the version before it stays in the history.

        Raises:
            DataError: there is no such version, it is in the stage already, or `select` refused
                it and `force` is not given, or is without a reason.
        """
        _check_identity()
        found = self.find(version)
        if stage in found.stages:
            raise DataError(f"{self.artifact}: {version} is in {stage} already")
        refusal = _refusal(found.event.commit)
        if refusal is not None and not force:
            raise DataError(
                f"{self.artifact}: {version}: `select` promoted nothing at this commit: {refusal}. "
                "To promote it all the same: --force --reason WHY"
            )
        if refusal is not None and not reason:
            raise DataError("--force: say why, with --reason; it is kept in the history")
        facts = dict(found.event.facts)
        facts["Reason"] = reason or "chosen by `select`"
        if refusal is not None:
            facts["Against-selection"] = refusal
        return self._assign("promote", found, stage, facts)

    def rollback(self, stage: str, reason: str | None) -> Event:
        """Put back the version that was in a stage before the one that is.

        Raises:
            DataError: there was none before.
        """
        _check_identity()
        held = self._held(stage)
        if len(held) < 2:
            now = f"only {held[0]}" if held else "no version"
            raise DataError(f"{self.artifact}: {now} has been in {stage}; nothing to go back to")
        found = self.find(held[-2])
        facts = {**found.event.facts, "Reason": reason or f"rollback of {held[-1]}"}
        return self._assign("rollback", found, stage, facts)

    def versions(self) -> list[Version]:
        """Return all versions, the oldest first, with the stages that each is in."""
        return versions_in(self.history())

    def find(self, version: str) -> Version:
        """Return a version by name.

        Raises:
            DataError: there is none of that name.
        """
        versions = {found.event.version: found for found in self.versions()}
        if version not in versions:
            known = ", ".join(versions) or "none yet; `vestibular registry register` makes one"
            raise DataError(f"{self.artifact}: {version}: no such version ({known})")
        return versions[version]

    def in_stage(self, stage: str) -> Version:
        """Return the version that is in a stage.

        Raises:
            DataError: none is.
        """
        held = self._held(stage)
        if not held:
            raise DataError(
                f"{self.artifact}: no version is in {stage}; `vestibular registry promote` puts "
                "one there, `git fetch --tags` gets what others have put there"
            )
        return self.find(held[-1])

    def history(self) -> list[Event]:
        """Return all that has happened, the oldest first.

        Raises:
            DataError: there is no git repository here.
        """
        import gto.api
        from scmrepo.exceptions import SCMError

        try:
            found = gto.api.history(".", self.artifact, ascending=True)
        except SCMError:
            raise DataError(NO_REPOSITORY) from None
        events = [_event(raw) for raw in found if raw["event"] in EVENTS]
        return sorted(events, key=lambda event: (event.when, event.number))

    def download(self, version: Version, folder: Path) -> None:
        """Get a version's files from the cache or the DVC remote into a new folder.

        Raises:
            DataError: the folder is in use, or the files are nowhere to be had.
        """
        from dvc.exceptions import DvcException
        from dvc.repo import Repo
        from dvc_data.index import DataIndexDirError

        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder}: is there already; name a new folder, or remove it")
        name = version.event.version
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            try:
                with Repo(".") as repo:
                    out = str(Path(scratch, "model"))
                    repo.artifacts.download(self.artifact, version=name, out=out)
            except (DvcException, DataIndexDirError, FileNotFoundError) as error:
                raise DataError(
                    f"{self.artifact}: {name}: its files are neither in DVC's cache nor in a "
                    f"remote that can be reached ({_first_line(error)}); run `dvc push --all-tags` "
                    "where they were made"
                ) from None
            if folder.exists():
                folder.rmdir()
            shutil.move(Path(scratch, "model"), folder)

    def _held(self, stage: str) -> list[str]:
        return held_in(stage, self.history())

    def _assign(self, action: str, version: Version, stage: str, facts: Mapping[str, str]) -> Event:
        import gto.api
        from gto.exceptions import GTOException

        name = version.event.version
        held = self._held(stage)
        said = {**facts, "Action": action, **({"Replaces": held[-1]} if held else {})}
        words = {"promote": f"Promote {self.artifact} {name} to {stage}"}
        title = words.get(action, f"Put {self.artifact} {name} back into {stage}")
        try:
            gto.api.assign(
                *(".", self.artifact, stage),
                version=name,
                message=_message(title, said),
                skip_registration=True,
                force=True,
            )
        except GTOException as error:
            raise DataError(f"{self.artifact}: {stage}: {error}") from None
        return next(event for event in reversed(self.history()) if event.stage == stage)


def versions_in(events: Sequence[Event]) -> list[Version]:
    """Return the versions that a history tells of, the oldest first, each with its stages."""
    from gto.versions import SemVer

    named = dict.fromkeys(event.stage for event in events if event.stage)
    stages = {stage: held_in(stage, events)[-1:] for stage in named}
    return [
        Version(event, [stage for stage, held in stages.items() if event.version in held])
        for event in sorted(
            (event for event in events if event.action == "register"),
            key=lambda event: SemVer(event.version),
        )
    ]


def held_in(stage: str, events: Iterable[Event]) -> list[str]:
    """Return the versions that a stage has held, the one that it holds last.

    A rollback has taken one away; so has GTO's `deprecate`, after which the one before it is in
    the stage again.
    """
    held: list[str] = []
    for event in events:
        if event.stage == stage and event.action == "unassign":
            held = [version for version in held if version != event.version]
        elif event.stage == stage:
            # who deletes or does not fetch a tag has the rest of a history
            if event.action == "rollback" and held:
                held.pop()
            if held[-1:] != [event.version]:
                held.append(event.version)
    return held


def _event(raw: Mapping[str, Any]) -> Event:
    lines = [line.partition(": ") for line in str(raw["message"]).splitlines()]
    facts = {name: value for name, found, value in lines if found}
    kind, stage = EVENTS[raw["event"]], raw["stage"]
    # `gto assign --simple true` gives no number
    number = raw["ref"].rpartition("#")[2]
    return Event(
        action=facts.pop("Action", kind) if kind == "promote" else kind,
        version=raw["version"],
        when=raw["timestamp"],
        who=f"{raw['author']} <{raw['author_email']}>",
        commit=raw["commit"],
        facts=facts,
        stage=stage,
        number=int(number) if stage and number.isdigit() else 0,
    )


def _message(title: str, facts: Mapping[str, str]) -> str:
    lines = (f"{name}: {' '.join(value.split())}" for name, value in facts.items())
    return "\n".join([title, "", *lines])


def _facts() -> dict[str, str]:
    """Return what is to be known of the model in `models/production`."""
    path = PRODUCTION / MODEL_FILE
    if not path.exists():
        refusal = _refusal("HEAD")
        if refusal is not None:
            raise DataError(f"{PRODUCTION}: holds no model: `select` promoted nothing: {refusal}")
        raise DataError(f"{path}: not found; run `dvc repro`, or `dvc pull` if it has been run")
    model = ModelFile.read(path)
    return {
        "Candidate": model.candidate,
        "Run": TrainingRecord.read(PRODUCTION / TRAINING_FILE).run,
        "Exact-match": str(model.after.exact_match),
        "F1": str(model.after.f1),
    }


def _refusal(commit: str) -> str | None:
    """Return why `select` put no candidate into production at a commit; None if it did."""
    for path in (SELECTION, LEADERBOARD):
        shown = _run("git", "show", f"{commit}:./{path}")
        if shown.returncode == 0:
            found = json.loads(shown.stdout)
            if not found.get("promoted", True):
                return str(found.get("reason") or "it gave no reason")
    return None


def _check_identity() -> None:
    for key, variable in (("user.name", "NAME"), ("user.email", "EMAIL")):
        known = os.environ.get(f"GIT_COMMITTER_{variable}")
        if not known and not _run("git", "config", key).stdout.strip():
            raise DataError(
                "git does not know who you are, and the registry records who did what; run\n"
                '  git config user.name "Your Name"\n  git config user.email you@example.org'
            )


def _check_committed() -> None:
    """Make sure that the commit holds what lies here.

    Raises:
        DataError: a tracked file has changes, or the model is not that of `dvc.lock`.
    """
    status = _run("git", "status", "--porcelain", "--untracked-files=no")
    if status.returncode:
        raise DataError(NO_REPOSITORY)
    if changed := [line[3:] for line in status.stdout.splitlines()]:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise DataError(
            f"{', '.join(changed[:3])}{more}: changed since the last commit, and a version is a "
            "commit; run `git commit --all` first"
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
            f"{', '.join(faults[:3])}: not as in {Path('dvc.lock')}; run `dvc repro` (or "
            "`dvc checkout`), commit, and register then"
        )


def _check_pushed() -> None:
    """Make sure that a remote, if there is one, has the model.

    Raises:
        DataError: it has not, or does not answer.
    """
    if not _dvc("remote", "list").stdout.strip():
        print(
            "note: no DVC remote is set up, so that no other machine can download this version; "
            "`dvc remote add --default NAME ADDRESS`, then `dvc push`",
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
    if missing:
        raise DataError(
            f"{PRODUCTION}: not in the DVC remote yet, where others would look for it; run "
            "`dvc push` first"
        )


def _dvc_status(*options: str, seconds: float | None = None) -> dict[str, Any]:
    result = _dvc("status", "--json", *options, "select", seconds=seconds)
    if result.returncode:
        raise DataError(f"dvc status: {_last_line(result.stderr)}")
    return dict(json.loads(result.stdout.strip().splitlines()[-1]))


def _dvc(*arguments: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    return _run(sys.executable, "-m", "dvc", *arguments, seconds=seconds)


def _run(*command: str, seconds: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, timeout=seconds
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
