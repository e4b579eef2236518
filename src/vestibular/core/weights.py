"""A model's weight files and their number of parameters. Nothing here imports torch."""

import json
import math
import zipfile
from collections import defaultdict
from pathlib import Path

from safetensors import SafetensorError, safe_open

from vestibular.core.errors import BaseModelError, first_line

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
"""Patterns of weight files, the preferred one first."""
WHOLE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of a single weight file; several files are listed in one of that name plus
`.index.json`."""
SMALL_PARAMETERS = 5_000_000
"""Models with fewer parameters are small: their matrices are too small to be split among a CPU's
threads, and the widest instructions speed them up little."""
LFS_POINTER = b"version https://git-lfs.github.com/"
"""Beginning of a file that git-lfs has left in place of a large one."""
PICKLE = b"\x80"
"""Beginning of a weight file written before torch used zip archives."""
BYTES = 4
"""Assumed bytes of a parameter if the file does not tell: float32."""


def weight_files(folder: Path) -> list[Path]:
    """Return the files that contain all of a model's weights; `[]` if there are none.

    Files named by an index may be missing.

    Raises:
        BaseModelError: the index names no files.
    """
    return list(_tensors(folder))


def _tensors(folder: Path) -> dict[Path, set[str]]:
    """Return the tensors that each weight file should contain; none if no index says."""
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
                    f"{index}: not the index of weight files; copy it from the model's source again"
                ) from None
            return found
    return {}


def check_files(folder: Path) -> None:
    """Check that a model's files are complete, as far as their beginnings and sizes tell.

    Raises:
        BaseModelError: one is missing, cut off, lacks tensors that the index assigns to it, or is a
            pointer that git-lfs left in place of a large file.
    """
    for path in sorted(folder.iterdir()):
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(len(LFS_POINTER))
            if start == LFS_POINTER:
                raise BaseModelError(
                    f"{path}: is a git-lfs pointer, not the file itself: run `git lfs pull` in "
                    "its repository and copy it again"
                )
    for path, tensors in _tensors(folder).items():
        _check_weights(path, tensors)


def _check_weights(path: Path, tensors: set[str]) -> None:
    again = "copy it from the model's source again"
    if not path.is_file():
        raise BaseModelError(f"{path}: is missing, but the index of weight files names it; {again}")
    if path.suffix != ".safetensors":
        with path.open("rb") as file:
            legacy = file.read(1) == PICKLE
        if not legacy and not zipfile.is_zipfile(path):
            raise BaseModelError(f"{path}: is cut off, or not a weight file at all; {again}")
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
            f"{path}: lacks {len(missing)} of the tensors that the index of weight files lists "
            f"for it (for example {missing[0]}); {again}"
        )


def is_small(folder: Path) -> bool:
    """Return whether a model has fewer than `SMALL_PARAMETERS`; false if unknown.

    Decided by the files and not by a machine's memory: the answer is the same everywhere.
    """
    try:
        files = weight_files(folder)
        return bool(files) and sum(map(_parameters, files)) < SMALL_PARAMETERS
    except (OSError, SafetensorError, BaseModelError):
        # loading the file reports what is wrong with it
        return False


def _parameters(path: Path) -> int:
    if path.suffix != ".safetensors":
        return path.stat().st_size // BYTES
    with safe_open(path, framework="numpy") as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
