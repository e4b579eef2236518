"""A project in a repository of its user's own, with the library from a wheel, by real commands."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.clones import MadeOnce
from tests.support.commands import RUN_SECONDS
from tests.support.repositories import commit_all, git
from tests.support.settings import change
from vestibular.scaffold.contents import DESCRIPTION

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own_project")]

COMMENT = {
    "first": None,
    "report": "src/vestibular/report/page.py",
    "training": "src/vestibular/training/schedule.py",
}
"""Wheels by what one has changed of the first: a comment more in a module."""
PACKED = (
    *("src", "stages", "demo/data", "demo/bases"),
    *(".dvc/plots", "metrics/repeats"),
)
FILES = (*DESCRIPTION, "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", ".dvc/.gitignore")
OTHERS = ("gpt2-mini", "opt-tiny")
"""Candidates of the demo that are left out here, for time."""
ALL = {f"{do}@gpt2-tiny" for do in ("evaluate_base", "train", "evaluate")}
RUNNING = re.compile(r"^Running stage '(.+)':$", re.MULTILINE)


@pytest.fixture(scope="session")
def wheels(made_once: MadeOnce, cloned_once: Path) -> dict[str, Path]:
    """Wheels of the clone with few questions."""

    def make(folder: Path) -> None:
        for name, changed in COMMENT.items():
            tree = folder / name / "tree"
            copy_sources(cloned_once, tree)
            if changed is not None:
                with (tree / changed).open("a", encoding="utf-8") as file:
                    file.write("# a comment\n")
            build(tree, folder / name)

    folder = made_once("wheels", make)
    return {name: next((folder / name).glob("*.whl")) for name in COMMENT}


def copy_sources(clone: Path, tree: Path) -> None:
    for name in PACKED:
        shutil.copytree(clone / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*FILES, ".dvc/config"):
        shutil.copy2(clone / name, tree / name)


def build(tree: Path, target: Path) -> Path:
    """Build a wheel as `make dist` does, by the packages that are installed."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(target)]
    subprocess.run([*command, *options, str(tree)], check=True, timeout=RUN_SECONDS)
    (wheel,) = target.glob("*.whl")
    return wheel


class Machine:
    """A virtual environment with a wheel, which shares everything else with that of the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        venv.create(folder, symlinks=True)
        self.bin = folder / "bin"
        paths = {"base": str(folder), "platbase": str(folder)}
        packages = Path(sysconfig.get_path("purelib", vars=paths))
        here = Path(sys.prefix)
        shared = [path for path in sys.path if Path(path).is_relative_to(here) and "site" in path]
        (packages / "shared.pth").write_text("\n".join(shared) + "\n")

    def install(self, wheel: Path) -> None:
        command = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install"]
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
        subprocess.run([*command, *options, "--force-reinstall", str(wheel)], check=True)

    def run(self, folder: Path, *command: str, status: int = 0) -> str:
        """Run a command as a user would; return what it printed, errors included."""
        names = {"PYTHONPATH", "VIRTUAL_ENV"}
        kept = {name: value for name, value in os.environ.items() if name not in names}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command,
            cwd=folder,
            env={**kept, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def dvc(self, folder: Path, *arguments: str) -> str:
        return self.run(folder, "python", "-m", "dvc", *arguments)

    def changed(self, folder: Path) -> set[str]:
        """The stages that DVC would run."""
        return set(json.loads(self.dvc(folder, "status", "--json").strip().splitlines()[-1]))


@pytest.fixture
def machine(tmp_path: Path, wheels: dict[str, Path]) -> Machine:
    """A machine on which the first wheel is installed."""
    made = Machine(tmp_path / "venv")
    made.install(wheels["first"])
    return made


@pytest.fixture(autouse=True)
def _identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = Ana\nemail = ana@example.org\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(scope="session")
def exam_once(
    made_once: MadeOnce, wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project that was made by the wheel alone in an empty folder, and run."""

    def make(folder: Path) -> None:
        first = Machine(tmp_path_factory.mktemp("machine"))
        first.install(wheels["first"])
        folder.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            for role in ("AUTHOR", "COMMITTER"):
                patch.setenv(f"GIT_{role}_NAME", "Ana")
                patch.setenv(f"GIT_{role}_EMAIL", "ana@example.org")
            said = first.run(folder, "vestibular", "new", "exam", "--demo")
            assert "Its files are committed." in said
            change(folder / "exam", remove=[f"candidates.{name}" for name in OTHERS])
            ran = first.dvc(folder / "exam", "repro")
        assert set(RUNNING.findall(ran)) == {*ALL, "prepare", "select"}
        assert "cd exam" in said

    return made_once("exam", make) / "exam"


def results(project: Path) -> dict[str, bytes]:
    """What is equal when a run is repeated: all outputs without what is measured."""
    measured = ("costs.json", "report.html")
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for folder in ("metrics", "models", "data")
        for path in sorted((project / folder).rglob("*"))
        if path.is_file() and path.name not in (*measured, ".gitkeep", "README.md")
    }


def test_a_project_from_the_wheel_has_the_repositorys_results(
    exam_once: Path, reproduced_once: Path
) -> None:
    """Byte for byte: the data, and a candidate's pin, adapter, curve, answers and scores."""
    ours, theirs = results(reproduced_once), results(exam_once)
    equal = {name for name in theirs if theirs[name] == ours.get(name)}
    chosen = {f"metrics/{name}.json" for name in ("leaderboard", "selection", "winner")}
    charts = {"metrics/charts/loss.tsv", "metrics/charts/scores.tsv"}
    differing = {name for name in {*theirs} - equal if not name.startswith("models/production")}
    # where the candidates that are left out here have a say
    assert differing <= chosen | charts
    assert {
        "models/adapters/gpt2-tiny/adapter_model.safetensors",
        "models/adapters/gpt2-tiny/training.json",
        "metrics/exam/gpt2-tiny.json",
        "metrics/predictions/gpt2-tiny.jsonl",
        "metrics/curves/gpt2-tiny.tsv",
        "data/prepared/train.jsonl",
    } <= equal
    assert not (exam_once / "src").exists()


def test_an_upgrade_names_what_reruns(
    exam_once: Path, tmp_path: Path, machine: Machine, wheels: dict[str, Path]
) -> None:
    """One of the report runs `select` alone; one of the training the trainings."""
    exam = Path(shutil.copytree(exam_once, tmp_path / "exam"))
    commit_all(exam, "First run")
    assert machine.changed(exam) == set()

    machine.install(wheels["report"])
    refused = machine.run(exam, "python", "-m", "stages.select", status=2)
    assert refused.startswith("code: report: the installed library differs")
    assert wheels["first"].name.split("-")[1] in refused
    said = machine.run(exam, "vestibular", "upgrade")
    old, new = (wheels[name].name.split("-")[1] for name in ("first", "report"))
    assert f"vestibular {old} -> {new}\n" in said
    assert "packages with other content: report\n" in said
    assert "  select: code/report\n" in said
    assert "Nothing is trained again." in said
    assert machine.changed(exam) == {"select"}
    before = results(exam)
    assert RUNNING.findall(machine.dvc(exam, "repro")) == ["select"]
    assert results(exam) == before
    commit_all(exam, "Upgrade")

    machine.install(wheels["training"])
    said = machine.run(exam, "vestibular", "upgrade")
    assert machine.changed(exam) == named(said) == {"train@gpt2-tiny", "prepare", "select"}
    (maybe,) = re.findall("comes out different: (.+)$", said, re.MULTILINE)
    assert set(maybe.split(", ")) == {"evaluate@gpt2-tiny", "evaluate_base@gpt2-tiny"}
    # this wheel is without the other one's comment
    assert re.search("select: code/(training, code/report|report, code/training)\n", said)
    ran = set(RUNNING.findall(machine.dvc(exam, "repro")))
    assert named(said) <= ran <= named(said) | set(maybe.split(", "))
    assert "evaluate_base@gpt2-tiny" not in ran


def named(said: str) -> set[str]:
    """The stages that an upgrade says run again."""
    lines = said.partition("`dvc repro` runs again:\n")[2].splitlines()
    rows = [line.strip().partition(": ")[0].split(", ") for line in lines if line[:2] == "  "]
    return {stage for row in rows for stage in row}


def test_a_folder_of_a_repository_is_a_project_too(
    exam_once: Path, tmp_path: Path, machine: Machine, wheels: dict[str, Path]
) -> None:
    """Its results are cached and restored, its versions have tags that begin with the folder."""
    top = tmp_path / "top"
    top.mkdir()
    (top / "own.txt").write_text("1")
    commit_all(top, "Start")
    said = machine.run(top, "vestibular", "new", "exams/law", "--demo")
    assert f"part of {top}" in said
    assert git(top, "status", "--porcelain") == ""
    law = top / "exams/law"
    shutil.copy(exam_once / "params.yaml", law / "params.yaml")
    # the same stages have run elsewhere
    shutil.copytree(exam_once / ".dvc/cache", law / ".dvc/cache")
    said = machine.dvc(law, "repro")
    assert "stages.select" in said
    assert "python -m stages.train" not in said
    assert results(law) == results(exam_once)
    machine.run(law, "vestibular", "compare", "HEAD", status=2)
    commit_all(top, "First run")
    assert "are the same" in machine.run(law, "vestibular", "compare")
    assert git(top, "rev-parse", "HEAD").strip() in machine.run(law, "vestibular", "report")

    (top / "own.txt").write_text("another's work, under way")
    machine.run(law, "vestibular", "registry", "register")
    machine.run(law, "vestibular", "registry", "promote", "v0.1.0")
    tags = git(top, "tag").split()
    assert tags == ["exams/law=qa-model#production#1", "exams/law=qa-model@v0.1.0"]
    assert "v0.1.0" in machine.run(law, "vestibular", "registry", "list")
    machine.run(law, "vestibular", "registry", "download", "model")
    assert (law / "model/model.json").read_bytes() == (
        law / "models/production/model.json"
    ).read_bytes()
    assert "exams/law:qa-model" in machine.run(
        top, str(Path(sys.executable).with_name("gto")), "show"
    )
    git(top, "checkout", "own.txt")

    machine.install(wheels["report"])
    assert "  select: code/report\n" in machine.run(law, "vestibular", "upgrade")
    assert machine.changed(law) == {"select"}
    commit_all(top, "Upgrade")
    machine.dvc(law, "exp", "run", "--temp", "-S", "select.cost=bytes", "--name", "bytes")
    machine.dvc(law, "exp", "apply", "bytes")
    assert machine.changed(law) == set()


def test_wheels_are_reproducible_and_told_apart(
    wheels: dict[str, Path], cloned_once: Path, tmp_path: Path
) -> None:
    """The same content gives the same bytes, whenever and wherever; another one, a version."""
    versions = {wheel.name.split("-")[1] for wheel in wheels.values()}
    assert len(versions) == len(COMMENT)
    assert all(re.fullmatch(r"0\.1\.0\+sha[0-9a-f]{12}", version) for version in versions)
    assert all(wheel.name.endswith("-py3-none-any.whl") for wheel in wheels.values())
    copy_sources(cloned_once, tmp_path / "elsewhere")
    for path in (tmp_path / "elsewhere").rglob("*"):
        os.utime(path, (1, 1))
        if path.is_file():
            path.chmod(0o600)
    again = build(tmp_path / "elsewhere", tmp_path)
    assert again.name == wheels["first"].name
    assert again.read_bytes() == wheels["first"].read_bytes()
    with zipfile.ZipFile(again) as file:
        names = file.namelist()
    assert not [name for name in names if "__pycache__" in name]
    tops = {name.partition("/")[0] for name in names}
    assert {name for name in tops if "dist-info" not in name} == {"neptune_server", "vestibular"}


@pytest.mark.parametrize("path", ["dvc.yaml", "stages/train.py", "demo/data/dev.json"])
def test_what_a_project_starts_from_counts_as_content(
    cloned_once: Path, wheels: dict[str, Path], tmp_path: Path, path: str
) -> None:
    """A wheel with another graph, stage or demo has another version."""
    copy_sources(cloned_once, tmp_path / "tree")
    with (tmp_path / "tree" / path).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert build(tmp_path / "tree", tmp_path).name != wheels["first"].name
