"""What is no base model is refused by its files, before torch is imported."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.support.commands import environment
from tests.support.patience import FOREVER, slowness
from tests.support.settings import change
from vestibular.core.errors import BaseModelError
from vestibular.core.unusable_bases import check_folder, refuse_by_names, refuse_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that passes."""
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    save_file({"a": np.zeros(3)}, tmp_path / "model.safetensors")
    check_folder(tmp_path, "here")
    return tmp_path


def test_an_adapter_is_refused(folder: Path) -> None:
    """With a configuration beside it or without, and what to do is said."""
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BaseModelError, match=r"adapter_config.json.*merge_and_unload"):
        check_folder(folder, "here")
    (folder / "config.json").unlink()
    with pytest.raises(BaseModelError, match="is an adapter"):
        check_folder(folder, "here")


def test_gguf_files_are_refused(folder: Path) -> None:
    """A folder of them, one file, or those of a repository; beside safetensors they are nothing."""
    (folder / "model.Q4_1.gguf").write_bytes(b"GGUF")
    check_folder(folder, "here")
    (folder / "model.safetensors").unlink()
    with pytest.raises(BaseModelError, match="GGUF"):
        check_folder(folder, "here")
    with pytest.raises(BaseModelError, match="GGUF"):
        refuse_file("here", folder / "model.Q4_1.gguf")
    with pytest.raises(BaseModelError, match="GGUF"):
        refuse_by_names("owner/name", ["README.md", "model.Q4_1.gguf"])
    with pytest.raises(BaseModelError, match="name the folder"):
        refuse_file("here", folder / "config.json")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "by bitsandbytes.*8bit or 4b"),
        ({"is_encoder_decoder": True}, "encoder-decoder"),
        ({"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine"}}, "code of its own"),
    ],
)
def test_a_configuration_is_refused(folder: Path, more: dict[str, Any], message: str) -> None:
    """A model quantized already, an encoder-decoder, one that needs its own code."""
    path = folder / "config.json"
    path.write_text(json.dumps({"model_type": "llama", **more}), encoding="utf-8")
    with pytest.raises(BaseModelError, match=rf"here: .*{message}"):
        check_folder(folder, "here")


def test_code_beside_a_known_architecture_is_left_alone(folder: Path) -> None:
    """Transformers has its own for it, and runs that."""
    known = {"model_type": "phi3", "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}}
    (folder / "config.json").write_text(json.dumps(known), encoding="utf-8")
    check_folder(folder, "here")


SAYS = {
    "encoder": "is not a causal language model",
    "encoder-decoder": "is an encoder-decoder",
    "gguf": "holds GGUF files",
    "adapter": "is an adapter",
}


@pytest.mark.slow
@pytest.mark.parametrize("command", ["stages.prepare", "vestibular plan"])
@pytest.mark.parametrize("kind", ["encoder", "encoder-decoder", "gguf", "adapter"])
def test_a_run_ends_before_any_training(project: Path, kind: str, command: str) -> None:
    """`prepare` and `plan` end in one message, in seconds, and leave nothing to train."""
    import transformers

    base = project / "demo/bases/other"
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    if kind == "encoder":
        shutil.copytree(project / "demo/bases/gpt2-tiny", base)
        transformers.BertConfig(**small, vocab_size=1000, intermediate_size=64).save_pretrained(
            base
        )
    elif kind == "encoder-decoder":
        shutil.copytree(project / "demo/bases/gpt2-tiny", base)
        transformers.BartConfig(architectures=["BartForCausalLM"]).save_pretrained(base)
    elif kind == "gguf":
        base.mkdir()
        (base / "model.Q4_1.gguf").write_bytes(b"GGUF")
    else:
        shutil.copytree(project / "demo/bases/gpt2-tiny", base)
        (base / "adapter_config.json").write_text("{}", encoding="utf-8")
    change(project, {"candidates.gpt2-tiny.base_model": "demo/bases/other"})
    started = time.monotonic()
    said = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=FOREVER,
    )
    taken = time.monotonic() - started
    assert said.returncode == 2, said.stdout + said.stderr
    assert "demo/bases/other" in said.stderr
    assert SAYS[kind] in said.stderr
    assert "Traceback" not in said.stderr
    assert said.stderr.count("\n") == 1
    assert not (project / "data/bases").exists()
    # 10 on an idle machine
    assert taken < 60 * slowness(), taken
