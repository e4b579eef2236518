"""FaQuAD with GPT-2 and OPT as `params/faquad.yaml` says, offline, on tiny stand-ins."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import run
from tests.support.settings import change
from vestibular.core.files import file_sha256
from vestibular.params.project import load_params

pytestmark = pytest.mark.slow


def tiny_hub(cache: Path, params: Path, tokenizer: Path) -> None:
    """Fill a hub cache with tiny models of the real ones' architectures, under their names."""
    import torch
    import transformers as t

    tokens = t.AutoTokenizer.from_pretrained(tokenizer)
    common: dict[str, Any] = {
        "vocab_size": len(tokens),
        "bos_token_id": tokens.bos_token_id,
        "eos_token_id": tokens.eos_token_id,
    }
    for candidate in load_params(params).candidates.values():
        owner_and_name = candidate.base_model.replace("/", "--")
        folder = cache / f"models--{owner_and_name}/snapshots/{candidate.revision}"
        torch.manual_seed(0)
        if "opt" in candidate.base_model:
            configuration: Any = t.OPTConfig(
                **common,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                ffn_dim=64,
                word_embed_proj_dim=32,
            )
        else:
            configuration = t.GPT2Config(**common, n_embd=32, n_layer=2, n_head=2)
        t.AutoModelForCausalLM.from_config(configuration).save_pretrained(folder)
        tokens.save_pretrained(folder)


@pytest.mark.long
def test_faquads_settings_run_offline(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without files one message names all that is missing; with them the pipeline runs through.

    The questions are the demo's, one epoch is trained, answers are short, and of three candidates
    of one architecture one is trained; all else is the file's.
    """
    cache = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shutil.copy(project / "params/faquad.yaml", project / "params.yaml")
    # two files of one content would be refused
    stand_ins = {"train": tmp_path / "train.json", "dev": project / "demo/data/dev.json"}
    stand_ins["train"].write_bytes(stand_ins["dev"].read_bytes() + b"\n")
    sha256 = {"train": "train", "validation": "dev"}
    change(
        project,
        {f"data.sha256.{name}": file_sha256(stand_ins[file]) for name, file in sha256.items()},
    )
    # models that have learned nothing do not stop: short answers, one epoch
    change(project, {"train.epochs": 1, "evaluate.max_new_tokens": 8})

    message = run(project, sys.executable, "-m", "stages.prepare", status=2).stderr
    assert "data/faquad/train.json: not found" in message
    assert "vestibular fetch" in message
    for model in ("gpt2", "gpt2-medium", "gpt2-large"):
        assert f"hf download openai-community/{model} --revision" in message
    assert "hf download facebook/opt-125m --revision" in message
    assert "HF_HUB_OFFLINE is set" in message
    assert not (project / "data/prepared").exists()

    (project / "data/faquad").mkdir()
    for name, path in stand_ins.items():
        shutil.copy(path, project / f"data/faquad/{name}.json")
    tiny_hub(cache, project / "params/faquad.yaml", project / "demo/bases/gpt2-tiny")
    assert "exists already" in run(project, "vestibular", "fetch").stdout
    plan = run(project, "vestibular", "plan").stdout
    assert plan.count("yes") == 4
    # three stand-ins are of one architecture: one of them is trained
    change(project, remove=["candidates.gpt2", "candidates.gpt2-medium"])
    run(project, "dvc", "repro")
    board = json.loads((project / "metrics/leaderboard.json").read_text(encoding="utf-8"))
    assert sorted(board["candidates"]) == ["gpt2-large", "opt-125m"]
    for row in board["candidates"].values():
        for when in ("before", "after"):
            assert {"exact_match", "f1"} <= row[when].keys()
            assert {"em", "f1"} <= row["details"][when]["published"].keys()
    context = project / "context.txt"
    context.write_text("Ana dirige o museu.", encoding="utf-8")
    ask = ["vestibular", "answer", "--context", "context.txt", "Quem dirige o museu?"]
    refusal = run(project, *ask, status=2).stderr
    assert "nothing is promoted" in refusal
    assert "overlap sentence" in refusal
    change(project, {"select.allow_below_reference": True})
    run(project, "dvc", "repro")
    run(project, *ask)
