"""The environment variables that the libraries read: ignored, set, kept, refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT, environment, run
from vestibular.core import processor
from vestibular.core.environment import (
    FIXED,
    PORTABLE,
    arithmetic_in_force,
    fate_of,
    refuse_launchers,
    settle,
)
from vestibular.core.errors import LaunchError, ParamsError

SMALL = ROOT / "demo/bases/gpt2-tiny"
LEFT_OVER = {
    "ACCELERATE_MIXED_PRECISION": "bf16",
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4",
    "ACCELERATE_DYNAMO_BACKEND": "eager",
    "TRANSFORMERS_SDPA_FORCE_GQA": "1",
    "WORLD_SIZE": "2",
    "RANK": "1",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
}
"""What shells, images and clusters leave behind."""
OTHER_KERNELS = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "AUTO,STRICT",
    "ONEDNN_DEFAULT_FPMATH_MODE": "ANY",
}
"""Settings of the libraries that change the last digits of a sum, or all but the first."""
SECRET = "hf_not_to_be_seen"  # noqa: S105 - nobody's


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with none of the variables; what is set in it is gone afterwards."""
    for name in [name for name in os.environ if fate_of(name)]:
        monkeypatch.delenv(name)
    for name in (*FIXED, *PORTABLE):
        # so that what `settle` sets is taken back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(
    ("fate", "names"),
    [
        ("ignored", ["ACCELERATE_MIXED_PRECISION", "ACCELERATE_USE_FSDP", "FSDP_OFFLOAD_PARAMS"]),
        ("ignored", ["WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "TORCHELASTIC_RUN_ID"]),
        ("ignored", ["TRANSFORMERS_SDPA_FORCE_GQA", "PYTORCH_TUNABLEOP_ENABLED", "PYTORCH_JIT"]),
        ("ignored", ["TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "NVIDIA_TF32_OVERRIDE", "XLA_USE_BF16"]),
        ("ignored", ["ONEDNN_DEFAULT_FPMATH_MODE", "MKL_CBWR", "ATEN_CPU_CAPABILITY"]),
        ("ignored", ["CUBLAS_WORKSPACE_CONFIG", "CUBLASLT_WORKSPACE_SIZE", "USE_HUB_KERNELS"]),
        ("told", ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES"]),
        ("told", ["PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "OPENBLAS_CORETYPE"]),
        (
            "named",
            ["HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HUGGING_FACE_HUB_TOKEN"],
        ),
        ("named", ["TRANSFORMERS_VERBOSITY", "TRANSFORMERS_OFFLINE", "TORCH_HOME"]),
        (None, ["HOME", "PATH", "DVC_ROOT", "NEPTUNE_API_TOKEN", "AWS_ROLE_ARN", "ROLE_ARN"]),
    ],
)
def test_each_variable_has_its_fate(fate: str | None, names: list[str]) -> None:
    """What changes a result is ignored, what changes costs is told, secrets are but named."""
    assert {name: fate_of(name) for name in names} == dict.fromkeys(names, fate)


def test_what_would_change_a_result_is_gone_and_told(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is ours is set whatever stood there; a token stays in force and nowhere else."""
    for name, value in {**LEFT_OVER, **OTHER_KERNELS, "OMP_NUM_THREADS": "3"}.items():
        bare.setenv(name, value)
    bare.setenv("HF_TOKEN", SECRET)
    found = settle("portable")
    assert not [name for name in LEFT_OVER if name in os.environ]
    assert {name: os.environ[name] for name in (*FIXED, *PORTABLE)} == {**FIXED, **PORTABLE}
    assert os.environ["HF_TOKEN"] == SECRET
    assert found.ignored == sorted({*LEFT_OVER, *OTHER_KERNELS})
    assert (found.told, found.named) == ({"OMP_NUM_THREADS": "3"}, ["HF_TOKEN"])
    assert SECRET not in json.dumps(found.as_json())
    found.tell()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "ACCELERATE_MIXED_PRECISION" in said
    assert "bf16" not in said


def test_an_environment_with_nothing_in_it_is_no_news(
    bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor are variables that stand as they are wanted; native takes those of portable away."""
    for name, value in PORTABLE.items():
        bare.setenv(name, value)
    settle("portable").tell()
    assert capsys.readouterr().err == ""
    found = settle("native")
    assert not [name for name in PORTABLE if name in os.environ]
    assert found.set == FIXED
    settle("native").tell()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("variables", "launcher"),
    [
        ({"WORLD_SIZE": "2", "TORCHELASTIC_RUN_ID": "none"}, "torchrun"),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, "mpirun"),
        ({"PMI_SIZE": "2"}, "Slurm"),
    ],
)
def test_one_of_several_processes_is_refused(variables: dict[str, str], launcher: str) -> None:
    """With the launcher's name, and how to be rid of a variable that is left over."""
    with pytest.raises(LaunchError, match=launcher) as refused:
        refuse_launchers(variables)
    assert f"unset {' '.join(variables)}" in str(refused.value)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost"},
        {"WORLD_SIZE": "1", "TORCHELASTIC_RUN_ID": "none"},
        {"WORLD_SIZE": "two", "TORCHELASTIC_RUN_ID": "none"},
        {"PMI_SIZE": "1"},
    ],
    ids=str,
)
def test_what_a_launcher_has_left_is_no_launcher(variables: dict[str, str]) -> None:
    """A single process, or variables without the sign that each launcher sets."""
    refuse_launchers(variables)


def cpu(flags: str, folder: Path) -> Path:
    """What Linux says of a processor."""
    path = folder / "cpuinfo"
    path.write_text(f"model name\t: Some CPU\nflags\t\t: fpu {flags} smep\n", encoding="utf-8")
    return path


def test_small_models_are_portable_where_the_processor_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` looks at the model's size and the processor, the others at what they promise."""
    monkeypatch.setattr(processor.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(processor, "CPU_INFO", cpu("avx avx2 avx512f", tmp_path))
    large = tmp_path / "large"
    large.mkdir()
    with (large / "pytorch_model.bin").open("wb") as file:
        file.truncate(4 * 5_000_000)
    assert arithmetic_in_force("auto", SMALL) == "portable"
    assert arithmetic_in_force("auto", large) == "native"
    assert arithmetic_in_force("portable", large) == "portable"
    assert arithmetic_in_force("native", SMALL) == "native"
    monkeypatch.setattr(processor, "CPU_INFO", cpu("avx avx2_not", tmp_path))
    assert arithmetic_in_force("auto", SMALL) == "native"
    with pytest.raises(ParamsError, match=r"train\.arithmetic: portable needs .* Some CPU"):
        arithmetic_in_force("portable", SMALL)
    monkeypatch.setattr(processor, "CPU_INFO", cpu("avx2", tmp_path))
    monkeypatch.setattr(processor.platform, "machine", lambda: "aarch64")
    assert arithmetic_in_force("auto", SMALL) == "native"
    assert processor.name() == "Some CPU"


def test_an_answer_is_not_one_of_several_processes(tmp_path: Path) -> None:
    """`vestibular answer` reads the environment by the same table, before it loads anything."""
    model = {
        "version": 2,
        "candidate": "tiny",
        "base": {"base_model": "x"},
        "loading": {"method": "full", "quantization": "none", "precision": "auto", "max_length": 9},
        "prompt": {"template": "{context} {question}", "answer_prefix": " ", "chat": False},
        "max_new_tokens": 2,
        "window_overlap": 0.5,
        "unanswerable": None,
        "seed": 1,
        "train": {},
        "before": {"exact_match": 0, "f1": 0},
        "after": {"exact_match": 0, "f1": 0},
        "data": {},
    }
    (tmp_path / "model.json").write_text(json.dumps(model), encoding="utf-8")
    (tmp_path / "text").write_text("A.", encoding="utf-8")
    command = [sys.executable, "-m", "vestibular", "answer", "Q?", "--context", "text"]
    said = subprocess.run(
        [*command, "--model", "."],
        cwd=tmp_path,
        env={**environment(), "PYTHONPATH": str(ROOT / "src"), "PMI_SIZE": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("PMI_SIZE=2: started by")


@pytest.mark.slow
def test_the_environment_trains_no_other_adapter(
    prepared_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leftovers, other kernels: the same bytes, the names on the log and with the run."""
    project = prepared_project
    command = (sys.executable, "-m", "stages.train", "gpt2-tiny")
    weights = project / "models/adapters/gpt2-tiny/adapter_model.safetensors"
    for name in [name for name in os.environ if fate_of(name) == "ignored"]:
        monkeypatch.delenv(name)
    calm = run(project, *command)
    assert calm.stderr.startswith("first example: ")
    expected = weights.read_bytes()
    for name, value in {**LEFT_OVER, **OTHER_KERNELS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    troubled = run(project, *command)
    assert weights.read_bytes() == expected
    first, _ = troubled.stderr.split("\n", 1)
    assert all(name in first for name in (*LEFT_OVER, *OTHER_KERNELS))
    (folder,) = (project / ".vestibular/spool").iterdir()
    _, file = sorted(folder.glob("*-train.jsonl"))
    assert SECRET not in file.read_text(encoding="utf-8")
    events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    variables = events[0]["variables"]
    assert variables["ignored"] == sorted({*LEFT_OVER, *OTHER_KERNELS})
    assert "HF_TOKEN" in variables["named"]
    (computing,) = [event["values"] for event in events if event["event"] == "computing"]
    assert (computing["dtype"], computing["threads"]) == ("float32", 1)
    if processor.has_avx2():
        assert variables["arithmetic"] == "portable"
        assert computing["cpu_capability"] == "AVX2"


@pytest.mark.slow
def test_torchrun_is_told_that_an_exam_is_one_process(prepared_project: Path) -> None:
    """The real launcher, with two processes: refused by name before anything is written."""
    launcher = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")
    said = run(prepared_project, *launcher, "-m", "stages.evaluate_base", "gpt2-tiny", status=1)
    assert "WORLD_SIZE=2: started by torchrun" in said.stderr
    assert not (prepared_project / "metrics/bases/gpt2-tiny.jsonl").exists()
    assert not (prepared_project / ".vestibular/spool").exists()
