"""The project as the cells see it: a commit that no branch has, gone once they are collected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vestibular.core.base_models import PinnedBase
from vestibular.core.paths import PINS
from vestibular.core.version_control import folder_in_repository, head_commit, last_line, run_git
from vestibular.scatter.errors import ScatterError
from vestibular.scatter.pipeline import Progress

REFS = "refs/vestibular/scatter"
"""Below it git keeps the commits that cells run."""
LOCK = "dvc.lock"
SHOWN = 5
"""Files that a message names."""


@dataclass(frozen=True)
class Snapshot:
    """What a cell's clone is made of."""

    commit: str
    """Its full hash."""
    repository: Path
    """Git's own folder."""
    ref: str
    """Name of the commit; its first parent is the project's."""
    prefix: str
    """The project's folder within the repository; empty at its top."""
    linked: tuple[str, ...]
    """Folders of base models that git does not hold; their pins hold the hash of their content."""


def take(project: Path, progress: Progress) -> Snapshot:
    """Commit the project's tracked files as they are, aside of every branch and of the index.

    Of `dvc.lock` the stages that have to run are left out, so that a clone looks them up in the
    run-cache.

    Args:
        project: its top folder.
        progress: what has to run.

    Raises:
        ScatterError: something that has to run reads a file that git does not hold.
        GitError: git does not open the repository, or has no commit yet.
    """
    import pygit2

    refuse_untracked(progress)
    head = head_commit_of(project)
    # of what is tracked only, and without touching anything
    stashed = run_git("stash", "create", folder=project)
    if stashed.returncode:
        raise ScatterError(f"git stash create: {last_line(stashed.stderr)}; solve that first")
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
    """Return the commit that the project stands at.

    Raises:
        ScatterError: there is none yet.
    """
    if project == Path():
        return head_commit()
    done = run_git("rev-parse", "--verify", "HEAD^{commit}", folder=project)
    if done.returncode:
        raise ScatterError(f"{project}: git: {last_line(done.stderr)}")
    return done.stdout.strip()


def refuse_untracked(progress: Progress) -> None:
    """Make sure that git holds all that is read and that no stage makes.

    Raises:
        ScatterError: there are other files, which a clone would not have.
    """
    loose = progress.loose
    if loose:
        more = f" and {len(loose) - SHOWN} more" if len(loose) > SHOWN else ""
        raise ScatterError(
            f"{', '.join(loose[:SHOWN])}{more}: a stage reads it, and a cell's clone would not "
            "have it, since git does not hold it; `git add` it (no commit is needed), or remove it"
        )


def remove_refs(project: Path, kept: Iterable[str]) -> None:
    """Remove the commits that cells have run, but for those that are `kept`."""
    listed = run_git("for-each-ref", "--format=%(refname)", REFS, folder=project)
    for ref in set(listed.stdout.split()) - set(kept):
        run_git("update-ref", "-d", ref, folder=project)


def _without(lock: str, progress: Progress) -> str:
    # DVC's own reader and writer: a hash of digits and one `e` is a number to others
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
