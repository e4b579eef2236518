"""The environment variables that the libraries read, and what becomes of each.

What a model learns and answers is said by `params.yaml` alone. A variable that would change it is
set here or taken away before torch, transformers and accelerate are imported, which read most of
them once. Nothing here imports torch.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from vestibular.core import processor
from vestibular.core.errors import LaunchError, ParamsError
from vestibular.core.paths import PARAMS
from vestibular.core.settings import Arithmetic
from vestibular.core.weights import is_small

InForce = Literal["portable", "native"]
"""What `train.arithmetic` comes to on this machine."""

FIXED = {
    # without it cuBLAS may sum in another order each time
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "FLASH_ATTENTION_DETERMINISTIC": "1",
    # kernels that the hub would give: no pin holds them
    "USE_HUB_KERNELS": "0",
    # the device is torch's, whatever else is installed
    "USE_TORCH_XLA": "0",
}
"""Variables that are set for every run."""
PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
}
"""Variables of `arithmetic: portable`: torch and oneDNN keep to their kernels for AVX2, and MKL to
those that it has for every maker's processors: its `AVX2` holds on Intel's alone."""

FREE_MEMORY = "VESTIBULAR_FREE_MEMORY"
"""Variable that states how many bytes of memory are free. `vestibular scatter` sets it, so that
`auto` comes to the same in every cell, however full the machines are."""


@dataclass(frozen=True)
class Rule:
    """What becomes of the variables whose names match."""

    fate: Literal["told", "named", "ignored"]
    """`told`: kept, and recorded with the run. `named`: kept, its name alone is recorded, since
    its value may be a secret or an address. `ignored`: taken away."""
    names: tuple[str, ...]
    """Patterns as a shell's."""


RULES = (
    # which devices and how many threads there are, and how memory is dealt out
    Rule("told", ("CUDA_*", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")),
    Rule("told", ("OMP_*", "GOMP_*", "KMP_*", "OPENBLAS_*", "BNB_*", "LD_PRELOAD")),
    Rule("told", ("MKL_NUM_THREADS", "MKL_DOMAIN_NUM_THREADS", "MKL_DYNAMIC", "MKL_*_LAYER")),
    Rule("told", ("PYTORCH_*ALLOC_CONF", "PYTORCH_NO_CUDA_MEMORY_CACHING")),
    Rule("told", ("PYTORCH_MPS_*_WATERMARK_RATIO", "PYTORCH_ENABLE_MPS_FALLBACK", FREE_MEMORY)),
    # where files are kept and had from, and what is printed
    Rule("named", ("HF_*", "HUGGING*", "TOKENIZERS_PARALLELISM")),
    Rule("named", ("TRANSFORMERS_VERBOSITY", "TRANSFORMERS_NO_ADVISORY_WARNINGS")),
    Rule("named", ("TRANSFORMERS_OFFLINE", "TRANSFORMERS_CACHE")),
    Rule("named", ("TORCH_HOME", "TORCH_EXTENSIONS_DIR", "TORCH_LOGS", "TORCH_CPP_LOG_LEVEL")),
    Rule("named", ("TORCH_SHOW_CPP_STACKTRACES", "TORCH_NCCL_*", "TORCHINDUCTOR_CACHE_DIR")),
    Rule("named", ("TORCH_DEVICE_BACKEND_AUTOLOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD")),
    Rule("named", ("PYTORCH_KERNEL_CACHE_PATH", "PYTORCH_NVML_BASED_CUDA_CHECK")),
    # what images say of themselves
    Rule("named", ("PYTORCH_*VERSION", "PYTORCH_BUILD_*", "PYTORCH_HOME", "CUBLAS_VERSION")),
    Rule("named", ("TORCH_CUDA_ARCH_LIST",)),
    Rule("named", ("ONEDNN_VERBOSE*", "DNNL_VERBOSE*", "MKL_VERBOSE*", "MKL_SERVICE_FORCE_INTEL")),
    # what `accelerate launch` leaves: precision, plugins, compilation, accumulation
    Rule("ignored", ("ACCELERATE_*", "FSDP_*", "PARALLELISM_CONFIG_*", "DEEPSPEED_*")),
    # what torchrun, MPI and SageMaker leave: libraries would look for processes that are not there
    Rule("ignored", ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK")),
    Rule(
        "ignored", ("GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME")
    ),
    Rule("ignored", ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_*")),
    Rule("ignored", ("OMPI_COMM_WORLD_*", "PMI_*", "MV2_COMM_WORLD_*")),
    Rule("ignored", ("FORK_LAUNCHED", "SM_HP_MP_PARAMETERS", "SM_FRAMEWORK_PARAMS")),
    Rule("ignored", ("SMDATAPARALLEL_*",)),
    # which numbers and kernels the libraries compute with
    Rule("ignored", ("TRANSFORMERS_*", "PYTORCH_*", "TORCH_*", "TORCHDYNAMO_*", "TORCHINDUCTOR_*")),
    Rule("ignored", ("NVIDIA_TF32_OVERRIDE", "CUBLAS_*", "CUBLASLT_*", "DISABLE_ADDMM_*")),
    Rule("ignored", ("XLA_*", "ATEN_*", "MKL_*", "ONEDNN_*", "DNNL_*", *FIXED)),
)
"""The first rule whose pattern matches holds; a variable that none matches is none of theirs."""

LAUNCHERS = {
    "torchrun or `accelerate launch`": ("WORLD_SIZE", "TORCHELASTIC_RUN_ID"),
    "mpirun": ("OMPI_COMM_WORLD_SIZE",),
    "MPICH's or Slurm's launcher": ("PMI_SIZE",),
    "MVAPICH's launcher": ("MV2_COMM_WORLD_SIZE",),
}
"""What starts several processes: the variable with their number, and what else it always sets."""


@dataclass(frozen=True)
class Environment:
    """What is in force, without a secret's value."""

    arithmetic: InForce
    set: dict[str, str]
    """Variables that are set here."""
    told: dict[str, str]
    named: list[str]
    ignored: list[str]

    def as_json(self) -> dict[str, object]:
        """Return all of it by name."""
        return asdict(self)

    def tell(self) -> None:
        """Say on the log what was ignored, if anything was."""
        if self.ignored:
            print(
                f"environment: {', '.join(self.ignored)}: ignored, since {PARAMS} alone says how "
                "a model is trained",
                file=sys.stderr,
            )


def arithmetic_in_force(setting: Arithmetic, base: Path) -> InForce:
    """Return what `train.arithmetic` comes to for the base model in a folder.

    Raises:
        ParamsError: this processor has no portable arithmetic.
    """
    able = processor.has_avx2()
    if setting == "portable" and not able:
        raise ParamsError(
            f"{PARAMS}: train.arithmetic: portable needs Linux on an x86-64 processor with AVX2 "
            f"(this one is {processor.name()}); write auto or native"
        )
    if setting == "auto":
        return "portable" if able and is_small(base) else "native"
    return setting


def settle(arithmetic: InForce) -> Environment:
    """Set and take away variables, before torch is imported; return what is in force.

    Raises:
        LaunchError: a launcher has started several processes.
    """
    refuse_launchers(os.environ)
    wanted = {**FIXED, **(PORTABLE if arithmetic == "portable" else {})}
    found: dict[str, list[str]] = {"told": [], "named": [], "ignored": []}
    for name in sorted(os.environ):
        fate = fate_of(name)
        if fate is not None and os.environ[name] != wanted.get(name):
            found[fate].append(name)
    for name in found["ignored"]:
        del os.environ[name]
    os.environ.update(wanted)
    return Environment(
        arithmetic=arithmetic,
        set=wanted,
        told={name: os.environ[name] for name in found["told"]},
        named=found["named"],
        ignored=found["ignored"],
    )


def fate_of(name: str) -> str | None:
    """Return what becomes of a variable; None for one that none of the libraries reads."""
    return next((rule.fate for rule in RULES if _matches(name, rule.names)), None)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def refuse_launchers(variables: Mapping[str, str]) -> None:
    """Refuse to be one of several processes; what a launcher of old has left is no launcher.

    Raises:
        LaunchError: the process was started as one of several.
    """
    for launcher, (number, *signs) in LAUNCHERS.items():
        count = variables.get(number, "")
        if count.isdecimal() and int(count) > 1 and all(sign in variables for sign in signs):
            raise LaunchError(
                f"{number}={count}: started by {launcher} as one of {count} processes, but this "
                "runs in one, on one device, and a training in as many as train.processes says; "
                "start it as it is, without a launcher. If there is none, the variable is left "
                f"over: unset {' '.join((number, *signs))}"
            )
