"""Revisions of a tiny project verified: stages of a few lines, answers that a seed decides."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.clones import MadeOnce
from tests.support.commands import PYTHON, environment, has_ended, run
from tests.support.patience import FOREVER
from tests.support.repositories import commit_all, git
from vestibular.core.errors import DataError, LaunchError
from vestibular.core.version_control import run_dvc
from vestibular.verification.outcomes import Verdict
from vestibular.verification.text import as_text
from vestibular.verification.verifying import Verification, verify

# DVC still asks pygtrie by an old name
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

GRAPH = """
stages:
  prepare:
    cmd: python make.py prepare
    params: [params.yaml: ]
    deps: [make.py, data/mine]
    outs: [data/prepared]
  train:
    foreach: ${candidates}
    do:
      cmd: python make.py train ${key}
      params: [seed]
      deps: [make.py, data/prepared]
      outs: ["models/adapters/${key}"]
      plots: ["metrics/curves/${key}.tsv": {cache: false}]
  evaluate:
    foreach: ${candidates}
    do:
      cmd: python make.py evaluate ${key}
      params: [evaluate]
      deps: [make.py, "models/adapters/${key}"]
      outs: ["metrics/predictions/${key}.jsonl"]
      metrics: ["metrics/exam/${key}.json": {cache: false}]
  select:
    cmd: python make.py select
    deps: [make.py, metrics/predictions, metrics/exam]
    outs: [metrics/report.html]
    metrics: [metrics/winner.json: {cache: false}, metrics/costs.json: {cache: false}]
"""
MAKE = """
import json, os, random, sys, time
from pathlib import Path
what, name = sys.argv[1], "".join(sys.argv[2:])
def put(path, text):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)
if os.environ.get("FAIL") == f"{what}@{name}":
    sys.exit("the disk is on fire")
if what == os.environ.get("SLEEP"):
    put(os.environ["AWAKE"], str(os.getpid()))
    time.sleep(600)
if what == "prepare":
    put("data/prepared/train.jsonl", Path("data/mine/questions").read_text())
if what == "train":
    seed = int(Path("params.yaml").read_text().split("seed: ")[1].split()[0])
    put(f"models/adapters/{name}/weights", f"{seed}{os.environ.get('LUCK', '')}")
    put(f"metrics/curves/{name}.tsv", f"step\\tloss\\n1\\t{seed}.5\\n")
if what == "evaluate":
    luck = random.Random(name + Path(f"models/adapters/{name}/weights").read_text())
    skill = float(os.environ.get("SKILL", {"a": 0.8, "b": 0.4}[name]))
    rows = []
    for number in range(100):
        right = luck.random() < skill
        rows.append(dict(version=2, id=str(number), title="", context=f"c{number % 10}",
            question=f"Who is {number}?", references=["Ana"], windows=1, leaked=False,
            answer="Ana" if right else "Rui", exact_match=float(right), f1=float(right)))
    mean = sum(row["f1"] for row in rows) / 100
    put(f"metrics/predictions/{name}.jsonl", "".join(json.dumps(row) + "\\n" for row in rows))
    scores = {"em": mean, "f1": mean}
    put(f"metrics/exam/{name}.json", json.dumps({"base": {"em": 0.0, "f1": 0.0}, "tuned": scores}))
if what == "select":
    scores = {path.stem: json.loads(path.read_text())["tuned"]["f1"]
        for path in Path("metrics/exam").glob("*.json")}
    best = max(scores, key=scores.get)
    put("metrics/winner.json", json.dumps({"winner": best, "em": scores[best], "f1": scores[best]}))
    put("metrics/costs.json", json.dumps({"candidates": {}, "seconds": time.time()}))
    put("metrics/report.html", str(scores))
"""
SETTINGS = """seed: 1
evaluate: {normalization: squad, articles: none}
candidates:
  a: {}
  b: {}
"""
IGNORED = "/data/\n/models/\n/metrics/predictions\n/metrics/report.html\n/.vestibular\n"


@pytest.fixture
def tiny(made_once: MadeOnce, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose run is committed; its data lies in neither git nor DVC."""

    def make(project: Path) -> None:
        project.mkdir()
        commit_all(project, "Start")
        assert run_dvc("init", folder=project).returncode == 0
        texts = {
            "dvc.yaml": GRAPH,
            "make.py": MAKE,
            "params.yaml": SETTINGS,
            ".gitignore": IGNORED,
            "data/mine/questions": "who?",
        }
        for name, text in texts.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text)
        run(project, "dvc", "repro")
        commit_all(project, "Run it")

    project = Path(shutil.copytree(made_once("tiny-to-verify", make), tmp_path / "project"))
    monkeypatch.chdir(project)
    return project


def verified(
    revision: str = "HEAD", run: bool = True, cells: list[str] | None = None
) -> tuple[Verification, str]:
    """Verify a revision; return what was found, and all that was said."""
    said: list[str] = []
    found = verify(revision, cells, run, said.append)
    return found, "\n".join([*said, as_text(found)])


def verdicts(found: Verification) -> dict[str, Verdict]:
    """What each output comes to."""
    return {one.path: one.verdict for one in found.outcomes}


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything below a folder except what DVC keeps of its own."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".dvc/tmp" not in str(path) and ".vestibular" not in str(path)
    }


def test_a_run_that_comes_out_again(tiny: Path) -> None:
    """Bitwise equal but for the costs, and nothing here has changed or is left over."""
    before = files_of(tiny)
    found, said = verified()
    assert found.findings == []
    costs = found.outcomes[-1]
    assert (costs.path, costs.verdict) == ("metrics/costs.json", Verdict.MEASURED)
    assert len(found.outcomes) == 12
    assert {one.verdict for one in found.outcomes[:-1]} == {Verdict.EQUAL}
    assert found.is_equal(noise_allowed=False)
    assert said.endswith("bitwise equal, costs excluded (11 outputs)")
    assert "200 answers have the recorded scores" in said
    assert files_of(tiny) == before
    assert list((tiny / ".vestibular/clones").iterdir()) == []


def test_settings_that_changed_without_a_run(tiny: Path) -> None:
    """Found without running anything; then the run says what that does to the results."""
    (tiny / "params.yaml").write_text(SETTINGS.replace("seed: 1", "seed: 2"))
    commit_all(tiny, "Another seed")
    found, said = verified(run=False)
    assert [finding.kind for finding in found.findings] == ["settings"]
    stages = "prepare, train@a, train@b"
    assert f"seed: 1 when {stages} were run, 2 in params.yaml" in said
    assert not found.is_equal(noise_allowed=True)
    found, said = verified()
    assert verdicts(found)["data/prepared"] is Verdict.EQUAL
    assert verdicts(found)["models/adapters/a"] is Verdict.NOISE
    assert verdicts(found)["metrics/predictions/a.jsonl"] is Verdict.NOISE
    assert "loss by up to 1" in said
    assert "within the noise (difference" in " ".join(said.split())
    # of the run's own commit nothing is to be said
    assert verified("HEAD~1", run=False)[0].is_equal(noise_allowed=False)


def test_code_and_stages_that_changed_without_a_run(tiny: Path) -> None:
    """Each is named with the stages that it concerns."""
    with (tiny / "make.py").open("a") as file:
        file.write("# the same\n")
    (tiny / "dvc.yaml").write_text(GRAPH.replace("make.py select", "make.py  select"))
    (tiny / "params.yaml").write_text(SETTINGS + "  c: {base_model: x}\n")
    commit_all(tiny, "More")
    found, _ = verified(run=False)
    texts = {finding.text for finding in found.findings}
    assert {"train@c: not in dvc.lock: it was not run"} < texts
    assert "its command in dvc.yaml: changed since it was read by select" in texts
    assert any(text.startswith("make.py: changed since it was read by") for text in texts)
    assert "candidates.c.base_model: not set when prepare was run, 'x' in params.yaml" in texts


def test_files_that_the_run_did_not_write(tiny: Path) -> None:
    """A metric in git, an answer here, and an object in DVC's cache."""
    exam = tiny / "metrics/exam/a.json"
    exam.write_text(exam.read_text().replace("0.", "0.9", 1))
    commit_all(tiny, "Better")
    answers = tiny / "metrics/predictions/a.jsonl"
    text = answers.read_text()
    answers.unlink()
    answers.write_text(text.replace("Rui", "Ana", 1))
    kept = tiny / ".dvc/cache/files/md5"
    report = next(path for path in kept.glob("*/*") if path.read_bytes().startswith(b"{'"))
    report.chmod(0o644)
    report.write_text("<html>Buy this model</html>")
    found, said = verified(run=False)
    assert "metrics/exam/a.json: the commit's file is not the one that evaluate@a wrote" in said
    here = "the file in the working tree is not the one that evaluate@a wrote"
    assert f"metrics/predictions/a.jsonl: {here}" in said
    assert "metrics/report.html: DVC's cache contains other bytes than select wrote" in said
    assert "metrics/predictions/b.jsonl" not in said
    assert not found.is_equal(noise_allowed=True)


def test_answers_that_have_other_scores(tiny: Path) -> None:
    """Whoever changes answers and has DVC record them has their scores and means against him."""
    answers = tiny / "metrics/predictions/a.jsonl"
    text = answers.read_text().replace('"answer": "Rui"', '"answer": "Ana"', 1)
    answers.unlink()
    answers.write_text(text)
    assert run_dvc("commit", "--force", "evaluate@a").returncode == 0
    commit_all(tiny, "Better")
    found, said = verified(run=False)
    (finding,) = (one for one in found.findings if one.kind == "scores")
    assert "recorded exact match 0 and F1 0 for 'Ana', but the scores are 1 and 1" in finding.text
    # and what `select` has read is not this either
    assert "metrics/predictions: changed since it was read by select" in said


@pytest.mark.parametrize(
    ("variable", "value", "verdict"),
    [("LUCK", "7", Verdict.NOISE), ("SKILL", "0.05", Verdict.DIFFERENT)],
)
def test_a_run_that_comes_out_different(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, verdict: Verdict
) -> None:
    """By how much, and whether beyond noise; one cell's stages alone can be run."""
    monkeypatch.setenv(variable, value)
    found, said = verified(cells=["a"])
    assert found.findings == []
    assert list(verdicts(found)) == [
        *("data/prepared", "models/adapters/a", "metrics/curves/a.tsv"),
        *("metrics/predictions/a.jsonl", "metrics/exam/a.json"),
    ]
    assert verdicts(found)["metrics/predictions/a.jsonl"] is verdict
    assert verdicts(found)["metrics/exam/a.json"] is verdict
    assert verdicts(found)["metrics/curves/a.tsv"] is Verdict.EQUAL
    assert ("beyond noise" in said) is (verdict is Verdict.DIFFERENT)
    assert "tuned.f1: 0." in said
    assert not found.is_equal(noise_allowed=False)
    assert found.is_equal(noise_allowed=True) is (verdict is Verdict.NOISE)


def test_a_stage_that_fails(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last lines are shown, and what does not rest on it is run all the same."""
    monkeypatch.setenv("FAIL", "train@a")
    found, said = verified()
    made = verdicts(found)
    assert made["models/adapters/a"] is made["metrics/predictions/a.jsonl"] is Verdict.NOT_MADE
    assert made["metrics/predictions/b.jsonl"] is Verdict.EQUAL
    assert "train@a failed:" in said
    assert "  the disk is on fire" in said
    assert not found.is_equal(noise_allowed=True)


def test_data_that_dvc_keeps_and_data_that_is_nowhere(tiny: Path) -> None:
    """The one comes from the cache, the other is named."""
    shutil.rmtree(tiny / "data/mine")
    with pytest.raises(DataError, match="data/mine: neither git nor DVC has it"):
        verified(run=False)
    (tiny / "data/mine").mkdir()
    (tiny / "data/mine/questions").write_text("who?")
    (tiny / ".gitignore").write_text(IGNORED.replace("/data/\n", "/data/prepared\n/data/mine\n"))
    assert run_dvc("add", "data/mine").returncode == 0
    commit_all(tiny, "Data that DVC keeps")
    shutil.rmtree(tiny / "data/mine")
    assert verified(cells=["b"])[0].is_equal(noise_allowed=False)


def test_what_cannot_be_verified_is_named(tiny: Path) -> None:
    """A revision that is none, one without a run, and a cell that is none."""
    with pytest.raises(DataError, match="neither git nor"):
        verified("v9.9")
    with pytest.raises(DataError, match="no run belongs to it"):
        verified("HEAD~1")
    with pytest.raises(LaunchError, match=r"--cells: c: no such cell \(there are a, b\)"):
        verified(cells=["c"])


def test_the_command_tells_its_verdict_by_its_status(tiny: Path) -> None:
    """1 where something differs, 2 where nothing could be verified."""
    command = [sys.executable, "-m", "vestibular", "verify"]
    assert "no such cell" in run(tiny, *command, "--cells", "c", status=2).stderr
    winner = tiny / "metrics/winner.json"
    winner.write_text(json.dumps({**json.loads(winner.read_text()), "winner": "b"}))
    commit_all(tiny, "Another winner")
    assert "1 finding in the commit itself" in run(tiny, *command, "--no-run", status=1).stdout
    git(tiny, "revert", "--no-edit", "HEAD")
    assert "no faults found" in run(tiny, *command, "--no-run").stdout


def test_ctrl_c_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    """Neither a clone nor a stage that goes on."""
    awake = tmp_path / "awake"
    process = subprocess.Popen(
        [PYTHON, "-m", "vestibular", "verify", "--cells", "a"],
        # real processes: a warm one has no group of its own that a signal could end
        env={**environment(cold=True), "SLEEP": "train", "AWAKE": str(awake)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not awake.exists() or not awake.read_text():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=FOREVER)
    assert process.returncode == 130
    assert said.endswith(b"interrupted\n")
    assert list((tiny / ".vestibular/clones").iterdir()) == []
    assert has_ended(int(awake.read_text()))
    assert git(tiny, "status", "--porcelain") == ""
