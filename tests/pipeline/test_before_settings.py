"""A project of one's own before it has settings: DVC reads it, and whoever runs it is told."""

import argparse
import csv
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT, run
from tests.support.repositories import git
from vestibular.commands.project_commands import run_upgrade
from vestibular.params.project import has_settings, load_params
from vestibular.scaffold.creation import create

DVC = (sys.executable, "-m", "dvc")
VESTIBULAR = (sys.executable, "-m", "vestibular")


@pytest.fixture
def exam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project, with questions and a base model in the folders that its README names."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = Ana\nemail = ana@example.org\n")
    for name, value in (("HOME", home), ("XDG_CONFIG_HOME", home), ("GIT_CONFIG_NOSYSTEM", "1")):
        monkeypatch.setenv(name, str(value))
    folder = tmp_path / "exam"
    create(folder, demo=False)
    (folder / "data/mine").mkdir(parents=True)
    with (folder / "data/mine/sorular.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("metin", "soru", "cevap", "baslik"))
        for number in range(12):
            text = f"Ev {number} Ankara'da durur."
            writer.writerow((text, f"Ev {number} nerede?", "Ankara", f"Ev {number}"))
    shutil.copytree(ROOT / "demo/bases/gpt2-tiny", folder / "models/bases/gpt2-tiny")
    monkeypatch.chdir(folder)
    return folder


def test_dvc_add_may_come_before_the_settings(exam: Path) -> None:
    """Then `vestibular init` writes them in place of what `new` has put there, unasked."""
    assert not has_settings()
    run(exam, *DVC, "add", "data/mine", "models/bases")
    assert (exam / "data/mine.dvc").exists()
    assert (exam / "models/bases.dvc").exists()
    run(exam, *DVC, "status")
    columns = ("--context-column", "metin", "--question-column", "soru")
    options = ("--source", "data/mine", "--language", "tr", *columns, "--answers-column", "cevap")
    run(exam, *VESTIBULAR, "init", *options, "--candidate", "models/bases/gpt2-tiny")
    assert not (exam / ".vestibular/params.yaml.replaced").exists()
    assert has_settings()
    assert load_params().data.train == "sorular.csv"
    # what DVC keeps is no longer git's, and nothing else has changed
    changed = {line[3:] for line in git(exam, "status", "--porcelain", "-uall").splitlines()}
    assert changed == {
        *("params.yaml", "data/mine.dvc", "data/.gitignore"),
        *("models/bases.dvc", "models/.gitignore"),
    }


def test_without_settings_each_command_says_what_to_type(exam: Path) -> None:
    """One line, status 2; an upgrade is none of them."""
    said = "params.yaml: contains no settings yet; `vestibular init` writes them\n"
    for command in ((*VESTIBULAR, "plan"), (sys.executable, "-m", "stages.prepare")):
        assert run(exam, *command, status=2).stderr == said
    (exam / "params.yaml").write_text("{}", encoding="utf-8")
    assert "seed: is missing" in run(exam, *VESTIBULAR, "plan", status=2).stderr


def test_an_upgrade_needs_no_settings(exam: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing has been run yet, and that is all that is said of them."""
    run_upgrade(argparse.Namespace())
    assert "Nothing has been run here yet." in capsys.readouterr().out


def test_settings_of_ones_own_are_left_as_they_are(tmp_path: Path, exam: Path) -> None:
    """A folder may have them before it becomes a project; the demo brings its own."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "params.yaml").write_text("seed: 1\n", encoding="utf-8")
    assert create(folder, demo=False).kept == ("params.yaml",)
    assert (folder / "params.yaml").read_text(encoding="utf-8") == "seed: 1\n"
