"""The project's state that cells run: a commit on no branch, removed after collection."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vestibular.core.base_models import PinnedBase
from vestibular.core.paths import PINS
from vestibular.core.version_control import folder_in_repository, head_commit, last_line, run_git
from vestibular.scatter.errors import ScatterError
from vestibular.scatter.pipeline import Progress

REFS = "refs/vestibular/scatter"
"""Prefix of the git references to the commits that cells run."""
LOCK = "dvc.lock"
SHOWN = 5
"""Largest number of files named in a message."""


@dataclass(frozen=True)
class Snapshot:
    """The state of the project that a cell clones."""

    commit: str
    """Full hash of the commit."""
    repository: Path
    """Git's own folder of the repository."""
    ref: str
    """Reference to the commit; its first parent is the project's commit."""
    prefix: str
    """The project's folder within the repository; empty at its top."""
    linked: tuple[str, ...]
    """Base model folders that git does not track; their pins hold the hash of their content."""


def take(project: Path, progress: Progress) -> Snapshot:
    """Commit the project's tracked files as they are, without touching any branch or the index.

    The commit's `dvc.lock` lacks the stages that have to run, so that DVC in a clone looks them up
    in the run-cache.

    Args:
        project: the project's top folder.
        progress: the state of the pipeline.

    Raises:
        ScatterError: a stage that has to run reads a file that git does not track.
        GitError: git does not open the repository, or has no commit yet.
    """
    import pygit2

    refuse_untracked(progress)
    head = head_commit_of(project)
    # takes tracked files only, and changes nothing
    stashed = run_git("stash", "create", folder=project)
    if stashed.returncode:
        raise ScatterError(f"git stash create: {last_line(stashed.stderr)}; fix this first")
    repository = pygit2.Repository(str(project))
    base = repository[stashed.stdout.strip() or head].peel(pygit2.Commit)
    prefix = folder_in_repository(project)
    index = pygit2.Index()
    index.read_tree(base.tree)
    if (project / LOCK).exists():
        lock = (project / LOCK).read_text(encoding="utf-8")
        blob = repository.create_blob(_without(lock, progress).encode())
        name = f"{prefix}/{LOCK}" if prefix else LOCK
        index.add(pygit2.IndexEntry(name, blob, pygit2.enums.FileMode.BLOB))
    tree = index.write_tree(repository)
    author = pygit2.Signature("vestibular scatter", "scatter@localhost", 0)
    said = "What cells run; `vestibular scatter` removes it\n"
    commit = str(repository.create_commit(None, author, author, said, tree, [head]))
    ref = f"{REFS}/{commit[:12]}"
    repository.references.create(ref, commit, force=True)
    asked = run_git("rev-parse", "--path-format=absolute", "--git-common-dir", folder=project)
    folder = Path(asked.stdout.strip())
    return Snapshot(commit, folder, ref, prefix, tuple(_untracked_bases(project)))


def head_commit_of(project: Path) -> str:
    """Return the project's current commit.

    Raises:
        ScatterError: there is no commit yet.
    """
    if project == Path():
        return head_commit()
    done = run_git("rev-parse", "--verify", "HEAD^{commit}", folder=project)
    if done.returncode:
        raise ScatterError(f"{project}: git: {last_line(done.stderr)}")
    return done.stdout.strip()


def refuse_untracked(progress: Progress) -> None:
    """Check that git tracks every file that is read and that no stage writes.

    Raises:
        ScatterError: git does not track some of them, so that a clone would lack them.
    """
    loose = progress.loose
    if loose:
        more = f" and {len(loose) - SHOWN} more" if len(loose) > SHOWN else ""
        raise ScatterError(
            f"{', '.join(loose[:SHOWN])}{more}: read by a stage but not tracked by git, so that a "
            "cell's clone would lack it; `git add` it (no commit is needed), or remove it"
        )


def remove_refs(project: Path, kept: Iterable[str]) -> None:
    """Remove the commits that cells have run, except those that are `kept`."""
    listed = run_git("for-each-ref", "--format=%(refname)", REFS, folder=project)
    for ref in set(listed.stdout.split()) - set(kept):
        run_git("update-ref", "-d", ref, folder=project)


def _without(lock: str, progress: Progress) -> str:
    # DVC's own reader and writer: others read a hash of digits and one `e` as a number
    from dvc.utils.serialize import dumps_yaml, parse_yaml

    content = parse_yaml(lock, LOCK)
    gone = {stage.name for stage in progress.unfinished}
    stages = content.get("stages") or {}
    content["stages"] = {name: value for name, value in stages.items() if name not in gone}
    return str(dumps_yaml(content))


def _untracked_bases(project: Path) -> Sequence[str]:
    found = []
    for path in sorted((project / PINS).glob("*.json")):
        pin = PinnedBase.read(path).pin
        if pin.sha256 is None:
            continue
        held = run_git("ls-files", "-z", "--", pin.base_model, folder=project).stdout
        if not held:
            found.append(pin.base_model)
    return found
