"""A model's weight files, and how many parameters they hold. Nothing here imports torch."""

import json
import math
from pathlib import Path

from safetensors import SafetensorError, safe_open

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
"""Patterns of weight files, the better one first."""
WHOLE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Weights in one file; those in several are listed in a file of that name and `.index.json`."""
SMALL_PARAMETERS = 5_000_000
"""Models with fewer are small: their matrices are too small to be shared out among a CPU's threads,
and the widest instructions gain them little."""
BYTES = 4
"""Bytes of a parameter in a file that does not tell: a float32."""


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold all of a model's weights; `[]` where there are none.

    Those that an index names may be missing.
    """
    for name in WHOLE_WEIGHTS:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            return [folder / part for part in sorted(parts)]
    return []


def is_small(folder: Path) -> bool:
    """Say whether a model has fewer than `SMALL_PARAMETERS`; not so where its files do not tell.

    The files decide, not the memory of a machine: the answer is the same everywhere.
    """
    files = weight_files(folder)
    try:
        return bool(files) and sum(map(_parameters, files)) < SMALL_PARAMETERS
    except (OSError, SafetensorError):
        # whoever loads the file says what is wrong with it
        return False


def _parameters(path: Path) -> int:
    if path.suffix != ".safetensors":
        return path.stat().st_size // BYTES
    with safe_open(path, framework="numpy") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
