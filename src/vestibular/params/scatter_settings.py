"""Settings of `vestibular scatter`: `scatter` in `params.yaml`, which need not be there."""

from typing import Annotated

from pydantic import Field

from vestibular.core.settings import Settings


class ScatterSettings(Settings):
    """What a cell may take, where that is not left to what `vestibular plan` foresees."""

    cpus: int | None = Field(default=None, gt=0)
    """Processors of a cell, and threads that it computes with; null: with `local` an equal share
    for each, elsewhere 1."""
    gpus: int = Field(default=0, ge=0)
    """Accelerators of a cell; with `local` one, where this machine has some."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Most memory of a cell, in 10^9 bytes; null: as planned."""
    minutes: int | None = Field(default=None, gt=0)
    """After which a cell may be ended; null: four times the planned training, at least 30."""
    sbatch: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Further options of Slurm's `sbatch`, such as `--partition=gpu`; they win over the others."""
    ray: str = "http://127.0.0.1:8265"
    """Address of a Ray cluster's dashboard, which takes jobs."""
