"""Cells as processes on this machine: the pipeline's result, and what may go wrong on the way."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.patience import FOREVER
from tests.support.repositories import git
from tests.support.scattered import STAGES, Scattered, send

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Scattered:
    """A project that has never been run."""
    return Scattered(tmp_path)


def cells(project: Scattered) -> list[str]:
    """Names of the cells whose folders are there."""
    folder = project.folder / ".vestibular/scatter"
    return sorted(path.parent.name.rpartition("-")[0] for path in folder.glob("*/run.sh"))


def test_the_result_is_that_of_one_stage_after_the_other(
    project: Scattered, tmp_path: Path
) -> None:
    """Each cell runs once, in a clone of its own; of all that, only what was measured is left."""
    head = git(project.folder, "rev-parse", "HEAD")
    project.scatter("--jobs", "2")
    assert sorted(project.ran()) == sorted(set(project.ran()))
    assert len(project.ran()) == STAGES
    # a base's exam, a candidate's own training and exam, and a repeat's: for each of two
    assert len(project.places()) == 6
    assert str(project.folder) not in project.places()
    assert project.result() == project.alone(tmp_path / "alone")
    work = project.folder / ".vestibular"
    assert cells(project) == []
    assert len(list((work / "costs").glob("*.json"))) == STAGES
    assert len(list((work / "spool").glob("*/*.jsonl"))) == STAGES
    assert git(project.folder, "for-each-ref", "refs/vestibular") == ""
    assert git(project.folder, "rev-parse", "HEAD") == head
    assert git(project.folder, "stash", "list") == ""
    assert run(project.folder, "dvc", "status").stdout.startswith("Data and pipelines are up to")
    project.scatter("--jobs", "2")
    assert len(project.ran()) == STAGES


def test_a_cell_that_fails_is_shown_and_runs_again_alone(
    project: Scattered, tmp_path: Path
) -> None:
    """The others go on, and their results are here before the command ends."""
    failing = project.fail("evaluate_repeat@gpt2-mini-seed-7")
    said = project.scatter("--jobs", "4", status=2)
    assert "evaluate_repeat@gpt2-mini-seed-7: failed with status" in said
    assert "    no luck with gpt2-mini-seed-7" in said
    assert "1 of 6 cells have no result: evaluate_repeat@gpt2-mini-seed-7." in said
    assert (project.folder / "metrics/predictions/gpt2-mini.txt").exists()
    assert (project.folder / "models/repeats/gpt2-mini-seed-7.txt").exists()
    assert cells(project) == ["evaluate_repeat.gpt2-mini-seed-7"]
    assert not (project.folder / "metrics/all.txt").exists()
    failing.unlink()
    before = len(project.ran())
    project.scatter("--jobs", "4")
    assert project.ran()[before:] == ["evaluate_repeat@gpt2-mini-seed-7"]
    assert cells(project) == []
    assert project.result() == project.alone(tmp_path / "alone")


def test_ctrl_c_ends_the_jobs_and_loses_nothing_finished(
    project: Scattered, tmp_path: Path
) -> None:
    """The same command goes on from there."""
    held = project.hold("train@gpt2-tiny")
    command = project.start("--jobs", "4")
    project.wait_for("train@gpt2-tiny")
    project.wait_for("evaluate_repeat@gpt2-mini-seed-7")
    said = send(command, signal.SIGINT)
    assert command.returncode == 130, said
    folder = str(project.folder / ".vestibular/scatter")
    assert subprocess.run(["pgrep", "-f", folder], check=False).returncode == 1
    held.unlink()
    before = project.ran()
    project.scatter("--jobs", "4")
    assert project.ran()[len(before) :].count("train@gpt2-tiny") == 1
    assert project.ran().count("evaluate_base@gpt2-tiny") == 1
    assert project.result() == project.alone(tmp_path / "alone")


def test_jobs_outlive_a_command_that_is_killed(project: Scattered, tmp_path: Path) -> None:
    """The same command follows them by their numbers; a killed cell it runs again."""
    held = project.hold("train@gpt2-tiny")
    killed = project.hold("train_repeat@gpt2-tiny-seed-7")
    command = project.start("--jobs", "4")
    project.wait_for("train@gpt2-tiny")
    project.wait_for("train_repeat@gpt2-tiny-seed-7")
    send(command, signal.SIGKILL)
    (folder,) = (project.folder / ".vestibular/scatter").glob("evaluate_repeat.gpt2-tiny*")
    number = (folder / "job").read_text().split()[1].partition("/")[0]
    os.killpg(int(number), signal.SIGKILL)
    killed.unlink()
    project.follow("evaluate@gpt2-tiny", held, "--jobs", "4")
    assert project.ran().count("train@gpt2-tiny") == 1
    assert project.ran().count("train_repeat@gpt2-tiny-seed-7") == 2
    assert project.result() == project.alone(tmp_path / "alone")


def test_it_goes_on_in_the_background_and_is_looked_in_on(project: Scattered) -> None:
    """The same command, without the option, tells all from the beginning and waits for the end."""
    held = project.hold("train@gpt2-tiny")
    said = project.scatter("--jobs", "4", "--detach")
    assert "Running in the background as process" in said
    project.wait_for("train@gpt2-tiny")
    command = project.start("--jobs", "4")
    time.sleep(2)
    assert command.poll() is None
    held.unlink()
    said, _ = command.communicate(timeout=FOREVER)
    assert "evaluate@gpt2-tiny: done" in said
    assert len(project.ran()) == STAGES
    assert project.result()


def test_changes_travel_without_a_commit_and_an_untracked_file_is_refused(
    project: Scattered,
) -> None:
    """By its name: a clone would not have it, and DVC would miss it in the result's key."""
    settings = project.folder / "params.yaml"
    text = settings.read_text(encoding="utf-8")
    # of another length: git misses an edit in the second of the commit once dulwich, by which DVC
    # stages dvc.lock, has written the index, unless the file's size changes
    settings.write_text(text.replace("learning_rate: 1e-2", "learning_rate: 0.03"))
    new = project.folder / "stages/new.sh"
    new.write_text("echo new\n")
    said = project.scatter(status=2)
    assert "stages/new.sh: read by a stage but not tracked by git" in said
    assert project.ran() == []
    git(project.folder, "add", "stages/new.sh")
    project.scatter("--jobs", "4")
    # two exams of bases; two adapters, exams and what these read of the bases; of two repeats the
    # adapters and exams
    assert project.result().count("0.03") == 2 + 2 * 3 + 2 * 2
    changed = git(project.folder, "status", "--porcelain")
    assert " M params.yaml" in changed
    assert "A  stages/new.sh" in changed


def test_whoever_has_another_engine_runs_the_scripts(project: Scattered, tmp_path: Path) -> None:
    """And gathers what they have made; a disk that fills up in one clone costs that cell alone."""
    said = project.scatter("--dry-run")
    folder = project.folder / ".vestibular/scatter"
    assert len(cells(project)) == 6
    assert "6 cells" in said
    scripts = sorted(folder.glob("*/run.sh"), key=lambda path: "evaluate." in str(path))
    full = next(path for path in scripts if "seed-7" in str(path))
    for script in scripts:
        if script == full:
            on_a_small_disk(script)
            continue
        variables = project.environment()
        subprocess.run(["sh", str(script)], check=True, env=variables, cwd=tmp_path)
    said = project.scatter("--collect", status=2)
    # what the others made is here before it is counted
    assert "1 of 1 cells have no result: evaluate_repeat@gpt2-mini-seed-7" in said
    subprocess.run(["sh", str(full)], check=True, env=project.environment(), cwd=tmp_path)
    project.scatter("--collect")
    assert len(project.ran()) == STAGES
    assert project.result() == project.alone(tmp_path / "alone")


def on_a_small_disk(script: Path) -> None:
    """Run a script with a limit on the size of files that is too small for it."""
    done = subprocess.run(
        ["sh", "-c", f"ulimit -f 1; exec sh {script}"], check=False, capture_output=True
    )
    assert done.returncode != 0


def test_a_variant_becomes_an_experiment(project: Scattered) -> None:
    """As `dvc exp run` would have made it; the project's own files stay as they are."""
    project.scatter("--jobs", "4")
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "--quiet", "--message=Run")
    own = project.result()
    before = len(project.ran())
    project.scatter("--jobs", "4", "--exp", "fast", "-S", "train.learning_rate=0.5")
    ran = project.ran()[before:]
    assert sorted(ran) == sorted(
        f"{stage}@{name}"
        for stage, names in {
            "train": ("gpt2-mini", "gpt2-tiny"),
            "evaluate": ("gpt2-mini", "gpt2-tiny"),
            "train_repeat": ("gpt2-mini-seed-7", "gpt2-tiny-seed-7"),
            "evaluate_repeat": ("gpt2-mini-seed-7", "gpt2-tiny-seed-7"),
        }.items()
        for name in names
    )
    assert git(project.folder, "status", "--porcelain") == ""
    assert project.result() == own
    assert "fast" in run(project.folder, "dvc", "exp", "list", "--name-only").stdout
    run(project.folder, "dvc", "exp", "apply", "fast")
    assert project.result().count("learning_rate: 0.5") == 8
    shutil.rmtree(project.folder / ".vestibular")
