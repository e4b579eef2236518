"""Kernels that give the same numbers each time are asked for, and let go of where there is none."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config

from vestibular.core import processor
from vestibular.core.errors import BaseModelError
from vestibular.modeling import models
from vestibular.modeling.determinism import (
    as_deterministic_as_can_be,
    ask_for_deterministic_kernels,
)
from vestibular.modeling.models import pick_precision
from vestibular.tracking.metering import computing

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Give torch back its own choice of kernels."""
    filled = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = filled


def put() -> torch.Tensor:
    """An operation that has no deterministic implementation, on a CPU either."""
    return torch.zeros(3).put_(torch.tensor([1]), torch.tensor([5.0]), accumulate=False)


def test_gpus_are_asked_and_cpus_need_not_be(capsys: pytest.CaptureFixture[str]) -> None:
    """In earnest: torch's mode that only warns leaves attention's gradients as they come."""
    ask_for_deterministic_kernels(torch.device("cpu"))
    assert not torch.are_deterministic_algorithms_enabled()
    assert computing(torch.device("cpu"), torch.float32)["deterministic_kernels"]
    assert not computing(torch.device("cuda"), torch.float32)["deterministic_kernels"]
    ask_for_deterministic_kernels(torch.device("cuda"))
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert computing(torch.device("cuda"), torch.float32)["deterministic_kernels"]
    assert capsys.readouterr().err == ""


def test_an_operation_without_such_a_kernel_is_named_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The work is done all the same, and what is said of the run no longer promises it."""
    ask_for_deterministic_kernels(torch.device("cuda"))
    with pytest.raises(RuntimeError, match="deterministic"):
        put()
    assert as_deterministic_as_can_be(put, "tiny").tolist() == [0, 5, 0]
    said = capsys.readouterr().err
    assert said.startswith("tiny: put_ has no deterministic kernel on this device")
    assert not computing(torch.device("cuda"), torch.float32)["deterministic_kernels"]
    as_deterministic_as_can_be(put, "tiny")
    assert capsys.readouterr().err == ""


def test_other_faults_are_not_tried_again() -> None:
    """What fails for a reason of its own fails once."""
    tried = []

    def fail() -> None:
        tried.append(1)
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        as_deterministic_as_can_be(fail, "tiny")
    assert tried == [1]


def test_a_step_is_tried_before_any_is_taken(
    tiny_model: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the backward pass too; no gradient is left. Where nothing was asked, nothing runs."""
    from vestibular.training import steps

    class Unordered(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, tensor: torch.Tensor) -> torch.Tensor:
            return tensor.clone()

        @staticmethod
        def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
            put()
            return gradient

    calls = []

    def label_loss(model: Any, inputs: Any) -> torch.Tensor:
        calls.append(inputs)
        return Unordered.apply(model(**inputs).logits.sum())  # type: ignore[no-untyped-call,no-any-return]

    monkeypatch.setattr(steps, "label_loss", label_loss)
    model = tiny_model("gpt2")
    inputs = {"input_ids": torch.arange(3, 9)[None]}
    steps.rehearse(model, inputs, torch.float32, "tiny")
    assert calls == []
    ask_for_deterministic_kernels(torch.device("cuda"))
    steps.rehearse(model, inputs, torch.float32, "tiny")
    assert len(calls) == 2
    assert "tiny: put_ has no deterministic kernel" in capsys.readouterr().err
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("emulated", "computed", "expected"),
    [(True, True, torch.bfloat16), (True, False, torch.float16), (False, False, torch.float16)],
    ids=["A100", "T4", "older"],
)
def test_emulated_bfloat16_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, emulated: bool, computed: bool, expected: torch.dtype
) -> None:
    """A T4 says that it supports bfloat16, since it can be emulated, many times slower."""
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: emulated if including_emulation else computed,
    )
    assert pick_precision("auto", torch.device("cuda"), Path()) is expected
    with pytest.raises(BaseModelError, match="float16 needs a CUDA GPU"):
        pick_precision("float16", torch.device("cpu"), Path())


@pytest.mark.parametrize(
    ("flags", "in_force", "layers", "expected"),
    [
        ("avx512f avx512_bf16", "AVX512", 12, torch.bfloat16),
        ("avx512f amx_bf16", "AVX512", 12, torch.bfloat16),
        ("avx512f avx512_bf16", "AVX512", 2, torch.float32),
        ("avx512f avx512_bf16", "AVX2", 12, torch.float32),
        ("avx512f avx512_bf16_not", "AVX512", 12, torch.float32),
    ],
    ids=["avx512", "amx", "small", "portable", "older"],
)
def test_a_processor_takes_bfloat16_where_it_pays(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    flags: str,
    in_force: str,
    layers: int,
    expected: torch.dtype,
) -> None:
    """GPT-2 has 124 million parameters, 14 million a pair of layers; its configuration decides."""
    info = tmp_path / "cpuinfo"
    info.write_text(f"flags\t\t: fpu {flags} smep\n", encoding="utf-8")
    monkeypatch.setattr(processor, "CPU_INFO", info)
    monkeypatch.setattr(processor.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(models, "get_cpu_capability", lambda: in_force)
    GPT2Config(n_layer=layers).save_pretrained(tmp_path)
    assert pick_precision("auto", torch.device("cpu"), tmp_path) is expected
