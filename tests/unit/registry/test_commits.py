"""A result's commit."""

import hashlib
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.commands import run
from vestibular.core.errors import NoGitError, NoRepositoryError, ShallowHistoryError
from vestibular.registry.commits import commit_of


@pytest.fixture
def repository(in_folder: Path) -> Path:
    """A git repository with a page that nothing has recorded."""
    run(in_folder, "git", "init", "--quiet", "--initial-branch=main")
    for key, value in (("name", "Test"), ("email", "test@example.org")):
        run(in_folder, "git", "config", f"user.{key}", value)
    (in_folder / "metrics").mkdir()
    (in_folder / "metrics/report.html").write_text('<p id="commit">not in this copy</p>')
    record(in_folder, b"start")
    return in_folder


def record(repository: Path, content: bytes) -> str:
    """Commit a `dvc.lock` that names an output of this content; return the commit."""
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    (repository / "dvc.lock").write_text(f"outs:\n- path: metrics/report.html\n  md5: {digest}\n")
    run(repository, "git", "add", "dvc.lock")
    run(repository, "git", "commit", "--quiet", "--message=Run")
    return run(repository, "git", "rev-parse", "HEAD").stdout.strip()


def test_a_page_belongs_to_the_commit_that_recorded_it(repository: Path) -> None:
    """Found after later commits too; a page that was changed since belongs to none."""
    page = Path("metrics/report.html")
    content = page.read_bytes()
    record(repository, b"earlier")
    assert commit_of(page) is None
    commit = record(repository, content)
    assert commit_of(page) == commit
    run(repository, "git", "commit", "--quiet", "--allow-empty", "--message=Later")
    assert commit_of(page) == commit
    record(repository, b"later")
    assert commit_of(page) is None
    page.write_text("changed")
    assert commit_of(page) is None


def test_a_copy_names_the_commit(repository: Path) -> None:
    """`vestibular report --output` leaves the page itself as it is."""
    page = repository / "metrics/report.html"
    command = (sys.executable, "-m", "vestibular", "report", "--output", "copy.html")
    assert "not committed yet" in run(repository, *command).stdout
    assert (repository / "copy.html").read_text() == '<p id="commit">not committed</p>'
    commit = record(repository, page.read_bytes())
    said = run(repository, *command).stdout
    assert said == f"{(repository / 'copy.html').as_uri()}\ncommit {commit}\n"
    assert run(repository, *command[:-2]).stdout == f"{page.as_uri()}\ncommit {commit}\n"
    assert (repository / "copy.html").read_text() == f'<p id="commit">{commit}</p>'
    assert "not in this copy" in page.read_text()


def test_without_git_the_message_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback where git is missing."""
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(NoGitError, match="git: not found"):
        commit_of(Path("metrics/report.html"))


def test_outside_a_repository_there_is_no_commit(in_folder: Path) -> None:
    """It is told from a repository that does not know the page."""
    Path("page").touch()
    with pytest.raises(NoRepositoryError, match="not a git repository"):
        commit_of(Path("page"))


def shallow_clone(repository: Path, depth: int) -> Path:
    """Clone so much of the history, with the page as it lies here."""
    clone = repository.parent / f"{repository.name}-clone-{depth}"
    address = f"file://{repository}"
    run(repository, "git", "clone", "--quiet", f"--depth={depth}", address, str(clone))
    (clone / "metrics").mkdir()
    shutil.copy(repository / "metrics/report.html", clone / "metrics")
    return clone


def test_a_shallow_clone_names_no_commit_that_may_be_a_later_one(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its history ends every file looks new; what is fetched then tells the run's commit."""
    page = Path("metrics/report.html")
    commit = record(repository, page.read_bytes())
    run(repository, "git", "commit", "--quiet", "--allow-empty", "--message=Later")
    head = run(repository, "git", "rev-parse", "HEAD").stdout.strip()
    clone = shallow_clone(repository, 1)
    monkeypatch.chdir(clone)
    with pytest.raises(ShallowHistoryError, match="git fetch --unshallow") as unknown:
        commit_of(page)
    assert head[:7] not in str(unknown.value)
    said = run(clone, sys.executable, "-m", "vestibular", "report", "--output", "copy.html")
    assert "commit unknown" in said.stdout
    assert "git fetch --unshallow" in said.stdout
    for text in (said.stdout, said.stderr, (clone / "copy.html").read_text()):
        assert head not in text
    advice = str(unknown.value).partition("run: ")[2]
    run(clone, *advice.split())
    assert commit_of(page) == commit


def test_a_shallow_clone_names_a_commit_that_it_knows(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its parent, it is known to be the first; what was replaced belongs to none."""
    page = Path("metrics/report.html")
    record(repository, b"earlier")
    commit = record(repository, page.read_bytes())
    monkeypatch.chdir(shallow_clone(repository, 2))
    assert commit_of(page) == commit
    monkeypatch.chdir(repository)
    record(repository, b"later")
    monkeypatch.chdir(shallow_clone(repository, 1))
    assert commit_of(page) is None
