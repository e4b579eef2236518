"""A model's weight files, and how many parameters they hold. Nothing here imports torch."""

import json
import math
import zipfile
from collections import defaultdict
from pathlib import Path

from safetensors import SafetensorError, safe_open

from vestibular.core.errors import BaseModelError, first_line

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
"""Patterns of weight files, the better one first."""
WHOLE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Weights in one file; those in several are listed in a file of that name and `.index.json`."""
SMALL_PARAMETERS = 5_000_000
"""Models with fewer are small: their matrices are too small to be shared out among a CPU's threads,
and the widest instructions gain them little."""
LFS_POINTER = b"version https://git-lfs.github.com/"
"""How a file begins that git-lfs has left in the place of a large one."""
PICKLE = b"\x80"
"""How a weight file begins that was written before torch wrote zip archives."""
BYTES = 4
"""Bytes of a parameter in a file that does not tell: a float32."""


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold all of a model's weights; `[]` where there are none.

    Those that an index names may be missing.

    Raises:
        BaseModelError: the index names no files.
    """
    return list(_tensors(folder))


def _tensors(folder: Path) -> dict[Path, set[str]]:
    """Return the names of the tensors that each weight file should hold; none if nobody says."""
    for name in WHOLE_WEIGHTS:
        if (folder / name).is_file():
            return {folder / name: set()}
        index = folder / f"{name}.index.json"
        if index.is_file():
            found: dict[Path, set[str]] = defaultdict(set)
            try:
                places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
                for tensor, part in sorted(places.items(), key=lambda item: str(item[1])):
                    found[folder / part].add(tensor)
            except (ValueError, TypeError, KeyError, AttributeError):
                raise BaseModelError(
                    f"{index}: not the index of weight files; copy it from the model's source anew"
                ) from None
            return found
    return {}


def check_files(folder: Path) -> None:
    """Make sure that a model's files are whole, as far as their beginnings and sizes tell.

    Raises:
        BaseModelError: one is missing, cut off, lacks tensors that the index says are in it, or
            is what git-lfs leaves in the place of a large file.
    """
    for path in sorted(folder.iterdir()):
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(len(LFS_POINTER))
            if start == LFS_POINTER:
                raise BaseModelError(
                    f"{path}: is git-lfs's pointer to the file, not the file: run `git lfs pull` "
                    "in the repository that it is from, and copy it again"
                )
    for path, tensors in _tensors(folder).items():
        _check_weights(path, tensors)


def _check_weights(path: Path, tensors: set[str]) -> None:
    again = "copy it from the model's source anew"
    if not path.is_file():
        raise BaseModelError(
            f"{path}: the index of weight files names it, and it is missing; {again}"
        )
    if path.suffix != ".safetensors":
        with path.open("rb") as file:
            legacy = file.read(1) == PICKLE
        if not legacy and not zipfile.is_zipfile(path):
            raise BaseModelError(f"{path}: is cut off, or no weight file at all; {again}")
        return
    try:
        with safe_open(path, framework="numpy") as file:
            missing = sorted(tensors - set(file.keys()))
    except (OSError, SafetensorError) as error:
        raise BaseModelError(
            f"{path}: is cut off or damaged ({first_line(error)}); {again}"
        ) from None
    if missing:
        raise BaseModelError(
            f"{path}: lacks {len(missing)} of the tensors that the index of weight files says are "
            f"in it ({missing[0]} and so on); {again}"
        )


def is_small(folder: Path) -> bool:
    """Say whether a model has fewer than `SMALL_PARAMETERS`; not so where its files do not tell.

    The files decide, not the memory of a machine: the answer is the same everywhere.
    """
    try:
        files = weight_files(folder)
        return bool(files) and sum(map(_parameters, files)) < SMALL_PARAMETERS
    except (OSError, SafetensorError, BaseModelError):
        # whoever loads the file says what is wrong with it
        return False


def _parameters(path: Path) -> int:
    if path.suffix != ".safetensors":
        return path.stat().st_size // BYTES
    with safe_open(path, framework="numpy") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
