"""Cells that do not see the project's cache: their results travel through a DVC remote."""

import subprocess
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.repositories import commit_all
from tests.support.scattered import STAGES, Scattered
from vestibular.scatter import remote

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Scattered:
    """A project with a remote, whose address is relative, as DVC writes it."""
    made = Scattered(tmp_path)
    (tmp_path / "store").mkdir()
    run(made.folder, "dvc", "remote", "add", "--quiet", "store", "../store")
    commit_all(made.folder, "Remote")
    return made


def store(project: Scattered) -> list[Path]:
    """What is left in the remote."""
    return [path for path in (project.folder.parent / "store").rglob("*") if path.is_file()]


def test_the_cells_need_not_see_the_cache(project: Scattered, tmp_path: Path) -> None:
    """It is elsewhere while they run; each stage runs once, so that cells have others' results."""
    project.scatter("--through", "store", "--dry-run")
    folder, cache = project.folder / ".vestibular/scatter", project.folder / ".dvc/cache"
    scripts = sorted(folder.glob("*/run.sh"), key=lambda path: "evaluate." in str(path))
    texts = [path.read_text(encoding="utf-8") for path in (folder / "machine.sh", *scripts)]
    assert f"remote={tmp_path}/store/scatter/" in texts[0]
    assert not any(str(cache) in text for text in texts)
    cache.rename(tmp_path / "elsewhere")
    for script in scripts:
        subprocess.run(["sh", str(script)], check=True, env=project.environment(), cwd=tmp_path)
    assert not cache.exists()
    (tmp_path / "elsewhere").rename(cache)
    project.scatter("--through", "store", "--collect")
    assert len(project.ran()) == STAGES
    assert project.result() == project.alone(tmp_path / "alone")
    assert (project.folder / "metrics/curves/gpt2-mini.tsv").read_text() == "step 1\n"
    assert store(project) == []
    assert not (folder / "remote").exists()


def test_what_the_remote_does_not_take_is_said_and_sent_again(
    project: Scattered, tmp_path: Path
) -> None:
    """By the same command; the other cells' results come home before, and nothing runs twice."""
    project.scatter("--through", "store", "--dry-run")
    (cell,) = (project.folder / ".vestibular/scatter").glob("evaluate_repeat.gpt2-mini*")
    (prefix,) = (tmp_path / "store/scatter").iterdir()
    # nothing can be written below a file
    (prefix / cell.name).write_text("")
    said = project.scatter("--through", "store", "--jobs", "2", status=2)
    assert "evaluate_repeat@gpt2-mini-seed-7: failed with status 2" in said
    assert f"    {prefix}: " in said
    assert "objects were not transferred: " in said
    assert "1 of 6 cells have no result: evaluate_repeat@gpt2-mini-seed-7." in said
    assert (project.folder / "models/repeats/gpt2-tiny-seed-7.txt").exists()
    (prefix / cell.name).unlink()
    project.scatter("--through", "store", "--jobs", "2")
    assert len(project.ran()) == STAGES
    assert project.result() == project.alone(tmp_path / "alone")
    assert store(project) == []


def test_a_folder_of_a_remote_is_addressed_by_the_name_of_that(
    project: Scattered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those in the cloud are: what it takes to reach one stands in DVC's configuration alone."""
    run(project.folder, "dvc", "repro", "--quiet", "prepare")
    monkeypatch.chdir(project.folder)
    remote.push_inputs(Path(), "remote://store/scatter/ab", ["prepare"])
    (sent,) = store(project)
    assert sent.is_relative_to(tmp_path / "store/scatter/ab/inputs/files/md5")
    assert sent.read_text() == "questions\n"
    remote.remove(Path(), "remote://store/scatter/ab")
    assert list((tmp_path / "store/scatter").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other", "--through other: config file error: remote 'other' doesn't exist"),
        ("page", "--through page: DVC keeps no run-cache behind HTTP; name another"),
    ],
)
def test_a_remote_that_cannot_do_it_is_refused(project: Scattered, name: str, message: str) -> None:
    """Before anything runs."""
    run(project.folder, "dvc", "remote", "add", "--quiet", "page", "http://127.0.0.1/store")
    assert project.scatter("--through", name, status=2).strip() == message
    assert project.ran() == []
