"""Models in memory: loaded or refused, adapted, counted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vestibular.errors import exit_on_error

pytestmark = pytest.mark.slow


def test_too_little_memory_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files are not blamed for it: a GPU's error and a CPU's, in loading and afterwards."""
    import torch

    from vestibular import models

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


@pytest.mark.parametrize(
    "options",
    [{}, {"bias": "all"}, {"bias": "lora_only"}, {"modules_to_save": ["ln_f"]}, {"use_dora": True}],
    ids=str,
)
def test_all_that_is_trained_is_counted(
    tiny_model: Callable[[str], Any], tmp_path: Path, options: dict[str, Any]
) -> None:
    """Biases and whole modules too; what takes the base's place is not counted twice."""
    from vestibular.models import add_adapter, count_parameters, load_adapter
    from vestibular.params import LoraSettings

    base = tiny_model("gpt2")
    base.save_pretrained(tmp_path / "base")
    size = base.num_parameters()
    lora = LoraSettings(r=2, alpha=2, dropout=0.0, target_modules="auto", options=options)
    model = add_adapter(base, lora, "none", gradient_checkpointing=False)
    trained = sum(each.numel() for each in model.parameters() if each.requires_grad)
    added = sum(each.numel() for name, each in model.named_parameters() if "lora_" in name)
    expected = {"trainable": trained, "total": size + added}
    assert count_parameters(tmp_path / "base", model) == expected
    # as the exam sees it, where nothing is to be trained
    model.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=False)
    examined = load_adapter(tiny_model("gpt2"), tmp_path / "adapter")
    assert count_parameters(tmp_path / "base", examined) == expected
