"""The real pipeline, run by DVC in a clone with few questions."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.commands import environment, run
from tests.support.patience import FOREVER
from tests.support.settings import change
from vestibular.core.costs import TrainingCost
from vestibular.core.documents import context_name
from vestibular.core.exam_results import ExamDetails, ScoresFile
from vestibular.core.files import folder_sha256
from vestibular.core.questions import read_questions
from vestibular.core.training_record import TrainingRecord
from vestibular.selection.leaderboard import Leaderboard

pytestmark = pytest.mark.slow

NAMES = ("gpt2-mini", "gpt2-tiny", "opt-tiny")


def measured(path: Path) -> bool:
    """Whether a file holds seconds or bytes, which are never the same twice."""
    return path.name in ("costs.json", "report.html")


def results(project: Path) -> dict[str, str]:
    """Hashes of everything that should not change when a run is repeated."""
    found = {
        str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("metrics", "models", "data")
        for path in sorted((project / folder).rglob("*"))
        if path.is_file() and path.name != ".gitignore" and not measured(path)
    }
    assert len(found) > 40
    assert {"data/base_exam.jsonl", "metrics/bases/opt-tiny.jsonl"} < found.keys()
    return found


def card_code_answers(folder: Path) -> str:
    """What the code in the model card prints, run in the model's folder."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    return run(folder, sys.executable, "-c", code).stdout.strip()


def examined_answer(project: Path, folder: Path) -> str:
    """What the exam has as the answer to the model card's question."""
    name = json.loads((folder / "model.json").read_text(encoding="utf-8"))["candidate"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    lines = (project / f"metrics/predictions/{name}.jsonl").read_text(encoding="utf-8").splitlines()
    (row,) = (
        row
        for row in map(json.loads, lines)
        if f"question = {json.dumps(row['question'], ensure_ascii=False)}\n" in card
    )
    return str(row["answer"])


def ran(output: str) -> list[str]:
    """The stages that `dvc repro` ran, in order."""
    return [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]


def test_from_data_to_a_selected_model(reproduced_project: Path) -> None:
    """One command from data to scores and a model, which answers from its folder alone."""
    project = reproduced_project
    stages = ran((project / ".vestibular/repro.out").read_text(encoding="utf-8"))
    assert stages[0] == "prepare"
    assert stages[-1] == "select"
    per_candidate = {
        f"{do}@{name}" for do in ("evaluate_base", "train", "evaluate") for name in NAMES
    }
    assert set(stages) == {"prepare", *per_candidate, "select"}
    assert len(stages) == 11
    assert "Traceback" not in (project / ".vestibular/repro.err").read_text(encoding="utf-8")
    board = Leaderboard.read(project / "metrics/leaderboard.json")
    winner = board.winner
    assert set(board.candidates) == set(NAMES)
    assert board.candidates[winner].after.f1.value > board.candidates[winner].before.f1.value

    # the model answers from anywhere
    moved = project.parent / "moved"
    (project / "models/production").rename(moved)
    said = run(
        project.parent,
        *(sys.executable, "-m", "vestibular", "answer", "--model", str(moved)),
        *("--context", "-", "Quem dirige o programa Aurora?"),
        text="O programa Aurora é dirigido por Ana Prado.",
    )
    assert said.stdout.count("\n") == 1
    assert said.stderr.startswith(f"{moved}: {winner}, ")
    assert said.stderr.count("\n") == 1
    assert card_code_answers(moved) == examined_answer(project, moved)

    # what belongs together can be told from the answers alone
    path = project / f"metrics/predictions/{winner}.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    asked = read_questions(project / "data/prepared", "validation")
    assert [row["context"] for row in rows] == [context_name(each.context) for each in asked]


def test_a_run_can_be_repeated(reproduced_project: Path) -> None:
    """There is nothing to do again; done again all the same, everything is equal in its bytes."""
    project = reproduced_project
    assert ran(run(project, "dvc", "repro").stdout) == []
    before = results(project)
    run(project, "git", "add", "--all")
    run(project, "git", "commit", "--quiet", "--message=Run")
    # stage by stage: with --force alone the demo's bases would be remade as well
    stages = ["prepare"]
    stages += [f"{do}@{name}" for do in ("evaluate_base", "train", "evaluate") for name in NAMES]
    run(project, *("dvc", "repro", "--force", "--no-run-cache", "--single-item"), *stages, "select")
    assert results(project) == before
    assert run(project, "dvc", "metrics", "diff").stdout == ""


def test_a_change_reruns_no_more_than_it_must(reproduced_project: Path) -> None:
    """One candidate's setting reruns its own stages; without the winner another one is named."""
    project = reproduced_project
    run(project, "git", "add", "--all")
    run(project, "git", "commit", "--quiet", "--message=Run")
    change(project, {"candidates.opt-tiny.learning_rate": 0.02})
    again = ran(run(project, "dvc", "repro").stdout)
    # its base, which no setting of the training concerns, is not examined again
    assert again == ["prepare", "train@opt-tiny", "evaluate@opt-tiny", "select"]
    assert "tuned.f1" in run(project, "dvc", "metrics", "diff").stdout

    winner = json.loads((project / "metrics/leaderboard.json").read_text("utf-8"))["winner"]
    change(project, remove=[f"candidates.{winner}"])
    assert ran(run(project, "dvc", "repro").stdout) == ["prepare", "select"]
    board = json.loads((project / "metrics/leaderboard.json").read_text(encoding="utf-8"))
    assert board["winner"] != winner
    assert len(board["candidates"]) == 2
    produced = json.loads((project / "models/production/model.json").read_text("utf-8"))
    assert produced["candidate"] == board["winner"]
    # what is left is what the settings name
    assert not [path for path in results(project) if winner in Path(path).name]
    assert {path.name for path in (project / "models/adapters").iterdir()} == (
        set(NAMES) - {winner}
    )


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated")
def test_variants_are_experiments(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dvc exp run -S` makes a variant, without some candidates, that `dvc exp show` lists."""
    run(
        project,
        *("dvc", "exp", "run", "-n", "hot", "-S", "train.learning_rate=0.03"),
        *("-S", "~candidates.gpt2-mini", "-S", "~candidates.gpt2-tiny"),
    )
    shown = run(project, "dvc", "exp", "show", "--csv").stdout
    assert "hot" in shown
    assert "0.03" in shown
    assert "tuned.f1" in shown
    assert "metrics/exam/gpt2-tiny.json" not in shown
    # MLflow tells it from the candidate's other trainings
    address = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    run(project, sys.executable, "-m", "vestibular", "mirror", "--target", "mlflow")
    from mlflow import MlflowClient

    client = MlflowClient(address, address)
    experiment = client.get_experiment_by_name("qa-model")
    (mirrored,) = client.search_runs([experiment.experiment_id])
    assert mirrored.info.run_name == "opt-tiny (hot)"
    assert mirrored.data.tags["run/experiment"] == "hot"
    assert mirrored.info.status == "FINISHED"


def test_a_killed_training_resumes_to_the_same_bytes(reproduced_project: Path) -> None:
    """SIGKILL in mid-training, then the same command: the adapter and curve of a calm run."""
    project = reproduced_project
    calm = folder_sha256(project / "models/adapters/gpt2-tiny")
    curve = (project / "metrics/curves/gpt2-tiny.tsv").read_bytes()
    command = [sys.executable, "-m", "stages.train", "gpt2-tiny"]
    process = subprocess.Popen(
        command, cwd=project, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    waited = time.monotonic()
    while not list(project.glob(".vestibular/checkpoints/*/checkpoint-*/complete")):
        assert process.poll() is None
        assert time.monotonic() - waited < FOREVER
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    # as if the kill had come in the middle of writing the next one
    (folder,) = project.glob(".vestibular/checkpoints/*")
    (folder / "checkpoint-999").mkdir()
    resumed = run(project, "dvc", "repro", "--force", "--single-item", "train@gpt2-tiny")
    # the first steps were not taken again, which is said
    assert re.search(r"continues from step (5|10|15|20) of 22\n", resumed.stderr)
    assert "step 5/" not in resumed.stderr
    assert "step 20/" in resumed.stderr
    assert folder_sha256(project / "models/adapters/gpt2-tiny") == calm
    assert (project / "metrics/curves/gpt2-tiny.tsv").read_bytes() == curve
    assert not list(project.glob(".vestibular/checkpoints/*"))


def test_a_training_that_could_not_write_its_end_does_so_later(project: Path) -> None:
    """The last checkpoint is that of the last step: nothing is left to train, and all to write."""
    run(project, sys.executable, "-m", "stages.prepare")
    command = (sys.executable, "-m", "stages.train", "gpt2-tiny")
    adapters = project / "models/adapters"
    adapters.parent.mkdir(exist_ok=True)
    adapters.touch()
    assert "Traceback" not in run(project, *command, status=2).stderr
    markers = project.glob(".vestibular/checkpoints/*/checkpoint-*/complete")
    before = max(json.loads(marker.read_text(encoding="utf-8"))["seconds"] for marker in markers)
    adapters.unlink()
    run(project, *command)
    cost = TrainingCost.read(cost_file(project, "gpt2-tiny", "train"))
    assert cost.seconds > before
    assert cost.questions_per_second < 1e4


def cost_file(project: Path, name: str, stage: str) -> Path:
    """Where what was measured of a candidate's own training or exam lies."""
    trained = TrainingRecord.read(project / f"models/adapters/{name}/training.json")
    return project / f".vestibular/costs/{trained.run}-{stage}.json"


def trained_and_examined(project: Path, name: str, cold: bool = False) -> tuple[str, ExamDetails]:
    """Prepare, train and examine a candidate; return what the training said, and the exam's."""
    run(project, sys.executable, "-m", "stages.prepare")
    said = run(project, sys.executable, "-m", "stages.train", name, cold=cold).stderr
    run(project, sys.executable, "-m", "stages.evaluate_base", name)
    run(project, sys.executable, "-m", "stages.evaluate", name)
    details = ExamDetails.read(project / f"metrics/details/{name}.json")
    base = ExamDetails.read(project / f"metrics/bases/{name}.json")
    assert details.base_scores == base.scores
    shown = ScoresFile.read(project / f"metrics/exam/{name}.json")
    assert shown == ScoresFile.of(base.scores, details.scores)
    return said, details


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_a_quantized_base_is_trained_and_examined(
    project: Path, reproduced_once: Path, quantization: str
) -> None:
    """8 and 4 bit work on a CPU, from training to scores, without noise on the log."""
    change(project, {"train.quantization": quantization})
    # what libraries say when they are imported is noise as well
    said, details = trained_and_examined(project, "gpt2-tiny", cold=True)
    example, _, steps = said.partition("<<<\n")
    assert example.startswith("first example: ")
    assert all(line.startswith("step ") for line in steps.splitlines()), said
    plain = ExamDetails.read(reproduced_once / "metrics/details/gpt2-tiny.json")
    assert details.parameters == plain.parameters
    assert details.model_bytes < plain.model_bytes
    assert details.base_scores is not None
    assert details.scores.f1 > details.base_scores.f1


def test_modules_that_are_not_there_are_refused(prepared_project: Path) -> None:
    """A wrong `target_modules` ends before training, with the names that there are."""
    project = prepared_project
    change(project, {"train.lora.target_modules": ["q_proj"]})
    result = run(project, sys.executable, "-m", "stages.train", "gpt2-tiny", status=2)
    assert "q_proj" in result.stderr
    assert "c_attn, c_fc, c_proj" in result.stderr
    assert not (project / "models/adapters/gpt2-tiny").exists()


@pytest.mark.parametrize("blocks", [10, 70], ids=["early", "late"])
def test_a_full_disk_leaves_nothing_half_written(prepared_project: Path, blocks: int) -> None:
    """A file that cannot grow ends the training in one message; old outputs stay whole."""
    project = prepared_project
    old = project / "models/adapters/gpt2-tiny/old"
    old.parent.mkdir(parents=True)
    old.touch()
    # at the first checkpoint, or at the end of the training
    steps = 5 if blocks == 10 else 500
    change(project, {"train.checkpoint_steps": steps, "train.lora.r": 64})
    limited = f"ulimit -f {blocks}; exec {sys.executable} -m stages.train gpt2-tiny"
    result = run(project, "bash", "-c", limited, status=2)
    assert "no space left on the disk; nothing was replaced" in result.stderr
    assert "Traceback" not in result.stderr
    left = {path.name for path in (project / "models/adapters").rglob("*")}
    assert left == {"gpt2-tiny", "old"}
    assert not (project / "metrics/curves/gpt2-tiny.tsv").exists()


def test_a_loss_that_explodes_ends_the_training(prepared_project: Path) -> None:
    """A learning rate that is far too high is named, and no adapter is written."""
    project = prepared_project
    change(project, {"train.learning_rate": 1e30})
    result = run(project, sys.executable, "-m", "stages.train", "gpt2-tiny", status=2)
    assert "train.learning_rate: 1e+30 is too high" in result.stderr
    assert not (project / "models/adapters/gpt2-tiny").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "full", "learning_rate": 1e-3},
        {
            "precision": "bfloat16",
            "gradient_checkpointing": "auto",
            "lora.target_modules": "all-linear",
            "lora.options": {"use_dora": True, "use_rslora": True, "rank_pattern": {"c_proj": 4}},
            "max_tokens_per_batch": "auto",
        },
        {"loss": "full", "batching": "padded_to_max_length"},
    ],
    ids=["full", "bfloat16-dora", "published"],
)
def test_other_ways_of_training_learn_and_answer(project: Path, changes: dict[str, object]) -> None:
    """All weights, half precision, peft's options, the published recipe: trained, examined."""
    change(project, {f"train.{name}": value for name, value in changes.items()})
    _, details = trained_and_examined(project, "gpt2-tiny")
    assert details.base_scores is not None
    if "loss" not in changes:
        assert details.scores.f1 > details.base_scores.f1
    with (project / "metrics/curves/gpt2-tiny.tsv").open(encoding="utf-8") as file:
        losses = [float(row.split("\t")[2]) for row in list(file)[1:] if row.split("\t")[2]]
    assert losses[-1] < losses[0]
    assert details.windows == details.questions
    trained = json.loads((project / "models/adapters/gpt2-tiny/training.json").read_text("utf-8"))
    assert isinstance(trained["max_tokens_per_batch"], int)
    assert trained["gradient_checkpointing"] is False


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("train.precision", "float16", "train.precision: float16 needs a CUDA GPU"),
        (
            "train.lora.options",
            {"rank": 3},
            "train.lora.options: rank: peft's LoraConfig has no such option",
        ),
        ("prompt.chat", True, "prompt.chat: the model's tokenizer has no chat template"),
    ],
)
def test_what_cannot_be_honoured_is_refused(
    prepared_project: Path, setting: str, value: object, message: str
) -> None:
    """An option that the device, peft or the model lacks ends in its name, before training."""
    project = prepared_project
    change(project, {setting: value})
    result = run(project, sys.executable, "-m", "stages.train", "gpt2-tiny", status=2)
    assert message in result.stderr
    assert "step 5" not in result.stderr
