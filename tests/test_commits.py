"""A result's commit."""

import hashlib
import sys
from pathlib import Path

import pytest
from conftest import run

from vestibular.core.errors import DataError
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
    assert said == f"{page.as_uri()}\ncommit {commit}\n"
    assert (repository / "copy.html").read_text() == f'<p id="commit">{commit}</p>'
    assert "not in this copy" in page.read_text()


def test_without_git_the_message_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback where git is missing."""
    monkeypatch.setenv("PATH", str(repository))
    with pytest.raises(DataError, match="git: not found"):
        commit_of(Path("metrics/report.html"))


def test_outside_a_repository_git_is_quoted(in_folder: Path) -> None:
    """What git says of it is the message."""
    Path("page").touch()
    with pytest.raises(DataError, match="not a git repository"):
        commit_of(Path("page"))
