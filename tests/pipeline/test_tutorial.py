"""The tutorial's last steps in its own Python, on the runs of this pipeline; and the same by ours.

"LLM Fine-Tuning and Model Selection Using Neptune and Transformers" (neptune.ai's blog) takes the
versions of a model as a table, sorts them by exact match and F1, puts the first into production,
and later downloads whatever is in production, loads base and adapter, and asks. Its calls are made
here by the real client against the local server; only token and project differ.
"""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import environment, run
from tests.support.repositories import commit_all, git
from tests.support.serving import Serving
from vestibular.core.model_file import ModelFile

pytestmark = pytest.mark.slow

CHOOSE = """
project = neptune.init_project(mode="read-only")
key = project["sys/id"].fetch()
model = neptune.init_model(with_id=f"{key}-QAPTBR", mode="read-only")
versions = model.fetch_model_versions_table().to_pandas()
versions = versions.sort_values(["model/exact-match", "model/f1"], ascending=False)
best = versions["sys/id"].iloc[0]
model_version = neptune.init_model_version(with_id=best)
model_version.change_stage("production")
model_version.stop()
model.stop()
project.stop()
answer(versions[["sys/id", "model/run", "model/candidate", "model/exact-match", "model/f1"]]
    .to_dict("records"))
"""
"""The best by exact match, then F1, into production."""
USE = """
import zipfile
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
project = neptune.init_project(mode="read-only")
model = neptune.init_model(with_id=f"{project['sys/id'].fetch()}-QAPTBR", mode="read-only")
versions = model.fetch_model_versions_table().to_pandas()
production = versions[versions["sys/stage"] == "production"]["sys/id"].iloc[0]
model_version = neptune.init_model_version(with_id=production, mode="read-only")
model_version["model/artifacts"].download("artifacts.zip")
zipfile.ZipFile("artifacts.zip").extractall("artifacts")
name = model_version["model/model-name"].fetch()
tokenizer = AutoTokenizer.from_pretrained(name)
base = AutoModelForCausalLM.from_pretrained(name)
model = PeftModel.from_pretrained(base, "artifacts").eval()
answers = []
for prompt in json.loads(sys.argv[1]):
    inputs = tokenizer(prompt, return_tensors="pt")
    tokens = model.generate(
        **inputs, max_new_tokens=int(sys.argv[2]), do_sample=False,
        pad_token_id=tokenizer.eos_token_id,
    )
    new = tokens[0][inputs["input_ids"].shape[1]:]
    answers.append(tokenizer.decode(new, skip_special_tokens=True).strip())
answer({"version": production, "answers": answers})
"""
"""What is in production, downloaded, loaded and asked."""
DOWNLOAD = """
project = neptune.init_project(mode="read-only")
model = neptune.init_model(with_id=f"{project['sys/id'].fetch()}-QAPTBR", mode="read-only")
versions = model.fetch_model_versions_table().to_pandas().set_index("model/run")
version = neptune.init_model_version(with_id=versions.loc[sys.argv[1], "sys/id"], mode="read-only")
version["model/artifacts"].download("artifacts.zip")
answer(version["model/can-answer"].fetch())
"""
"""The files of a run's version."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    """A server with nothing in it."""
    with Serving(tmp_path / "server", "--port", "0") as serving:
        yield serving


def ask(model: Path, folder: Path, asked: list[dict[str, Any]]) -> list[str]:
    """Ask by our command, in a folder where there is no project."""
    rows = [{name: row[name] for name in ("context", "question")} for row in asked]
    (folder / "asked.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    command = (sys.executable, "-m", "vestibular", "answer", "--model", str(model))
    run(folder, *command, "--questions", "asked.jsonl", "--output", "answers.jsonl")
    lines = (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    (folder / "answers.jsonl").unlink()
    return [json.loads(line)["answer"] for line in lines]


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack what a client has downloaded."""
    zipfile.ZipFile(archive).extractall(folder)
    return folder


def test_the_tutorials_python_and_our_commands_give_the_same_answers(
    reproduced_project: Path, server: Serving, tmp_path: Path
) -> None:
    """From the same version, whichever way it was chosen and downloaded."""
    project, elsewhere = reproduced_project, tmp_path / "elsewhere"
    elsewhere.mkdir()
    rows = (project / "data/prepared/validation.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(row) for row in rows[:6]]
    variables = {**environment(), **server.environment()}
    mirror = [sys.executable, "-m", "vestibular", "mirror", "--target", "neptune"]
    done = subprocess.run(mirror, cwd=project, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    found: Any = server.client(project, CHOOSE)
    scores = [(row["model/exact-match"], row["model/f1"]) for row in found]
    assert scores == sorted(scores, reverse=True)
    assert len(found) == 3
    # in the project, where the base models lie under the names that the versions give them
    template = ModelFile.read(project / "models/production/model.json")
    prompts = [
        template.prompt.template.replace("{context}", row["context"]).replace(
            "{question}", row["question"]
        )
        for row in asked
    ]
    used: Any = server.client(project, USE, json.dumps(prompts), str(template.max_new_tokens))
    assert used["version"] == found[0]["sys/id"]
    assert any(used["answers"])
    shutil.move(project / "artifacts", elsewhere / "artifacts")
    assert ask(elsewhere / "artifacts", elsewhere, asked) == used["answers"]

    # and the version that our registry has in production: by Neptune's client and by ours
    commit_all(project, "Run")
    registry = (sys.executable, "-m", "vestibular", "registry")
    run(project, "dvc", "remote", "add", "--quiet", "--default", "own", str(tmp_path / "remote"))
    git(project, "commit", "--all", "--quiet", "--message=Remote")
    run(project, "dvc", "push", "--quiet")
    run(project, *registry, "register")
    run(project, *registry, "promote", "v0.1.0")
    run(project, *registry, "download", str(elsewhere / "ours"))
    training = json.loads((elsewhere / "ours/training.json").read_text(encoding="utf-8"))
    can_answer = server.client(elsewhere, DOWNLOAD, training["run"])
    assert can_answer == "yes"
    theirs = unpack(elsewhere / "artifacts.zip", elsewhere / "theirs")
    # what `select` wrote for people is not needed for an answer
    everything = {path.relative_to(elsewhere / "ours") for path in all_files(elsewhere / "ours")}
    uploaded = {path.relative_to(theirs) for path in all_files(theirs)}
    assert everything - uploaded == {Path("README.md")}
    assert uploaded <= everything
    for name in uploaded - {Path("model.json")}:
        assert (theirs / name).read_bytes() == (elsewhere / "ours" / name).read_bytes()
    one, other = (ModelFile.read(folder / "model.json") for folder in (theirs, elsewhere / "ours"))
    assert one.model_copy(update={"data": other.data}) == other
    shutil.rmtree(project)
    assert ask(theirs, elsewhere, asked) == ask(elsewhere / "ours", elsewhere, asked)


def all_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
