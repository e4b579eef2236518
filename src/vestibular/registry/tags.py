"""The registry's events, read from and written to git tags.

GTO defines the names of the tags (`qa-model@v0.1.0`, `qa-model#production#1`). Its own reader
allows one version per commit and refuses the whole registry if two clones have registered the same
commit, so the tags are read here one by one.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vestibular.core.errors import DataError, GitError, NoGitError, NoRepositoryError
from vestibular.core.version_control import (
    check_repository,
    folder_in_repository,
    last_line,
    run_git,
)

if TYPE_CHECKING:
    from scmrepo.git import Git

NO_REPOSITORY = "not a git repository, but the registry is stored in git tags"
VERSION_FACT = "Version"
"""Line of a stage's tag that names the version: the commit alone may have several."""


@dataclass(frozen=True)
class Event:
    """A tag: a version was registered, promoted or restored."""

    action: str
    """`register`, `promote`, `rollback` or, by GTO's own command, `unassign`."""
    version: str
    """Version such as `v0.1.0`; the commit, if that has no version but was assigned to a stage."""
    when: datetime
    who: str
    commit: str
    facts: Mapping[str, str]
    """Content of the tag's message, by name."""
    tag: str
    stage: str | None = None
    number: int = 0
    """Number in the order of a stage's tags; their times are only in whole seconds."""


@dataclass(frozen=True)
class Version:
    """A registered version and its current stages."""

    event: Event
    stages: list[str] = field(default_factory=list)


def read_events(artifact: str) -> list[Event]:
    """Return all events of an artifact, the oldest first.

    Raises:
        NoRepositoryError: there is no git repository here.
        GitError: git does not open it.
    """
    from gto.tag import find, parse_name

    with repository() as scm:
        tags = find(name=artifact, scm=scm)
    events = sorted(
        filter(None, (_event(tag, parse_name(tag.name)) for tag in tags)),
        key=lambda event: (event.when, event.number),
    )
    return _with_versions(events)


@contextlib.contextmanager
def repository() -> Iterator["Git"]:
    """Open the git repository here.

    Raises:
        NoRepositoryError: there is none.
        GitError: git does not open it.
    """
    from scmrepo.exceptions import SCMError
    from scmrepo.git import Git

    try:
        # reading tags does not require the git program
        with contextlib.suppress(NoGitError):
            check_repository()
        scm = Git(".")
    except (SCMError, NoRepositoryError):
        raise NoRepositoryError(NO_REPOSITORY) from None
    try:
        yield scm
    finally:
        scm.close()


def _event(tag: Any, name: Mapping[str, Any]) -> Event | None:
    """Return a tag's event; None if it is of another kind."""
    from gto.constants import Action

    kinds = {Action.REGISTER: "register", Action.ASSIGN: "promote", Action.UNASSIGN: "unassign"}
    # `@created` has no action
    if name.get("action") not in kinds:
        return None
    kind = kinds[name["action"]]
    lines = [line.partition(": ") for line in tag.message.splitlines()]
    facts = {key: value for key, found, value in lines if found}
    return Event(
        action=facts.pop("Action", kind) if kind == "promote" else kind,
        version=name.get("version") or facts.get(VERSION_FACT, ""),
        when=tag.tag_datetime,
        who=f"{tag.tagger_name} <{tag.tagger_email}>",
        commit=tag.target,
        facts=facts,
        tag=tag.name,
        stage=name.get("stage"),
        # `gto assign --simple true` gives no number
        number=name.get("counter", 0),
    )


def _with_versions(events: Sequence[Event]) -> list[Event]:
    """Determine each stage tag's version where its message does not state it.

    If the commit has several versions, it is the newest one registered by then, as in GTO; one that
    leaves a stage is the one that the stage holds.
    """
    registered = [event for event in events if event.action == "register"]
    found: list[Event] = []
    for event in events:
        if event.version:
            found.append(event)
            continue
        there = [each for each in registered if each.commit == event.commit]
        earlier = [each for each in there if each.when <= event.when] or there[:1]
        version = earlier[-1].version if earlier else event.commit
        held = versions_held(event.stage or "", found)[-1:]
        if event.action == "unassign" and {*held} & {each.version for each in there}:
            version = held[0]
        found.append(replace(event, version=version))
    return found


def versions_in(events: Sequence[Event]) -> list[Version]:
    """Return the versions in a history, the oldest first, each with its stages."""
    from gto.versions import SemVer

    named = dict.fromkeys(event.stage for event in events if event.stage)
    stages = {stage: versions_held(stage, events)[-1:] for stage in named}
    return [
        Version(event, [stage for stage, held in stages.items() if event.version in held])
        for event in sorted(
            (event for event in events if event.action == "register"),
            key=lambda event: SemVer(event.version),
        )
    ]


def doubled(versions: Iterable[Version]) -> list[list[Version]]:
    """Return groups of versions that share a commit and thus are the same model."""
    groups: dict[str, list[Version]] = {}
    for version in versions:
        groups.setdefault(version.event.commit, []).append(version)
    return [group for group in groups.values() if len(group) > 1]


def versions_held(stage: str, events: Iterable[Event]) -> list[str]:
    """Return the versions that a stage has held, the current one last.

    A rollback removes the last one; so does GTO's `deprecate`, after which the previous one is in
    the stage again.
    """
    held: list[str] = []
    for event in events:
        if event.stage == stage and event.action == "unassign":
            held = [version for version in held if version != event.version]
        elif event.stage == stage:
            # the history may be incomplete if tags were deleted or not fetched
            if event.action == "rollback" and held:
                held.pop()
            if held[-1:] != [event.version]:
                held.append(event.version)
    return held


def full_name(artifact: str) -> str:
    """Return an artifact's full name as in GTO, prefixed with the project's folder.

    Raises:
        GitError: git does not open the repository.
    """
    from gto.constants import SEPARATOR_IN_NAME

    with contextlib.suppress(NoGitError):
        if folder := folder_in_repository():
            return f"{folder}{SEPARATOR_IN_NAME}{artifact}"
    return artifact


def version_tag(artifact: str, version: str) -> str:
    """Return the name of a version's tag."""
    from gto.constants import Action
    from gto.tag import name_tag

    return str(name_tag(Action.REGISTER, artifact, version=version, simple=True))


def stage_tag(artifact: str, stage: str) -> str:
    """Return the name of a stage's next tag.

    Raises:
        DataError: it is not a valid stage name, or not one of those in the file `.gto`.
    """
    from gto.config import CONFIG_FILE_NAME, read_registry_config
    from gto.constants import Action
    from gto.exceptions import GTOException
    from gto.tag import name_tag

    with repository() as scm:
        try:
            read_registry_config(f"{scm.root_dir}/{CONFIG_FILE_NAME}").assert_stage(stage)
        except GTOException as error:
            raise DataError(f"{artifact}: {stage}: {error}") from None
        return str(name_tag(Action.ASSIGN, artifact, stage=stage, scm=scm))


def write_tag(name: str, commit: str, title: str, facts: Mapping[str, str]) -> None:
    """Create a tag whose message contains facts, one line each.

    Raises:
        GitError: git does not create it.
    """
    lines = (f"{key}: {' '.join(value.split())}" for key, value in facts.items())
    message = "\n".join([title, "", *lines])
    done = run_git(
        "tag", "--annotate", "--cleanup=whitespace", f"--message={message}", name, commit
    )
    if done.returncode:
        raise GitError(f"git: {name}: {last_line(done.stderr)}")
