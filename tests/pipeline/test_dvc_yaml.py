"""The graph in `dvc.yaml` says what the code does, and an edit reruns what it concerns."""

import ast
import json
import shutil
import sys
from pathlib import Path

import grimp
import pytest
import yaml

from tests.support.clones import MadeOnce
from tests.support.commands import ROOT, run
from tests.support.settings import change
from vestibular.tracking.checkpoints import CODE, training_key

LINES = (ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines()
STAGES = yaml.safe_load("\n".join(LINES))["stages"]
GRAPH = grimp.build_graph("vestibular", cache_dir=None)
CANDIDATES = ("gpt2-tiny", "opt-tiny")
REPEATS = ("fold-1", "fold-2", "seed-7")
EDITOR_FILES = (
    "core/__pycache__/errors.cpython-399.pyc",
    "training/settings.pyc",
    "modeling/models.py~",
    "examination/.#exam.py",
    "examination/#exam.py#",
    "core/.files.py.swp",
)


def definition(name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = STAGES[name].get("do", STAGES[name])
    return found


def reached(script: Path) -> set[str]:
    """The library's modules that a script imports, wherever in it, and those that they import."""
    named = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("vestibular"):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= {str(node.module), *names} & GRAPH.modules
    return named.union(*(GRAPH.find_upstream_modules(module) for module in named))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_packages_that_it_imports(name: str) -> None:
    """Every module that a stage can reach lies below a dependency, and none is there in vain."""
    stage = definition(name)
    script = ROOT / "stages" / f"{str(stage['cmd']).split()[2].removeprefix('stages.')}.py"
    # a package's own module holds its docstring alone: see the test below
    modules = {module for module in reached(script) if module.count(".") > 1}
    packages = {module.split(".")[1] for module in modules}
    declared = {path.removeprefix("${code}/") for path in stage["deps"] if "${code}" in path}
    assert declared == packages
    assert f"stages/{script.name}" in stage["deps"]


def test_each_template_draws_a_plot_and_each_table_has_one() -> None:
    """DVC's own chart would draw the empty training loss of a validation row as 0."""
    plots = {
        path: options
        for name in STAGES
        for plot in definition(name).get("plots", [])
        for path, options in plot.items()
    }
    templates = {path.stem for path in (ROOT / ".dvc/plots").glob("*.json")}
    assert sorted(options["template"] for options in plots.values()) == sorted(templates)
    # without it DVC numbers the rows, under the same name
    assert plots["metrics/curves/${key}.tsv"]["x"] == "step"


def test_a_checkpoints_key_covers_what_a_training_depends_on() -> None:
    """A checkpoint of other code is another training's; the script is hashed by the stage."""
    code = {path for path in definition("train")["deps"] if path.startswith("${code}")}
    assert code == {f"${{code}}/{package}" for package in CODE}
    assert training_key(a=1) != training_key(a=2)


def test_a_package_itself_does_nothing() -> None:
    """`__init__` holds a docstring alone, so that nobody depends on a package by its name."""
    for path in (ROOT / "src/vestibular").glob("*/__init__.py"):
        (docstring,) = ast.parse(path.read_text(encoding="utf-8")).body
        assert isinstance(docstring, ast.Expr)
        assert "ay import" in ast.unparse(docstring) or "mports no" in ast.unparse(docstring)


def test_stages_do_not_import_each_other() -> None:
    """Data flows through files alone."""
    for path in (ROOT / "stages").glob("*.py"):
        assert "from stages" not in path.read_text(encoding="utf-8")
        assert "import stages" not in path.read_text(encoding="utf-8")


def test_the_graph_is_read_at_a_sitting() -> None:
    """It is at most 160 lines, and every stage says what it does."""
    assert len(LINES) <= 160
    assert all(definition(name)["desc"] for name in STAGES)


def test_yaml_is_read_in_one_place() -> None:
    """No other module parses it."""
    for path in [*(ROOT / "stages").glob("*.py"), *(ROOT / "src").rglob("*.py")]:
        if path.name != "yaml_files.py":
            assert "import yaml" not in path.read_text(encoding="utf-8"), path


def record(folder: Path) -> None:
    """Make DVC take empty files for the outputs of all stages: what has run is not asked."""
    code = (
        "from pathlib import Path; from dvc.repo import Repo\n"
        "for out in Repo().index.outs:\n"
        "    path = Path(out.fs_path)\n"
        "    if not path.exists():\n"
        "        path.parent.mkdir(parents=True, exist_ok=True)\n"
        "        path.write_text('{}')"
    )
    run(folder, sys.executable, "-c", code)
    run(folder, "dvc", "commit", "--force", "--quiet")


@pytest.fixture(scope="session")
def recorded_once(made_once: MadeOnce, cloned_once: Path) -> Path:
    """A project with two candidates and three repeats, all of whose stages are up to date."""

    def make(folder: Path) -> None:
        shutil.copytree(cloned_once, folder)
        change(folder, {"repeats": list(REPEATS)}, remove=["candidates.gpt2-mini"])
        run(folder, "dvc", "repro", "--quiet", "--single-item", "prepare")
        record(folder)
        assert changed(folder) == set()

    return made_once("recorded", make)


@pytest.fixture
def recorded(recorded_once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(recorded_once, tmp_path / "project"))


def changed(folder: Path) -> set[str]:
    """The stages that DVC would run."""
    said = run(folder, "dvc", "status", "--json").stdout
    return set(json.loads(said.strip().splitlines()[-1]))


def stages(*kinds: str) -> set[str]:
    """All stages of some kinds."""
    own = {f"{kind}@{name}" for kind in kinds for name in CANDIDATES if "repeat" not in kind}
    repeated = {
        f"{kind}@{name}-{repeat}"
        for kind in kinds
        for name in CANDIDATES
        for repeat in REPEATS
        if "repeat" in kind
    }
    return own | repeated


TRAININGS = stages("train", "train_repeat")
EXAMS = stages("evaluate", "evaluate_base", "evaluate_repeat")


@pytest.mark.parametrize(
    ("package", "rerun"),
    [
        ("selection", set()),
        ("report", set()),
        ("registry", set()),
        ("mirror", set()),
        ("commands", set()),
        ("params", set()),
        ("data", set()),
        ("training", TRAININGS),
        ("examination", EXAMS),
        ("scoring", EXAMS),
        ("modeling", TRAININGS | EXAMS),
        ("core", TRAININGS | EXAMS),
    ],
)
def test_an_edit_reruns_what_it_concerns(recorded: Path, package: str, rerun: set[str]) -> None:
    """A comment in each module of a package: which trainings and exams are out of date?"""
    for path in (recorded / "src/vestibular" / package).glob("*.py"):
        path.write_text(path.read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    assert changed(recorded) & (TRAININGS | EXAMS) == rerun
    if package in ("registry", "mirror", "commands"):
        assert changed(recorded) == set()


@pytest.mark.parametrize(
    ("setting", "value", "rerun"),
    [
        ("train.learning_rate", 0.02, TRAININGS),
        ("evaluate.max_new_tokens", 16, EXAMS),
        ("seed", 43, stages("train")),
        ("select.cost", "bytes", set()),
        ("registry.artifact", "my-model", set()),
        ("mirror", ["mlflow"], set()),
        ("data.leaks", "fail", set()),
    ],
)
def test_a_setting_reruns_what_it_concerns(
    recorded: Path, setting: str, value: object, rerun: set[str]
) -> None:
    """A learning rate examines no base again; settings of the choice train nothing."""
    change(recorded, {setting: value})
    assert changed(recorded) & (TRAININGS | EXAMS) == rerun


def test_a_candidates_own_setting_reruns_its_stages_alone(recorded: Path) -> None:
    """And not the exam of its base, which it does not concern."""
    change(recorded, {"candidates.opt-tiny.learning_rate": 3e-3})
    run(recorded, "dvc", "repro", "--quiet", "--single-item", "prepare")
    assert changed(recorded) & (TRAININGS | EXAMS) == {
        stage for stage in TRAININGS if "opt-tiny" in stage
    }


def test_a_candidates_own_precision_examines_its_base_again(recorded: Path) -> None:
    """How a base is loaded concerns its exam."""
    change(recorded, {"candidates.opt-tiny.precision": "bfloat16"})
    run(recorded, "dvc", "repro", "--quiet", "--single-item", "prepare")
    assert "evaluate_base@opt-tiny" in changed(recorded)
    assert "evaluate_base@gpt2-tiny" not in changed(recorded)


def test_a_new_seed_trains_no_fold(recorded: Path) -> None:
    """Nor does it examine a base again; a new fold trains all folds and no seed."""
    change(recorded, {"repeats": [*REPEATS, "seed-8"]})
    run(recorded, "dvc", "repro", "--quiet", "--single-item", "prepare")
    new = {
        f"{do}@{name}-seed-8" for do in ("train_repeat", "evaluate_repeat") for name in CANDIDATES
    }
    assert changed(recorded) - {"select"} == new
    change(recorded, {"repeats": ["fold-1", "fold-2", "fold-3", "seed-7"]})
    run(recorded, "dvc", "repro", "--quiet", "--single-item", "prepare")
    rerun = changed(recorded) - {"select"}
    assert all("-fold-" in stage for stage in rerun)
    assert {f"train_repeat@{name}-fold-{n}" for name in CANDIDATES for n in (1, 2, 3)} <= rerun


def test_files_of_editors_and_python_change_nothing(recorded: Path) -> None:
    """Bytecode, backups, locks and swap files beside the code are not part of it."""
    for name in EDITOR_FILES:
        path = recorded / "src/vestibular" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x", encoding="utf-8")
    assert changed(recorded) == set()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["temp", "queue"])
def test_a_run_elsewhere_leaves_the_workspace_up_to_date(
    reproduced_project: Path, how: str
) -> None:
    """What runs in a temporary workspace writes bytecode, and is the same run all the same."""
    run(reproduced_project, "git", "add", "--all")
    run(reproduced_project, "git", "commit", "--quiet", "--message=Run")
    setting = ["-S", "select.cost=bytes", "--name", "other"]
    if how == "temp":
        run(reproduced_project, "dvc", "exp", "run", "--temp", *setting)
    else:
        run(reproduced_project, "dvc", "exp", "run", "--queue", *setting)
        run(reproduced_project, "dvc", "exp", "run", "--run-all")
    run(reproduced_project, "dvc", "exp", "apply", "other")
    assert changed(reproduced_project) == set()
