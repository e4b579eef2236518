"""Models in memory: loaded or refused, adapted, counted."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.architectures import SHAPES
from tests.support.commands import ROOT
from vestibular.core.errors import exit_on_error
from vestibular.params.project import load_params

pytestmark = pytest.mark.slow

TRAIN = load_params(ROOT / "params.yaml").train


def test_too_little_memory_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files are not blamed for it: a GPU's error and a CPU's, in loading and afterwards."""
    import torch

    from vestibular.modeling import models

    def no_room(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    def too_much(*_: object, **__: object) -> None:
        torch.empty(1 << 50)

    def load() -> None:
        models.load_base(tmp_path, "none", torch.device("cpu"), torch.float32)

    for run_out in (no_room, too_much):
        monkeypatch.setattr(models.AutoModelForCausalLM, "from_pretrained", run_out)
        for command in (run_out, load):
            with pytest.raises(SystemExit) as ended:
                exit_on_error(command)()
            assert ended.value.code == 2
            message = capsys.readouterr().err
            assert message.startswith("not enough memory (")
            assert "allocate" in message
            assert "vestibular plan" in message
            assert message.count("\n") == 1


def test_a_defect_keeps_its_traceback() -> None:
    """An error of torch's that is not about memory is the program's own."""

    def fail() -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        exit_on_error(fail)()


def test_a_configuration_that_cannot_be_is_one_message(tmp_path: Path) -> None:
    """A value of another type, and values that do not go together, each of which has an error."""
    from vestibular.core.errors import BaseModelError
    from vestibular.modeling.models import load_configuration

    for values in ({"num_hidden_layers": "x"}, {"hidden_size": 30, "num_attention_heads": 4}):
        content = {"model_type": "llama", **values}
        (tmp_path / "config.json").write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(BaseModelError, match=r"config.json does not describe a model"):
            load_configuration(tmp_path)


class Program:
    """What makes a folder where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_program_among_pickled_weights_is_not_run(
    tiny_model: Callable[[str], Any], tmp_path: Path, legacy: bool
) -> None:
    """Nor does the message say how it could be."""
    import torch

    from vestibular.core.errors import BaseModelError
    from vestibular.modeling.models import load_base

    model = tiny_model("llama")
    model.config.save_pretrained(tmp_path)
    weights = {**model.state_dict(), "extra": Program(tmp_path / "it ran")}
    path = tmp_path / "pytorch_model.bin"
    torch.save(weights, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(BaseModelError, match="could be a program and are not executed") as error:
        load_base(tmp_path, "none", torch.device("cpu"), torch.float32)
    assert "weights_only" not in str(error.value)
    assert not (tmp_path / "it ran").exists()


@pytest.mark.parametrize(
    "options",
    [{}, {"bias": "all"}, {"bias": "lora_only"}, {"modules_to_save": ["ln_f"]}, {"use_dora": True}],
    ids=str,
)
def test_all_that_is_trained_is_counted(
    tiny_model: Callable[[str], Any], tmp_path: Path, options: dict[str, Any]
) -> None:
    """Biases and whole modules too; what takes the base's place is not counted twice."""
    from vestibular.modeling.counting import count_parameters
    from vestibular.modeling.models import load_adapter
    from vestibular.training.adapters import add_adapter
    from vestibular.training.settings import LoraSettings

    base = tiny_model("gpt2")
    base.save_pretrained(tmp_path / "base")
    size = base.num_parameters()
    lora = LoraSettings(r=2, alpha=2, dropout=0.0, target_modules="auto", options=options)
    model = add_adapter(base, lora, "none")
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    added = sum(each.numel() for name, each in model.named_parameters() if "lora_" in name)
    expected = {"trainable": trained, "total": size + added}
    assert count_parameters(tmp_path / "base", model) == expected
    # as the exam sees it, where nothing is to be trained
    model.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    examined = load_adapter(tiny_model("gpt2"), tmp_path / "adapter")
    assert count_parameters(tmp_path / "base", examined) == expected


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("shape", SHAPES)
def test_recomputed_activations_give_the_same_gradients(
    tiny_model: Callable[[str], Any], shape: str, method: str
) -> None:
    """Bit for bit, dropout too, for less memory: with an adapter on a frozen base, and without."""
    import torch

    from vestibular.modeling.memory import TensorBytes
    from vestibular.training.adapters import make_trainable

    lora = TRAIN.lora.model_copy(update={"target_modules": "auto"})
    settings = TRAIN.model_copy(update={"method": method, "lora": lora})
    ids = torch.arange(3, 123).reshape(2, 60)
    found = {}
    for recompute in (False, True):
        torch.manual_seed(0)
        model = make_trainable(tiny_model(shape), settings, recompute).train()
        trained = [each for each in model.parameters() if each.requires_grad]
        if method == "lora":
            # half the gradients of a new adapter are 0
            for each in trained:
                each.data.normal_(0, 0.1)
        with TensorBytes(model) as counted:
            model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        found[recompute] = [each.grad.clone() for each in trained], counted.peak
    plain, recomputed = found[False], found[True]
    assert all(torch.equal(one, two) for one, two in zip(plain[0], recomputed[0], strict=True))
    assert all(bool(gradient.any()) for gradient in plain[0][:2])
    assert recomputed[1] < plain[1]


@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_activations_of_a_quantized_base_are_recomputed(
    tiny_model: Callable[[str], Any], tmp_path: Path, quantization: Any
) -> None:
    """Without a word of warning, and with the gradients of the plain way."""
    import torch

    from vestibular.modeling.models import load_base
    from vestibular.training.adapters import make_trainable

    tiny_model("opt").save_pretrained(tmp_path)
    lora = TRAIN.lora.model_copy(update={"target_modules": "auto"})
    settings = TRAIN.model_copy(update={"quantization": quantization, "lora": lora})
    ids = torch.arange(3, 63)[None]
    gradients = []
    for recompute in (False, True):
        model = load_base(tmp_path, quantization, torch.device("cpu"), torch.float32)
        torch.manual_seed(0)
        model = make_trainable(model, settings, recompute).train()
        assert model.get_base_model().is_activation_checkpointing is recompute
        trained = [each for each in model.parameters() if each.requires_grad]
        for each in trained:
            each.data.normal_(0, 0.1)
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        gradients.append(torch.cat([each.grad.flatten() for each in trained]))
    assert gradients[0].any()
    assert torch.equal(*gradients)
