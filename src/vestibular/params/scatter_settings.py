"""Settings of `vestibular scatter`: `scatter` in `params.yaml`, which may be omitted."""

from typing import Annotated

from pydantic import Field

from vestibular.core.settings import Settings


class ScatterSettings(Settings):
    """Resources of a cell; what is not set is taken from `vestibular plan`."""

    cpus: int | None = Field(default=None, gt=0)
    """CPU cores of a cell, and threads of its computation; null: with `local` an equal share for
    each cell, elsewhere 1."""
    gpus: int = Field(default=0, ge=0)
    """Accelerators of a cell; with `local`, one if this machine has any."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Memory limit of a cell, in 10^9 bytes; null: as planned."""
    minutes: int | None = Field(default=None, gt=0)
    """Time limit of a cell, in minutes; null: four times the planned training, at least 30."""
    sbatch: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Further options of Slurm's `sbatch`, such as `--partition=gpu`; they override the others."""
    ray: str = "http://127.0.0.1:8265"
    """Address of a Ray cluster's dashboard, to which jobs are submitted."""
