"""The Trainer: one device, whatever is visible; each item of its data one optimizer step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ROOT
from vestibular.params.project import load_params

pytestmark = pytest.mark.slow

PARAMS = load_params(ROOT / "params.yaml")
TRAIN = PARAMS.train.model_copy(
    update={"epochs": 3, "batch_size": 4, "warmup_steps": 2, "logging_steps": 1}
    | {"validation_steps": 4, "checkpoint_steps": 4, "max_tokens_per_batch": 64}
)
STEPS = 3 * 4


def questions(count: int) -> Any:
    """Two about each context."""
    from vestibular.modeling.encoding import EncodedQuestion

    return [
        EncodedQuestion(str(n), tuple(range(3, 23 + n)), (40 + n, 90, 2), str(n // 2), False)
        for n in range(count)
    ]


def trained(base: Path, quantization: Any, checkpoints: Path) -> tuple[Any, list[Any]]:
    """Train an adapter on a base; return its tensors by name, and the loss curve."""
    import torch
    from peft import get_peft_model_state_dict

    from vestibular.modeling.models import load_base
    from vestibular.training.adapters import make_trainable
    from vestibular.training.training import fine_tune

    torch.manual_seed(1)
    settings = TRAIN.model_copy(update={"quantization": quantization})
    model = load_base(base, quantization, torch.device("cpu"), torch.float32)
    model = make_trainable(model, settings, False)
    result = fine_tune(
        model, questions(16), questions(3), settings, "padded", torch.float32, 1, checkpoints
    )
    assert result.steps == STEPS
    return dict(get_peft_model_state_dict(model, save_embedding_layers=False)), result.curve


@pytest.mark.parametrize("quantization", ["none", "8bit"])
def test_a_second_gpu_changes_nothing(
    tiny_model: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quantization: str,
) -> None:
    """The Trainer would take both: a model split in two, or half of the optimizer steps."""
    import torch
    from transformers import TrainingArguments

    tiny_model("gpt2").save_pretrained(tmp_path / "base")
    alone, curve = trained(tmp_path / "base", quantization, tmp_path / "alone")
    assert [row[0] for row in curve] == list(range(1, STEPS + 1))
    assert any(bool(tensor.any()) for name, tensor in alone.items() if "lora_B" in name)
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda _: 2))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    beside, same = trained(tmp_path / "base", quantization, tmp_path / "beside")
    assert same == curve
    assert beside.keys() == alone.keys()
    assert all(torch.equal(tensor, beside[name]) for name, tensor in alone.items())


def test_two_visible_gpus_are_one_to_the_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own way of counting them, which is not asked where the model is on a CPU."""
    import torch
    from transformers import TrainingArguments
    from transformers.training_args import ParallelMode

    from vestibular.training.arguments import trainer_arguments

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert TrainingArguments(output_dir=str(tmp_path)).train_batch_size == 16
    cuda, dtype = torch.device("cuda"), torch.float32
    arguments = trainer_arguments(TRAIN, STEPS, 1, cuda, dtype, tmp_path, terminal=False)
    assert (arguments.n_gpu, arguments.train_batch_size) == (1, 1)
    assert arguments.parallel_mode is ParallelMode.NOT_PARALLEL


def test_a_batch_of_two_items_ends_the_training(
    tiny_model: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever asks for it: an item that nobody looks at would be a step that nobody takes."""
    from vestibular.training.arguments import OneDeviceArguments

    tiny_model("gpt2").save_pretrained(tmp_path / "base")
    monkeypatch.setattr(OneDeviceArguments, "train_batch_size", property(lambda _: 2))
    with pytest.raises(ValueError, match="too many values"):
        trained(tmp_path / "base", "none", tmp_path / "checkpoints")
