"""An adapter that is loaded again is the one that was trained, however it began."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.architectures import configuration, save_base, tiny
from tests.support.commands import ROOT
from tests.unit.modeling.test_tensors import draw
from vestibular.core.base_models import Pin
from vestibular.core.errors import BaseModelError
from vestibular.training.settings import LoraSettings

pytestmark = pytest.mark.slow

KEPT = (True, False, "gaussian", "olora", "pissa", "pissa_niter_4", "orthogonal", "mica")
"""Starts that peft makes by itself."""
BY_DATA = ("corda", "eva", "lora_ga")
WITH_OPTIONS: tuple[dict[str, Any], ...] = (
    {"use_dora": True},
    {"use_rslora": True, "init_lora_weights": "pissa_niter_2"},
    {"rank_pattern": {"q_proj": 2}, "init_lora_weights": "olora"},
    {"bias": "all"},
    {"exclude_modules": ["k_proj", "o_proj", "up_proj", "gate_proj", "down_proj"]},
)


def lora(**options: Any) -> LoraSettings:
    """Settings with options of peft's own."""
    return LoraSettings(r=4, alpha=8, dropout=0.0, target_modules="auto", options=options)


def trained(model: Any) -> Any:
    """As if a training had moved every trained value."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.add_(torch.randn_like(parameter), alpha=0.05)
    return model


def reloaded(name: str, settings: LoraSettings, folder: Path) -> None:
    """Train, save, load again in another state of chance, and compare."""
    from transformers import AutoTokenizer

    from vestibular.training import saving
    from vestibular.training.adapters import add_adapter

    model = add_adapter(tiny(name), settings, "none")
    start = saving.starting_point(model)
    (question,) = draw(1, seed=3)[:1]
    expected = saving.outputs(trained(model), question)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "demo/bases/gpt2-tiny")
    saving.save_trained(model, tokenizer, Pin("base"), folder, start)
    torch.manual_seed(99)
    saving.check_reloaded(expected, question, folder, lambda: tiny(name), start)


@pytest.mark.parametrize("start", KEPT, ids=str)
def test_every_start_is_loaded_as_it_was_trained(tmp_path: Path, start: Any) -> None:
    """Those that change the base are saved for the base as it was."""
    reloaded("llama", lora(init_lora_weights=start), tmp_path)


@pytest.mark.parametrize("start", [start for start in KEPT if start != "olora"], ids=str)
def test_so_it_is_with_transposed_matrices(tmp_path: Path, start: Any) -> None:
    """GPT-2 keeps its matrices the other way round."""
    reloaded("gpt2", lora(init_lora_weights=start), tmp_path)


@pytest.mark.parametrize("options", WITH_OPTIONS, ids=str)
def test_so_it_is_with_other_options(tmp_path: Path, options: dict[str, Any]) -> None:
    """Another scale, another rank for some modules, biases, magnitudes apart."""
    reloaded("llama", lora(**options), tmp_path)


@pytest.mark.parametrize("start", BY_DATA)
def test_a_start_from_data_is_refused(start: str) -> None:
    """Without its own preparation peft would silently start as usual, or raise."""
    from vestibular.training.adapters import add_adapter

    with pytest.raises(BaseModelError, match=rf"init_lora_weights: {start}: derives the initial"):
        add_adapter(tiny("llama"), lora(init_lora_weights=start), "none")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gpt2", {"init_lora_weights": "olora"}),
        ("llama", {"init_lora_weights": "pissa", "use_rslora": True, "rank_pattern": {"q": 2}}),
        ("llama", {"init_lora_weights": "loftq"}),
        # its quantizer asks for a GPU
        pytest.param(
            "llama",
            {"init_lora_weights": "loftq", "loftq_config": {"loftq_bits": 4, "loftq_iter": 1}},
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="has what it asks for"),
        ),
    ],
)
def test_what_cannot_be_saved_is_refused_before_the_training(
    name: str, options: dict[str, Any]
) -> None:
    """On a small model, in seconds: olora on GPT-2, and what peft will not convert."""
    from vestibular.training.saving import rehearse_saving

    with pytest.raises(BaseModelError, match=r"train\.lora"):
        rehearse_saving(configuration(name), lora(**options))
    rehearse_saving(configuration(name), lora(init_lora_weights="pissa_niter_4"))


def test_another_adapter_than_the_trained_one_is_told(tmp_path: Path) -> None:
    """One number that is changed in the file ends the training with an error."""
    from safetensors.torch import load_file, save_file

    from vestibular.training import saving
    from vestibular.training.adapters import add_adapter

    model = trained(add_adapter(tiny("gpt2"), lora(), "none"))
    (question,) = draw(1, seed=3)[:1]
    saving.save_adapter(model, tmp_path, None)
    expected = saving.outputs(model, question)
    saving.check_reloaded(expected, question, tmp_path, lambda: tiny("gpt2"), None)
    path = tmp_path / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if "lora_B" in name)
    tensors[name] = tensors[name] + torch.ones_like(tensors[name])
    save_file(tensors, path)
    with pytest.raises(BaseModelError, match="is not the one that was trained"):
        saving.check_reloaded(expected, question, tmp_path, lambda: tiny("gpt2"), None)


def test_the_files_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """Sets have another order in each process; what is written has one."""
    base = tmp_path / "base"
    save_base("llama", base, ROOT / "demo/bases/gpt2-tiny")
    code = (
        "import sys; from pathlib import Path; import torch\n"
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n"
        "from vestibular.core.base_models import Pin\n"
        "from vestibular.training.adapters import add_adapter\n"
        "from vestibular.training.saving import save_trained\n"
        "from tests.unit.training.test_saving import WITH_OPTIONS, lora\n"
        "torch.manual_seed(0)\n"
        "model = AutoModelForCausalLM.from_pretrained(sys.argv[1])\n"
        "settings = lora(**WITH_OPTIONS[-1])\n"
        "settings = settings.model_copy(update={'target_modules': 'all-linear'})\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "model = add_adapter(model, settings, 'none')\n"
        "save_trained(model, tokenizer, Pin('base'), Path(sys.argv[2]))\n"
    )
    for seed in ("1", "2", "3"):
        subprocess.run(
            [sys.executable, "-c", code, str(base), str(tmp_path / seed)],
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            },
            check=True,
            capture_output=True,
        )
    written = [
        {path.name: path.read_bytes() for path in (tmp_path / seed).iterdir()}
        for seed in ("1", "2", "3")
    ]
    assert written[0] == written[1] == written[2]
    content = json.loads(written[0]["adapter_config.json"])
    assert content["exclude_modules"] == sorted(WITH_OPTIONS[-1]["exclude_modules"])
    assert content["target_modules"] == sorted(content["target_modules"])
