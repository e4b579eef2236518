"""What a removed candidate leaves behind: nothing that a stage made, and everything else."""

import json
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.settings import change
from vestibular.selection.leftovers import remove_leftovers

DETAILS = json.dumps(
    {
        "version": 2,
        "scores": {"em": 0.5, "f1": 0.5},
        "published": {"em": 0.5, "f1": 0.5},
        "clean": None,
        "questions": 1,
        "clean_questions": 1,
        "windowed_questions": 0,
        "windows": 1,
        "parameters": {"trainable": 1, "total": 2},
        "model_bytes": 4,
        "flops_per_answer": 8.0,
    }
)
ROW = json.dumps(
    {
        "version": 2,
        "id": "1",
        "title": "",
        "question": "?",
        "references": ["x"],
        "windows": 1,
        "leaked": False,
        "answer": "x",
        "exact_match": 1.0,
        "f1": 1.0,
    }
)
TRAINING = json.dumps(
    {
        "questions": 1,
        "shortened": 0,
        "steps": 1,
        "batching": "padded",
        "max_tokens_per_batch": 1,
        "gradient_checkpointing": False,
        "run": "r",
    }
)
MADE = {
    "models/adapters/{}/training.json": TRAINING,
    "models/adapters/{}/adapter_model.safetensors": "weights",
    "metrics/curves/{}.tsv": "step\tepoch\tloss\tvalidation_loss\tlearning_rate\n",
    "metrics/exam/{}.json": '{"base": {"em": 0, "f1": 0}, "tuned": {"em": 1, "f1": 1}}',
    "metrics/details/{}.json": DETAILS,
    "metrics/bases/{}.json": DETAILS,
    "metrics/bases/{}.jsonl": ROW,
    "metrics/predictions/{}.jsonl": ROW,
}
"""What the stages make for a candidate."""
REPEATED = {"models/repeats/{}/training.json": TRAINING, "metrics/repeats/{}.jsonl": ROW}
"""What they make for a repeat of one."""
FOREIGN = {
    "models/adapters/notes.md": "mine",
    "models/adapters/downloaded/model.safetensors": "mine",
    "models/repeats/.gitkeep": "",
    "metrics/curves/mine.tsv": "a\tb\n",
    "metrics/exam/mine.json": '{"base": 1}',
    "metrics/predictions/mine.jsonl": "not JSON",
    "metrics/predictions/mine.csv": ROW,
    "metrics/details/mine.txt": DETAILS,
}
"""What somebody else put there."""


def make(files: dict[str, str], *names: str) -> set[Path]:
    found = set()
    for pattern, content in files.items():
        for path in {Path(pattern.format(name)) for name in names or ("",)}:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            found.add(path)
    return found


def test_what_a_stage_made_goes_and_all_else_stays(in_folder: Path) -> None:
    """Of candidates and repeats that the settings no longer name, and of no other."""
    kept = make(MADE, "a") | make(REPEATED, "a-fold-1", "a-seed-7") | make(FOREIGN)
    gone = make(MADE, "gone") | make(REPEATED, "a-fold-2", "gone-fold-1")
    removed = remove_leftovers(["a"], ["fold-1", "seed-7"])
    assert {path for path in in_folder.rglob("*") if path.is_file()} == {
        in_folder / path for path in kept
    }
    assert not any(path.exists() for path in gone)
    assert Path("models/adapters/gone") in removed
    assert remove_leftovers(["a"], ["fold-1", "seed-7"]) == []


@pytest.mark.slow
def test_a_removed_candidate_changes_nobodys_run(reproduced_project: Path, tmp_path: Path) -> None:
    """Whoever pulled before and whoever clones afterwards is up to date, without a run."""
    owner, store, shared = reproduced_project, tmp_path / "store", tmp_path / "shared.git"
    run(tmp_path, "git", "init", "--quiet", "--bare", "--initial-branch=main", str(shared))
    run(owner, "dvc", "remote", "add", "--default", "--force", "team", str(store))
    run(owner, "git", "remote", "add", "origin", str(shared))

    def publish(message: str) -> None:
        run(owner, "git", "add", "--all")
        run(owner, "git", "commit", "--quiet", f"--message={message}")
        run(owner, "git", "push", "--quiet", "origin", "main")
        run(owner, "dvc", "push", "--quiet")

    def up_to_date(folder: Path) -> None:
        run(folder, "dvc", "pull", "--quiet")
        assert "Data and pipelines are up to date." in run(folder, "dvc", "repro").stdout
        assert run(folder, "git", "status", "--porcelain").stdout == ""

    publish("First run")
    colleague, newcomer = tmp_path / "colleague", tmp_path / "newcomer"
    run(tmp_path, "git", "clone", "--quiet", str(shared), str(colleague))
    up_to_date(colleague)
    change(owner, remove=["candidates.opt-tiny"])
    said = run(owner, "dvc", "repro")
    assert "train@" not in said.stdout.replace("Stage 'train@", "")
    assert "models/adapters/opt-tiny: removed" in said.stdout + said.stderr
    assert not list(owner.glob("m*/*/opt-tiny*"))
    publish("Without OPT")
    run(colleague, "git", "pull", "--quiet")
    up_to_date(colleague)
    run(tmp_path, "git", "clone", "--quiet", str(shared), str(newcomer))
    up_to_date(newcomer)
