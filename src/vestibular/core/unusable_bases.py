"""Models that cannot be a base, recognized by their files alone.

Everything else that a model must be able to do is tried out on its architecture (see
`modeling/capability.py`). Nothing here imports torch.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vestibular.core.errors import BaseModelError
from vestibular.core.weights import WEIGHTS, check_files

ADAPTER = "adapter_config.json"
GGUF = "*.gguf"


def read_configuration(folder: Path) -> dict[str, Any]:
    """Read a model's `config.json`.

    Raises:
        BaseModelError: it is not a JSON object.
    """
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseModelError(
            f"{path}: not JSON: {error}; restore the model's original file"
        ) from None
    if not isinstance(content, dict):
        raise BaseModelError(f"{path}: must be a JSON object; restore the model's original file")
    return content


def refuse_by_names(where: str, names: Iterable[str]) -> None:
    """Refuse a model that cannot be a base, judging by the names of its files.

    Args:
        where: start of the message: the place in the settings, and the model.
        names: names of all its files.

    Raises:
        BaseModelError: it is an adapter, or has only GGUF files.
    """
    paths = [Path(name) for name in names]
    if any(path.name == ADAPTER for path in paths):
        raise BaseModelError(
            f"{where}: is an adapter (it has {ADAPTER}), not a model of its own: load it onto its "
            "base with peft, call merge_and_unload() and save_pretrained(), and name that "
            "folder; or name the base"
        )
    if any(path.match(GGUF) for path in paths) and not _has(paths):
        raise BaseModelError(
            f"{where}: holds GGUF files, whose weights are quantized and cannot be trained: name "
            "the original model, with safetensors files (train.quantization: 4bit takes as "
            "little memory)"
        )


def _has(paths: Iterable[Path]) -> bool:
    return any(path.match(pattern) for path in paths for pattern in WEIGHTS)


def refuse_file(where: str, path: Path) -> None:
    """Refuse a file named in place of a model's folder.

    Raises:
        BaseModelError: always.
    """
    refuse_by_names(f"{where}: {path}", [path.name])
    raise BaseModelError(
        f"{where}: {path}: is a file; name the folder with the model's config.json, weights and "
        "tokenizer"
    )


def check_folder(folder: Path, where: str) -> None:
    """Check that a folder contains a model that can be a base.

    Args:
        folder: the model's files.
        where: its place in the settings.

    Raises:
        BaseModelError: something is missing or cut off, or the model is an adapter, a GGUF file,
            already quantized, an encoder-decoder, or needs code of its own.
    """
    check_configuration(folder, where)
    if not any(path.stat().st_size for pattern in WEIGHTS for path in folder.glob(pattern)):
        raise BaseModelError(
            f"{where}: {folder}: has no weights ({' or '.join(WEIGHTS)}); copy them there"
        )
    check_files(folder)


def check_configuration(folder: Path, where: str) -> None:
    """Check that a folder, with or without weights, describes a model that can be a base.

    Raises:
        BaseModelError: as `check_folder`, except for missing weights.
    """
    named = f"{where}: {folder}"
    for path in sorted(folder.iterdir()):
        if not path.exists():
            raise BaseModelError(
                f"{named}: {path.name} is a broken link to {path.readlink()}; copy the files "
                "themselves, for example with `cp -rL`"
            )
    refuse_by_names(named, [path.name for path in folder.iterdir()])
    if not (folder / "config.json").is_file():
        raise BaseModelError(f"{named}: has no config.json, so it is not a model's folder")
    refuse_by_configuration(folder, where)


def refuse_by_configuration(folder: Path, where: str) -> None:
    """Refuse a model that cannot be a base, judging by its `config.json`.

    Raises:
        BaseModelError: it is already quantized, an encoder-decoder, or needs code of its own.
    """
    content = read_configuration(folder)
    if content.get("quantization_config"):
        method = dict(content["quantization_config"]).get("quant_method", "an unknown method")
        raise BaseModelError(
            f"{where}: {folder}: its weights are already quantized (by {method}), so that neither "
            "precision nor cost could be set here: name the original model, and write "
            "train.quantization: 8bit or 4bit"
        )
    if content.get("is_encoder_decoder"):
        raise BaseModelError(
            f"{where}: {folder}: is an encoder-decoder (is_encoder_decoder in config.json), whose "
            "answers do not continue the prompt: name a causal language model"
        )
    if content.get("auto_map") and not _is_known(content.get("model_type")):
        raise BaseModelError(
            f"{where}: {folder}: needs code of its own (auto_map in config.json), which is never "
            "executed here: name a model of a type that transformers knows, or a newer upload of "
            "this one"
        )


def _is_known(model_type: Any) -> bool:
    # imported here: it takes a second, and only models with code of their own need it
    from transformers import CONFIG_MAPPING

    return model_type in CONFIG_MAPPING
