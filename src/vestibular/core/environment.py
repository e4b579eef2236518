"""Environment variables that the libraries read, and how each is treated.

`params.yaml` alone decides what a model learns and answers. A variable that would change it is set
or removed here before torch, transformers and accelerate are imported, which read most variables
once. Nothing here imports torch.
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
"""The value of `train.arithmetic` on this machine."""

FIXED = {
    # without it cuBLAS may sum in a different order each time
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "FLASH_ATTENTION_DETERMINISTIC": "1",
    # the hub's kernels are not pinned
    "USE_HUB_KERNELS": "0",
    # torch chooses the device, whatever else is installed
    "USE_TORCH_XLA": "0",
}
"""Variables set for every run."""
PORTABLE = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "COMPATIBLE",
}
"""Variables of `arithmetic: portable`: torch and oneDNN use their AVX2 kernels, and MKL those that
it has for every vendor's processors: its `AVX2` setting works on Intel's only."""

FREE_MEMORY = "VESTIBULAR_FREE_MEMORY"
"""Variable with the number of free bytes of memory. `vestibular scatter` sets it, so that `auto`
resolves to the same value in every cell, regardless of the machines' load."""


@dataclass(frozen=True)
class VariableRule:
    """What happens to the variables whose names match."""

    fate: Literal["told", "named", "ignored"]
    """`told`: kept, and recorded with the run. `named`: kept, and recorded by name only, since the
    value may be a secret or an address. `ignored`: removed."""
    names: tuple[str, ...]
    """Patterns, as in a shell."""


RULES = (
    # number of devices and threads, and memory allocation
    VariableRule(
        "told", ("CUDA_*", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK")
    ),
    VariableRule("told", ("OMP_*", "GOMP_*", "KMP_*", "OPENBLAS_*", "BNB_*", "LD_PRELOAD")),
    VariableRule(
        "told", ("MKL_NUM_THREADS", "MKL_DOMAIN_NUM_THREADS", "MKL_DYNAMIC", "MKL_*_LAYER")
    ),
    VariableRule("told", ("PYTORCH_*ALLOC_CONF", "PYTORCH_NO_CUDA_MEMORY_CACHING")),
    VariableRule(
        "told", ("PYTORCH_MPS_*_WATERMARK_RATIO", "PYTORCH_ENABLE_MPS_FALLBACK", FREE_MEMORY)
    ),
    # where files are stored and downloaded from, and what is printed
    VariableRule("named", ("HF_*", "HUGGING*", "TOKENIZERS_PARALLELISM")),
    VariableRule("named", ("TRANSFORMERS_VERBOSITY", "TRANSFORMERS_NO_ADVISORY_WARNINGS")),
    VariableRule("named", ("TRANSFORMERS_OFFLINE", "TRANSFORMERS_CACHE")),
    VariableRule(
        "named", ("TORCH_HOME", "TORCH_EXTENSIONS_DIR", "TORCH_LOGS", "TORCH_CPP_LOG_LEVEL")
    ),
    VariableRule(
        "named", ("TORCH_SHOW_CPP_STACKTRACES", "TORCH_NCCL_*", "TORCHINDUCTOR_CACHE_DIR")
    ),
    VariableRule("named", ("TORCH_DEVICE_BACKEND_AUTOLOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD")),
    VariableRule("named", ("PYTORCH_KERNEL_CACHE_PATH", "PYTORCH_NVML_BASED_CUDA_CHECK")),
    # versions that container images state
    VariableRule(
        "named", ("PYTORCH_*VERSION", "PYTORCH_BUILD_*", "PYTORCH_HOME", "CUBLAS_VERSION")
    ),
    VariableRule("named", ("TORCH_CUDA_ARCH_LIST",)),
    VariableRule(
        "named", ("ONEDNN_VERBOSE*", "DNNL_VERBOSE*", "MKL_VERBOSE*", "MKL_SERVICE_FORCE_INTEL")
    ),
    # left by `accelerate launch`: precision, plugins, compilation, accumulation
    VariableRule("ignored", ("ACCELERATE_*", "FSDP_*", "PARALLELISM_CONFIG_*", "DEEPSPEED_*")),
    # left by torchrun, MPI and SageMaker: libraries would look for processes that do not exist
    VariableRule("ignored", ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK")),
    VariableRule(
        "ignored", ("GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_WORLD_SIZE", "ROLE_NAME")
    ),
    VariableRule("ignored", ("MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_*")),
    VariableRule("ignored", ("OMPI_COMM_WORLD_*", "PMI_*", "MV2_COMM_WORLD_*")),
    VariableRule("ignored", ("FORK_LAUNCHED", "SM_HP_MP_PARAMETERS", "SM_FRAMEWORK_PARAMS")),
    VariableRule("ignored", ("SMDATAPARALLEL_*",)),
    # number formats and kernels of the computation
    VariableRule(
        "ignored", ("TRANSFORMERS_*", "PYTORCH_*", "TORCH_*", "TORCHDYNAMO_*", "TORCHINDUCTOR_*")
    ),
    VariableRule("ignored", ("NVIDIA_TF32_OVERRIDE", "CUBLAS_*", "CUBLASLT_*", "DISABLE_ADDMM_*")),
    VariableRule("ignored", ("XLA_*", "ATEN_*", "MKL_*", "ONEDNN_*", "DNNL_*", *FIXED)),
)
"""The first rule with a matching pattern applies; a variable without one is not the libraries'."""

LAUNCHERS = {
    "torchrun or `accelerate launch`": ("WORLD_SIZE", "TORCHELASTIC_RUN_ID"),
    "mpirun": ("OMPI_COMM_WORLD_SIZE",),
    "MPICH's or Slurm's launcher": ("PMI_SIZE",),
    "MVAPICH's launcher": ("MV2_COMM_WORLD_SIZE",),
}
"""Launchers of several processes: the variable with their number, and others that are always
set."""


@dataclass(frozen=True)
class Environment:
    """Variables in effect, without the value of a secret."""

    arithmetic: InForce
    set: dict[str, str]
    """Variables set here."""
    told: dict[str, str]
    named: list[str]
    ignored: list[str]

    def as_json(self) -> dict[str, object]:
        """Return all fields by name."""
        return asdict(self)

    def tell(self) -> None:
        """Report on stderr which variables were ignored, if any."""
        if self.ignored:
            print(
                f"environment: {', '.join(self.ignored)}: ignored, since only {PARAMS} decides "
                "how a model is trained",
                file=sys.stderr,
            )


def arithmetic_in_force(setting: Arithmetic, base: Path) -> InForce:
    """Return what `train.arithmetic` resolves to for the base model in a folder.

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
    """Set and remove variables before torch is imported; return what is in effect.

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
    """Return what happens to a variable; None if none of the libraries reads it."""
    return next((rule.fate for rule in RULES if _matches(name, rule.names)), None)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def refuse_launchers(variables: Mapping[str, str]) -> None:
    """Refuse to run as one of several processes; variables left over from a launcher do not count.

    Raises:
        LaunchError: the process was started as one of several.
    """
    for launcher, (number, *signs) in LAUNCHERS.items():
        count = variables.get(number, "")
        if count.isdecimal() and int(count) > 1 and all(sign in variables for sign in signs):
            raise LaunchError(
                f"{number}={count}: started by {launcher} as one of {count} processes, but this "
                "command runs in one process on one device, and a training starts its own "
                "processes (train.processes); start it without a launcher. If there is no "
                f"launcher, the variable is left over: unset {' '.join((number, *signs))}"
            )
