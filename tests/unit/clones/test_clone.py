"""A commit in a clone of its own: what it holds, what it shares, and that it goes."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clones import MadeOnce
from tests.support.commands import has_ended
from tests.support.patience import FOREVER
from tests.support.repositories import commit_all, git
from vestibular.clones.clone import make_clone, temporary_clone
from vestibular.core.errors import DataError
from vestibular.core.version_control import run_dvc

# DVC still asks pygtrie by an old name
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")


CONFIGURATION = """[core]
    analytics = false
['remote "inside"']
    url = ../kept
['remote "outside"']
    url = ../../store
"""
OWN_CONFIGURATION = """['remote "own"']
    url = ../../mine
"""


@pytest.fixture
def tiny(made_once: MadeOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a file that DVC keeps, and remotes inside and outside of the repository."""

    def make(project: Path) -> None:
        project.mkdir()
        commit_all(project, "Start")
        assert run_dvc("init", folder=project).returncode == 0
        (project / ".dvc/config").write_text(CONFIGURATION)
        (project / ".dvc/config.local").write_text(OWN_CONFIGURATION)
        (project / "text").write_text("one")
        (project / "kept").write_text("as DVC has it")
        assert run_dvc("add", "kept", folder=project).returncode == 0
        commit_all(project, "First")

    project = Path(shutil.copytree(made_once("tiny-to-clone", make), tmp_path / "project"))
    monkeypatch.chdir(project)
    return project


def test_a_clone_holds_one_commit_and_shares_the_cache(tiny: Path) -> None:
    """What has been edited since is not in it; what DVC keeps is had without a remote."""
    commit = git(tiny, "rev-parse", "HEAD").strip()
    Path("text").write_text("two")
    commit_all(tiny, "Second")
    clone = make_clone(commit, tiny / ".vestibular/clone")
    assert (clone.project / "text").read_text() == "one"
    assert clone.run_dvc("checkout").returncode == 0
    assert (clone.project / "kept").read_text() == "as DVC has it"
    # and the other way round
    (clone.project / "made").write_text("in the clone")
    assert clone.run_dvc("add", "made").returncode == 0
    written = (clone.project / "made.dvc").read_text().split("md5: ")[-1]
    digest = written.splitlines()[0]
    assert (tiny / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).exists()


def test_a_commit_without_a_branch_is_cloned(tiny: Path) -> None:
    """As those of DVC's experiments."""
    tree = git(tiny, "rev-parse", "HEAD^{tree}").strip()
    commit = git(tiny, "commit-tree", tree, "-m", "Loose").strip()
    assert (make_clone(commit, tiny / ".vestibular/clone").project / "text").exists()


def test_remotes_mean_what_they_mean_in_the_project(tiny: Path) -> None:
    """One inside the repository is the clone's own, one outside of it the project's."""
    clone = make_clone(git(tiny, "rev-parse", "HEAD").strip(), tiny / ".vestibular/clone")

    def address(name: str) -> Path:
        # as seen from DVC's configuration; its list of remotes cuts long lines
        own = clone.run_dvc("config", f"remote.{name}.url").stdout.strip()
        return (clone.project / ".dvc" / own).resolve()

    assert address("inside") == clone.project / "kept"
    assert address("outside") == tiny.parent / "store"
    assert address("own") == tiny.parent / "mine"


def test_the_clones_own_library_runs(tiny: Path) -> None:
    """Whatever is installed, and whatever workspace DVC says this is."""
    package = tiny / "src/vestibular"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("print('mine')")
    commit = commit_all(tiny, "Library")
    clone = make_clone(commit, tiny / ".vestibular/clone")
    environment = clone.environment()
    assert "DVC_ROOT" not in environment
    said = subprocess.run(
        ["python", "-c", "import vestibular"],
        cwd=clone.project,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "mine\n"


def test_a_project_below_the_repositorys_top(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clone's project is the same folder of it."""
    (in_folder / "exam").mkdir()
    commit_all(in_folder, "Start")
    monkeypatch.chdir(in_folder / "exam")
    assert run_dvc("init", "--subdir").returncode == 0
    commit = commit_all(in_folder, "Project")
    clone = make_clone(commit, in_folder / "clone")
    assert clone.project == in_folder / "clone/repository/exam"
    assert clone.run_dvc("status").returncode == 0


def test_a_shallow_clone_is_cloned(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its history is not needed."""
    git(tiny.parent, "clone", "--quiet", "--depth=1", f"file://{tiny}", "shallow")
    monkeypatch.chdir(tiny.parent / "shallow")
    commit = git(Path.cwd(), "rev-parse", "HEAD").strip()
    assert (make_clone(commit, Path("clone")).project / "text").exists()


def test_it_is_made_in_a_projects_top_folder(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nowhere else; what the commit lacks is named too."""
    before = git(tiny, "rev-parse", "HEAD~1").strip()
    with pytest.raises(DataError, match="holds no DVC project"):
        make_clone(before, tiny / "clone")
    (tiny / "below").mkdir()
    monkeypatch.chdir(tiny / "below")
    with pytest.raises(DataError, match="top folder"):
        make_clone(before, tiny / "other")


def test_a_temporary_clone_goes_and_takes_leftovers_along(tiny: Path) -> None:
    """Whatever ends the block; what a dead process has left goes with the next."""
    commit = git(tiny, "rev-parse", "HEAD").strip()
    folder = tiny / ".vestibular/clones"
    with pytest.raises(ZeroDivisionError), temporary_clone(commit) as clone:
        assert clone.project.is_relative_to(folder)
        raise ZeroDivisionError
    assert list(folder.iterdir()) == []
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = folder / f"{os.uname().nodename}-{ended.pid}-0123abcd"
    other = folder / f"elsewhere-{ended.pid}-0123abcd"
    left.mkdir()
    other.mkdir()
    with temporary_clone(commit):
        assert not left.exists()
    assert list(folder.iterdir()) == [other]


ASLEEP = """
import sys
from pathlib import Path
from vestibular.clones.clone import temporary_clone
with temporary_clone(sys.argv[1]) as clone:
    command = "sleep 600 & echo $! > ../sleeping; wait"
    with clone.running("sh", "-c", command, output=-3, errors=-3) as process:
        while not (clone.folder / "repository/../sleeping").exists():
            pass
        print((clone.folder / "sleeping").read_text(), flush=True)
        process.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_of_an_ended_process(tiny: Path, number: signal.Signals) -> None:
    """Neither the clone nor what runs in it."""
    commit = git(tiny, "rev-parse", "HEAD").strip()
    process = subprocess.Popen(
        [sys.executable, "-c", ASLEEP, commit], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    sleeping = int(process.stdout.readline())
    process.send_signal(number)
    process.communicate(timeout=FOREVER)
    assert process.returncode not in (0, None)
    assert list((tiny / ".vestibular/clones").iterdir()) == []
    assert has_ended(sleeping)
