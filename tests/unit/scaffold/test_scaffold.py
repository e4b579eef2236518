"""A project of a user's own: what `vestibular new` writes, and how `upgrade` merges."""

import argparse
import difflib
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.clones import MadeOnce
from tests.support.commands import ROOT, run
from tests.support.repositories import commit_all, git
from tests.support.settings import change
from vestibular.commands.project_commands import run_upgrade
from vestibular.core import installed
from vestibular.core.errors import DataError, GitError, ParamsError, VestibularError
from vestibular.core.installed import differing, package_sha256, packages
from vestibular.scaffold import upgrading
from vestibular.scaffold.creation import create
from vestibular.scaffold.merging import changes, merged
from vestibular.scaffold.record import RECORD, Record
from vestibular.scaffold.template import maintained_files, packages_of, started_files

OWN = {
    *(".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "README.md", "dvc.yaml"),
    *(".dvc/plots/curve.json", ".dvc/plots/loss.json", ".dvc/plots/scores.json"),
    *("code/record.json", "code/requirements.txt", "metrics/repeats/.gitkeep", "params.yaml"),
}
STAGES = {
    f"stages/{name}.py"
    for name in ("__init__", "prepare", "train", "evaluate", "evaluate_base", "select")
}
LINES = "".join(f"line {number}\n" for number in range(12))


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Git that knows who commits, and reads no configuration of this machine."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = Ana\nemail = ana@example.org\n")
    for name, value in (("HOME", home), ("XDG_CONFIG_HOME", home), ("GIT_CONFIG_NOSYSTEM", "1")):
        monkeypatch.setenv(name, str(value))


@pytest.fixture(scope="session")
def created_once(made_once: MadeOnce) -> Path:
    """The project that `exam` is a copy of."""

    def make(folder: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for role in ("AUTHOR", "COMMITTER"):
                patch.setenv(f"GIT_{role}_NAME", "Ana")
                patch.setenv(f"GIT_{role}_EMAIL", "ana@example.org")
            assert create(folder, demo=False).committed

    return made_once("created", make)


@pytest.fixture
def exam(
    created_once: Path, identity: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A project without the demo, which is the current folder."""
    folder = Path(shutil.copytree(created_once, tmp_path / "exam"))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The library's files, to be changed: what a newer one would bring."""
    texts = maintained_files()
    monkeypatch.setattr(upgrading, "maintained_files", lambda: texts)
    return texts


def tracked(folder: Path) -> set[str]:
    return set(git(folder, "ls-files").split())


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_graph_is_the_repositorys_but_for_one_line() -> None:
    """Which folder the code is in."""
    ours = (ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines()
    theirs = maintained_files()["dvc.yaml"].splitlines()
    differing_lines = [
        line for line in difflib.ndiff(ours, theirs) if line.startswith(("+ ", "- "))
    ]
    assert differing_lines == ["- vars: [{code: src/vestibular}]", "+ vars: [{code: code}]"]


def test_a_project_is_made_of_the_repositorys_own_files() -> None:
    """All but the graph's one line are the same bytes; no second copy is kept anywhere."""
    for name, text in maintained_files().items():
        if name != "dvc.yaml":
            assert text == (ROOT / name).read_text(encoding="utf-8"), name
    for name, content in started_files(demo=True).items():
        if name not in (".dvc/config", "README.md"):
            assert content == (ROOT / name).read_bytes(), name
    assert b"remote" not in started_files(demo=False)[".dvc/config"]


def test_a_new_project_holds_what_is_the_users_alone(exam: Path) -> None:
    """It is committed, whole, and the library's packages are files with their hashes."""
    hashed = {f"code/{name}" for name in packages_of((exam / "dvc.yaml").read_text("utf-8"))}
    assert hashed < {f"code/{name}" for name in packages()}
    assert tracked(exam) == OWN | STAGES | hashed
    assert git(exam, "status", "--porcelain") == ""
    assert (exam / "code/training").read_text(encoding="utf-8") == package_sha256("training") + "\n"
    assert differing(exam / "code") == []
    assert (exam / ".dvc/plots/page.html").exists() is False


def test_the_demo_is_asked_for(identity: None, tmp_path: Path) -> None:
    """With it come its questions, bases and settings."""
    create(tmp_path / "exam", demo=True)
    added = tracked(tmp_path / "exam") - OWN - STAGES
    assert {"demo/data/train.json", "demo/bases/opt-tiny/config.json"} < added
    assert (tmp_path / "exam/params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()
    assert "demo/pretrain.py" not in added


def test_inside_a_repository_nothing_else_is_committed(identity: None, tmp_path: Path) -> None:
    """What somebody has staged stays staged, and the project is a folder of the repository."""
    top = tmp_path / "top"
    top.mkdir()
    (top / "own.txt").write_text("1")
    commit_all(top, "Start")
    (top / "own.txt").write_text("2")
    git(top, "add", "own.txt")
    made = create(top / "exams/law", demo=False)
    assert made.inside == top
    assert made.committed
    assert git(top, "status", "--porcelain") == "M  own.txt\n"
    assert not (top / "exams/law/.git").exists()
    assert {name.partition("/")[0] for name in git(top, "show", "--format=", "--name-only").split()}
    assert run(top / "exams/law", sys.executable, "-m", "dvc", "root").stdout.strip() == "."


def test_without_an_identity_the_files_are_left_to_be_committed(
    identity: None, tmp_path: Path
) -> None:
    """Git would refuse; the project is there all the same, and staged."""
    (tmp_path / "home/.gitconfig").write_text("[user]\nuseConfigOnly = true\n")
    made = create(tmp_path / "exam", demo=False)
    assert (made.committed, made.not_committed) == (False, "git does not know who you are")
    assert "A  dvc.yaml" in git(tmp_path / "exam", "status", "--porcelain")


def test_no_file_is_overwritten(identity: None, tmp_path: Path) -> None:
    """A file in the way stops everything before anything is written; a README is kept."""
    folder = tmp_path / "exam"
    (folder / "stages").mkdir(parents=True)
    (folder / "stages/train.py").write_text("mine")
    with pytest.raises(DataError, match=r"stages/train\.py: exists already, and nothing is overw"):
        create(folder, demo=False)
    assert [path.name for path in folder.rglob("*")] == ["stages", "train.py"]
    (folder / "stages/train.py").unlink()
    (folder / "README.md").write_text("mine")
    assert create(folder, demo=False).kept == ("README.md",)
    assert (folder / "README.md").read_text() == "mine"
    with pytest.raises(DataError, match="exists already"):
        create(folder, demo=False)


def test_a_folder_that_cannot_be_a_projects_is_refused(identity: None, tmp_path: Path) -> None:
    """A file, one that git ignores, one whose name no tag can bear: each by name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file; name a new folder"):
        create(tmp_path / "file", demo=False)
    with pytest.raises(DataError, match="is a file; name another folder"):
        create(tmp_path / "file/exam", demo=False)
    top = tmp_path / "top"
    top.mkdir()
    (top / ".gitignore").write_text("build/\n")
    commit_all(top, "Start")
    with pytest.raises(DataError, match="git ignores build/"):
        create(top / "build", demo=False)
    (top / "src/vestibular/scaffold").mkdir(parents=True)
    with pytest.raises(DataError, match="a clone of the library's own repository"):
        create(top / "exam", demo=False)
    shutil.rmtree(top / "src")
    for name in ("meu exame", "exâmen", ".hidden", "a..b"):
        with pytest.raises(DataError, match="name another folder"):
            create(top / name, demo=False)
    assert sorted(path.name for path in top.iterdir()) == [".git", ".gitignore"]


def test_a_folder_that_does_not_become_a_project_goes(
    identity: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up leaves nothing to be cleaned up by hand."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vestibular.scaffold.creation.write_texts", full)
    with pytest.raises(OSError, match="No space"):
        create(tmp_path / "exam", demo=False)
    assert not (tmp_path / "exam").exists()


def test_a_merge_is_gits_own() -> None:
    """Changes in two places are both kept; two of one line are marked."""
    mine, after = LINES.replace("line 1\n", "mine\n"), LINES.replace("line 9\n", "after\n")
    text, clean = merged(mine, LINES, after)
    assert (text, clean) == (mine.replace("line 9\n", "after\n"), True)
    text, clean = merged(mine, LINES, LINES.replace("line 1\n", "after\n"))
    assert not clean
    assert "<<<<<<< yours\nmine\n" in text
    assert "=======\nafter\n>>>>>>> the current library\n" in text


def test_what_becomes_of_each_file(tmp_path: Path) -> None:
    """By what the library wrote, what it has now, and what the user has."""
    mine = {"same": "a", "own": "mine", "old": "a", "gone": "a", "gone-own": "mine", "both": "b"}
    for name, text in mine.items():
        (tmp_path / name).write_text(text)
    before = {"same": "a", "own": "a", "old": "a", "gone": "a", "gone-own": "a", "deleted": "a"}
    after = {"same": "a", "own": "a", "old": "b", "new": "b", "deleted": "b", "both": "b"}
    found = {each.name: (each.kind, each.text) for each in changes(before, after, tmp_path)}
    assert found == {
        "old": ("updated", "b"),
        "new": ("added", "b"),
        "gone": ("removed", None),
        "gone-own": ("kept", None),
        "deleted": ("kept", None),
    }
    with pytest.raises(DataError, match="own: the newer library has a file of this name"):
        changes({}, {"own": "b"}, tmp_path)


def test_an_upgrade_merges_what_the_user_has_changed(exam: Path, newer: dict[str, str]) -> None:
    """And brings the rest up to date; once more, it finds nothing to do."""
    edit(exam / "stages/select.py", "@exit_on_error", "# mine\n@exit_on_error")
    commit_all(exam, "Mine")
    newer["stages/select.py"] += "# newer\n"
    newer["stages/train.py"] += "# newer\n"
    (exam / "code/training").write_text("of an older library\n")
    done = upgrading.upgrade()
    assert {each.name: each.kind for each in done.files} == {
        "stages/select.py": "merged",
        "stages/train.py": "updated",
    }
    assert done.packages == ("training",)
    assert differing(exam / "code") == []
    text = (exam / "stages/select.py").read_text(encoding="utf-8")
    assert "# mine\n@exit_on_error" in text
    assert text.endswith("# newer\n")
    assert Record.here().texts() == newer
    commit_all(exam, "Upgrade")
    again = upgrading.upgrade()
    assert (again.files, again.packages) == ((), ())
    assert git(exam, "status", "--porcelain") == ""


def test_a_conflict_is_marked_and_said(exam: Path, newer: dict[str, str]) -> None:
    """The command names the file and ends with an error; git brings the user's own back."""
    edit(exam / "dvc.yaml", "Choose the best", "Choose my best")
    commit_all(exam, "Mine")
    newer["dvc.yaml"] = newer["dvc.yaml"].replace("Choose the best", "Choose the very best")
    with pytest.raises(DataError, match=r"^dvc\.yaml: choose between <<<<<<< and >>>>>>>"):
        run_upgrade(argparse.Namespace())
    assert "Choose my best" in (exam / "dvc.yaml").read_text(encoding="utf-8")
    git(exam, "checkout", ".")
    assert "<<<<<<<" not in (exam / "dvc.yaml").read_text(encoding="utf-8")


def test_an_upgrade_changes_no_file_that_is_not_committed(
    exam: Path, newer: dict[str, str]
) -> None:
    """It could not be taken back; nor one that the library did not write."""
    edit(exam / "stages/train.py", '"""', '"""My ')
    newer["stages/train.py"] += "# newer\n"
    with pytest.raises(DataError, match=r"^stages/train\.py: changed since the last commit"):
        upgrading.upgrade()
    git(exam, "checkout", ".")
    newer["stages/ship.py"] = "# newer\n"
    (exam / "stages/ship.py").write_text("mine")
    with pytest.raises(DataError, match=r"^stages/ship\.py: the newer library has"):
        upgrading.upgrade()
    (exam / "stages/ship.py").unlink()
    newer["dvc.yaml"] += "# ${code}/registry\n"
    (exam / "code/registry").write_text("mine")
    with pytest.raises(DataError, match=r"^code/registry: not written by `vestibular`"):
        upgrading.upgrade()
    assert git(exam, "status", "--porcelain") == "?? code/registry\n"


def test_a_package_comes_and_goes_with_the_graph(exam: Path, newer: dict[str, str]) -> None:
    """`code` has a file for each that a stage depends on."""
    newer["dvc.yaml"] = newer["dvc.yaml"].replace("${code}/report", "${code}/registry")
    upgrading.upgrade()
    assert (exam / "code/registry").exists()
    assert not (exam / "code/report").exists()
    # taken back; the file that git did not have stays
    git(exam, "checkout", ".")
    upgrading.upgrade()
    commit_all(exam, "Upgrade")
    newer["dvc.yaml"] += "# ${code}/nothing\n"
    with pytest.raises(DataError, match=r"\$\{code\}/nothing: the library has no such package"):
        upgrading.upgrade()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: "{", "not JSON"),
        (lambda text: "[]", "must contain a JSON object"),
        (lambda text: text.replace('"library"', '"x"'), "record.json: "),
        (lambda text: text.replace('"stages/train.py"', '"../train.py"'), "outside the project"),
        (lambda text: text.replace('"report"', '"/report"'), "outside the project"),
        (lambda text: '{"version": 9}', "is of version 9"),
    ],
)
def test_a_damaged_record_is_refused(exam: Path, damage: object, said: str) -> None:
    """In one message that names it; a path from it never leads out of the project."""
    text = (exam / RECORD).read_text(encoding="utf-8")
    (exam / RECORD).write_text(damage(text), encoding="utf-8")  # type: ignore[operator]
    with pytest.raises(DataError, match=r"record\.json") as error:
        upgrading.upgrade()
    assert said in str(error.value)


def test_settings_that_a_newer_library_refuses_are_said(
    exam: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files are upgraded all the same: the settings are the user's to change."""
    shutil.copy(ROOT / "params.yaml", exam)
    change(exam, remove=["repeats"])
    (exam / "code/training").write_text("of an older library\n")
    with pytest.raises(ParamsError, match=r"repeats: (.|\n)+Everything else is upgraded"):
        run_upgrade(argparse.Namespace())
    assert "packages with other content: training\n" in capsys.readouterr().out
    assert differing(exam / "code") == []


def test_a_clone_of_the_library_is_not_upgraded(in_folder: Path) -> None:
    """Nor is any other folder; git updates a clone."""
    with pytest.raises(DataError, match="code: not found; run the command in the top folder of"):
        upgrading.upgrade()


def test_the_librarys_own_repository_has_no_hash_files() -> None:
    """Its stages depend on the packages themselves."""
    assert not (ROOT / "code").exists()
    assert installed.in_checkout()
    assert "+" not in installed.library_version()


def test_a_stage_runs_with_the_projects_library_alone(exam: Path) -> None:
    """Another package's hash: one message, exit status 2; the same in the library's own words."""
    here = {"stages/train.py": "print('it runs')\n"}
    (exam / "stages/train.py").write_text(here["stages/train.py"])
    assert run(exam, sys.executable, "-m", "stages.train").stdout == "it runs\n"
    (exam / "code/report").write_bytes(b"\xff")
    (exam / "code/report~").write_text("an editor's")
    said = run(exam, sys.executable, "-m", "stages.train", status=2)
    assert said.stdout == ""
    assert said.stderr.startswith("code: report: the installed library differs")
    assert "vestibular==" in said.stderr
    assert "Traceback" not in said.stderr


def test_bytecode_changes_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python writes it into the installed package; another module, or another name, counts."""
    package = tmp_path / "training"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(installed, "LIBRARY", tmp_path)
    before = package_sha256("training")
    (package / "__pycache__").mkdir()
    (package / "__pycache__/__init__.cpython-311.pyc").write_bytes(b"x")
    assert package_sha256("training") == before
    (package / "words.json").write_text("{}")
    assert (other := package_sha256("training")) != before
    (package / "words.json").rename(package / "names.json")
    assert package_sha256("training") not in (before, other)


def test_commands_end_with_one_message(identity: None, tmp_path: Path) -> None:
    """As a user runs them."""
    said = run(tmp_path, "vestibular", "upgrade", status=2).stderr
    assert said.count("\n") == 1
    (tmp_path / "file").write_text("")
    assert run(tmp_path, "vestibular", "new", "file", status=2).stderr.count("\n") == 1
    made = run(tmp_path, "vestibular", "new", "exam").stdout
    assert "vestibular init" in made
    assert "Its files are committed." in made
    assert (tmp_path / "exam/.dvc/plots/page.html").exists()
    said = run(tmp_path / "exam", "vestibular", "upgrade").stdout
    assert "none that a stage uses" in said
    assert "Nothing has been run here yet." in said


def test_git_that_fails_is_quoted(identity: None, tmp_path: Path) -> None:
    """A hook that refuses the first commit leaves the project, and its words."""
    top = tmp_path / "top"
    top.mkdir()
    commit_all(top, "Start")
    hook = top / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho no commits on Fridays >&2\nexit 1\n")
    hook.chmod(0o755)
    made = create(top / "exam", demo=False)
    assert (made.committed, made.not_committed) == (False, "no commits on Fridays")
    with pytest.raises(VestibularError):
        create(top / ".git/exam", demo=False)


def test_a_text_that_git_cannot_merge_is_refused() -> None:
    """It takes a text with a zero byte for a binary file."""
    with pytest.raises(GitError, match="git merge-file"):
        merged("a\0", "b", "c")
