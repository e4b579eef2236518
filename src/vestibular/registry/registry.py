"""The registry: versions of the chosen model and their stages, stored as git tags.

The tags are GTO's (`qa-model@v0.1.0`, `qa-model#production#1`), the files are those that DVC tracks
at the tagged commit. A tag's message contains what its name does not: the candidate, its scores,
the reason. Author and time are the tag's own.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from vestibular.core.errors import DataError
from vestibular.core.version_control import head_commit
from vestibular.registry.checks import (
    check_committed,
    check_identity,
    check_pushed,
    check_whole_history,
    facts_of_model,
    refusal_at,
)
from vestibular.registry.tags import (
    VERSION_FACT,
    Event,
    Version,
    full_name,
    read_events,
    stage_tag,
    version_tag,
    versions_held,
    versions_in,
    write_tag,
)

FIRST_VERSION = "v0.1.0"
Bump = Literal["major", "minor", "patch"]


class Registry:
    """The versions of the current project's model in its git repository."""

    def __init__(self, artifact: str) -> None:
        self.artifact = full_name(artifact)
        """Full name; if the project is a folder of a repository, prefixed with that folder."""

    def register(self, bump: Bump) -> Version:
        """Register the model of the current commit as a version.

        Raises:
            DataError: the commit does not contain the current model, the model's files are not
                available to others, or the commit has a version already.
            GitError: git does not open the repository, or does not know the registered versions.
        """
        from gto.versions import SemVer

        known = self.versions()
        check_identity()
        check_whole_history()
        check_committed()
        facts = facts_of_model()
        check_pushed()
        commit = head_commit()
        if same := [each.event.version for each in known if each.event.commit == commit]:
            raise DataError(
                f"{self.artifact}: this commit is already registered as {' and '.join(same)}; a "
                "commit has only one version. See `vestibular registry list`"
            )
        name = FIRST_VERSION
        if known:
            name = SemVer(known[-1].event.version).bump(**{f"bump_{bump}": True}).version
        title = f"Register {facts['Candidate']} as {self.artifact}"
        write_tag(version_tag(self.artifact, name), commit, title, facts)
        return self.find(name)

    def promote(self, version: str, stage: str, reason: str | None, force: bool) -> Event:
        """Assign a version to a stage; the previous one stays in the history.

        Raises:
            DataError: there is no such version, it is in the stage already, or `select` refused it
                and `force` is not given, or is given without a reason.
        """
        found = self.find(version)
        check_identity()
        check_whole_history()
        if stage in found.stages:
            raise DataError(f"{self.artifact}: {version} is already in {stage}")
        refusal = refusal_at(found.event.commit)
        if refusal is not None and not force:
            raise DataError(
                f"{self.artifact}: {version}: `select` promoted nothing at this commit: "
                f"{refusal}. To promote it anyway: --force --reason WHY"
            )
        if refusal is not None and not reason:
            raise DataError("--force: give a reason with --reason; it is kept in the history")
        facts = dict(found.event.facts)
        facts["Reason"] = reason or "chosen by `select`"
        if refusal is not None:
            facts["Against-selection"] = refusal
        return self._assign("promote", found, stage, facts)

    def rollback(self, stage: str, reason: str | None) -> Event:
        """Restore the version that was in a stage before the current one.

        Raises:
            DataError: there was none before.
        """
        held = self._held(stage)
        check_identity()
        check_whole_history()
        if len(held) < 2:
            raise DataError(f"{self.artifact}: {self._nothing_before(stage, held)}")
        found = self.find(held[-2])
        facts = {**found.event.facts, "Reason": reason or f"rollback of {held[-1]}"}
        return self._assign("rollback", found, stage, facts)

    def versions(self) -> list[Version]:
        """Return all versions, the oldest first, each with its stages."""
        return versions_in(self.history())

    def find(self, version: str) -> Version:
        """Return a version by name.

        Raises:
            DataError: there is none of that name.
        """
        versions = {found.event.version: found for found in self.versions()}
        if version not in versions:
            known = ", ".join(versions) or "none yet; `vestibular registry register` creates one"
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
                f"{self.artifact}: no version is in {stage}; `vestibular registry promote` "
                "assigns one, `git fetch --tags` gets those assigned by others"
            )
        return self.find(held[-1])

    def history(self) -> list[Event]:
        """Return all events, the oldest first.

        Raises:
            GitError: there is no git repository here, or git does not open it.
        """
        return read_events(self.artifact)

    def _held(self, stage: str) -> list[str]:
        return versions_held(stage, self.history())

    def _nothing_before(self, stage: str, held: Sequence[str]) -> str:
        """Say why there is no version to return to, and what to do."""
        if not held:
            return f"no version is in {stage}; nothing to roll back"
        now = held[-1]
        left = [each.version for each in self.history() if each.stage == stage]
        back = [name for name in dict.fromkeys(left) if name != now]
        gone = f" ({', '.join(back)} came after it and were rolled back)" if back else ""
        return (
            f"{now} is in {stage}, and none was before it{gone}; nothing to roll back to. "
            "`vestibular registry promote VERSION` assigns another version"
        )

    def _assign(self, action: str, version: Version, stage: str, facts: Mapping[str, str]) -> Event:
        name = version.event.version
        held = self._held(stage)
        said = {
            **facts,
            VERSION_FACT: name,
            "Action": action,
            **({"Replaces": held[-1]} if held else {}),
        }
        words = {"promote": f"Promote {self.artifact} {name} to {stage}"}
        title = words.get(action, f"Put {self.artifact} {name} back into {stage}")
        tag = stage_tag(self.artifact, stage)
        write_tag(tag, version.event.commit, title, said)
        return next(event for event in self.history() if event.tag == tag)
