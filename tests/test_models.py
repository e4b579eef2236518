"""Models in memory: loaded or refused, adapted, counted."""

from pathlib import Path

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
