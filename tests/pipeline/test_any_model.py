"""Architectures that contexts cannot be shared on, or only with their own masks, run by DVC."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.architectures import save_base
from tests.support.clones import few_questions
from tests.support.commands import run
from tests.support.settings import change
from vestibular.core.exam_results import AnsweredQuestion

pytestmark = pytest.mark.slow

KINDS = {
    "mistral": ("shared", "shared"),
    "bloom": ("padded", "padded"),
    "mamba": ("padded", "padded"),
    "gemma3": ("shared", "shared"),
}
"""Tiny models with windows of 16 tokens, with alibi, recurrent, and with an image tower."""
HOW = {
    "shared": "the questions of a context together",
    "padded": "several questions at a time, each with its own copy of the context",
}
"""What the plan says of each way."""
NEW_TOKENS = 8
LEAST = 200
"""Tokens of each context, at least."""


def stretch(path: Path, tokenizer: Any) -> None:
    """Make contexts long: those of a document are put behind each other, again and again."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for document in content["data"]:
        for paragraph in document["paragraphs"]:
            context = paragraph["context"]
            while len(tokenizer(context)["input_ids"]) < LEAST:
                context += " " + paragraph["context"]
            paragraph["context"] = context
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def generated(project: Path, name: str) -> list[tuple[str, str]]:
    """What transformers' own generate says to each question, base and fine-tuned."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from vestibular.core.questions import read_questions
    from vestibular.modeling.encoding import encode_prompt
    from vestibular.params.project import load_params

    base = project / f"demo/bases/{name}"
    tokenizer = AutoTokenizer.from_pretrained(base)
    prompt = load_params(project / "params.yaml").prompt
    questions = read_questions(project / "data/prepared", "validation")
    said = []
    for tuned in (False, True):
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        if tuned:
            model = PeftModel.from_pretrained(model, str(project / f"models/adapters/{name}"))
        model.eval()
        answers = []
        for question in questions:
            ids = torch.tensor(
                [encode_prompt(tokenizer, prompt, question.context, question.question)]
            )
            assert ids.shape[1] > LEAST
            with torch.inference_mode():
                output = model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=False,
                    max_new_tokens=NEW_TOKENS,
                    pad_token_id=0,
                )
            text = tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
            answers.append(text.strip())
        said.append(answers)
    return list(zip(*said, strict=True))


@pytest.fixture
def long_project(project: Path) -> Path:
    """A project with contexts of at least 200 tokens and four candidates of other kinds."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(project / "demo/bases/gpt2-tiny")
    for name, documents in (("train", 2), ("dev", 1)):
        path = project / f"demo/data/{name}.json"
        few_questions(path, documents)
        stretch(path, tokenizer)
    for name in KINDS:
        save_base(name, project / f"demo/bases/{name}", project / "demo/bases/gpt2-tiny")
    candidates = {name: {"base_model": f"demo/bases/{name}"} for name in KINDS}
    settings = {"evaluate.max_new_tokens": NEW_TOKENS, "train.epochs": 1}
    change(project, {"candidates": candidates, **settings})
    run(project, "dvc", "commit", "--force", "--quiet", "demo/dvc.yaml")
    return project


def test_other_kinds_of_models_go_through_the_pipeline(long_project: Path) -> None:
    """Taught and asked as is right for each, to the very answers that generate gives."""
    project = long_project
    plan = run(project, "vestibular", "plan").stdout
    for name, (training, exam) in KINDS.items():
        assert training == exam
        assert f"{name}: learns and answers {HOW[exam]}" in plan
        # a reason where there is a faster way
        assert (f"{name}: learns and answers {HOW[exam]} (" in plan) == (exam != "shared")
    done = run(project, "dvc", "repro")
    assert "Traceback" not in done.stderr
    for name, (training, exam) in KINDS.items():
        details = json.loads((project / f"metrics/details/{name}.json").read_text("utf-8"))
        assert details["way"] == exam
        record = json.loads((project / f"models/adapters/{name}/training.json").read_text("utf-8"))
        assert record["way"] == training
        rows = [
            AnsweredQuestion.read_lines(project / f"metrics/{folder}/{name}.jsonl")
            for folder in ("bases", "predictions")
        ]
        found = [tuple(each.answer for each in pair) for pair in zip(*rows, strict=True)]
        expected = generated(project, name)
        assert found == expected
        assert len(set(expected)) > len(expected) / 4
