"""Base models pinned to their exact bytes, and where their files are on this machine.

A pin is either a model on the Hugging Face hub at one commit, or a local folder with the hash of
its content. Nothing here imports torch.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from vestibular.core.errors import BaseModelError
from vestibular.core.file_formats import FileFormat
from vestibular.core.files import folder_sha256
from vestibular.core.hub import OTHER_FILES, download, hub_errors, snapshot
from vestibular.core.paths import PARAMS, PINS
from vestibular.core.settings import Arithmetic, Precision, Quantization
from vestibular.core.unusable_bases import (
    check_configuration,
    check_folder,
    read_configuration,
    refuse_by_configuration,
    refuse_file,
)
from vestibular.core.weights import check_files

COMMIT = re.compile(r"[0-9a-f]{40}")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True)
class Pin:
    """A base model's exact version: `revision` for the hub, `sha256` for a folder."""

    base_model: str
    revision: str | None = None
    sha256: str | None = None

    def as_json(self) -> dict[str, str]:
        """Return the fields that are set."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class BaseChoice(Protocol):
    """The part of a candidate's settings that names its base model."""

    @property
    def base_model(self) -> str:
        """A folder, or the id of a model on the Hugging Face hub."""

    @property
    def revision(self) -> str | None:
        """The hub's commit; None for a folder."""


class PinnedBase(FileFormat):
    """`data/bases/<candidate>.json`: a base model's exact version, and how it is loaded.

    Loading is recorded here, and not in the settings of the training, so that a new learning rate
    does not examine the base again.
    """

    VERSION = 3
    MADE_BY = "dvc repro prepare"

    base_model: str
    """A folder, or the id of a model on the Hugging Face hub."""
    revision: str | None = None
    """The hub's commit, 40 hexadecimal digits."""
    sha256: str | None = None
    """For a folder: SHA-256 over the names and bytes of its files."""
    quantization: Quantization
    """Precision of the frozen weights: that of `precision`, or 8 or 4 bit."""
    precision: Precision
    """Number format of the computation."""
    arithmetic: Arithmetic
    """Arithmetic of a CPU."""
    max_length: int
    """Maximum length of prompt and answer together, in tokens, as set."""
    chat_prompt_sha256: str | None = None
    """SHA-256 of a question rendered by the model's chat template; null without a template."""

    @classmethod
    def upgrade(cls, content: dict[str, Any], version: int) -> dict[str, Any]:
        """Take version 2 as it is: it had no hash of the chat template."""
        return content if version == 2 else super().upgrade(content, version)

    @property
    def pin(self) -> Pin:
        """The base model's exact version."""
        return Pin(self.base_model, self.revision, self.sha256)


def pin(name: str, candidate: BaseChoice, bases: Path) -> Pin:
    """Pin a candidate's base model, and check that it can be loaded.

    A hub model is downloaded unless the hub's cache has it. A local model is in `bases`, which DVC
    watches for changes.

    Raises:
        BaseModelError: the folder is missing or incomplete, the revision is not a commit, or the
            model is not in the cache and cannot be downloaded.
    """
    where = f"{PARAMS}: candidates.{name}"
    if Path(candidate.base_model).is_dir():
        folder = Path(candidate.base_model)
        if candidate.revision is not None:
            raise BaseModelError(
                f"{where}.revision: a local folder has no revision; remove the key"
            )
        if not bases.is_dir():
            raise BaseModelError(f"{PARAMS}: bases: {bases}: no such folder")
        if not folder.resolve().is_relative_to(bases.resolve()):
            raise BaseModelError(
                f"{where}.base_model: {folder}: is outside {bases}, the folder that DVC watches; "
                f"move it there, or name another folder as `bases` in {PARAMS}"
            )
        check_folder(folder, f"{where}.base_model")
        return Pin(folder.as_posix(), sha256=folder_sha256(folder))
    if Path(candidate.base_model).is_file():
        refuse_file(f"{where}.base_model", Path(candidate.base_model))
    if not HUB_ID.fullmatch(candidate.base_model):
        raise BaseModelError(
            f"{where}.base_model: {candidate.base_model}: no such folder, and not the id of a "
            "model on the hub"
        )
    if candidate.base_model.count("/") == 1 and Path(candidate.base_model).parent.is_dir():
        raise BaseModelError(
            f"{where}.base_model: {candidate.base_model}: no such folder (if you mean the hub's "
            "model of that name, rename the local folder that has the same name as its owner)"
        )
    if candidate.revision is None or not COMMIT.fullmatch(candidate.revision):
        raise BaseModelError(
            f"{where}.revision: must be the hub's commit, 40 lowercase hexadecimal digits (got "
            f"{candidate.revision}), so that the same model is loaded next year; `vestibular pin` "
            f"writes it. If you mean a local folder: there is no {candidate.base_model}"
        )
    result = Pin(candidate.base_model, revision=candidate.revision)
    folder = locate(result)
    check_files(folder)
    refuse_by_configuration(folder, f"{where}.base_model: {candidate.base_model}")
    return result


def read_pin(name: str) -> PinnedBase:
    """Read the pin that `prepare` wrote for a candidate.

    Raises:
        DataError: `prepare` has not run.
    """
    return PinnedBase.read(PINS / f"{name}.json")


def locate(pin: Pin, search: tuple[Path, ...] = (Path(),)) -> Path:
    """Return the folder with a pinned model's files, downloading them if needed.

    A relative folder is looked up below each folder of `search` in turn.

    Raises:
        BaseModelError: the files are missing and cannot be downloaded, or have changed since they
            were pinned.
    """
    if pin.revision is not None:
        return snapshot(pin.base_model, pin.revision)
    for base in search:
        folder = base / pin.base_model
        if folder.is_dir():
            break
    else:
        raise BaseModelError(f"{pin.base_model}: the base model's folder is gone; put it back")
    if folder_sha256(folder) != pin.sha256:
        raise BaseModelError(
            f"{folder}: the base model's files have changed since they were pinned; put them "
            "back, or run `dvc repro` to pin the new ones"
        )
    return folder


def positions(folder: Path) -> int | None:
    """Return a model's maximum number of tokens, prompt plus answer; None if unlimited.

    Raises:
        BaseModelError: the model's configuration is not a JSON object.
    """
    content = read_configuration(folder)
    # composite models keep the text decoder's values in a nested part
    parts = [content, *(content.get(key) for key in ("text_config", "decoder", "llm_config"))]
    found = [
        part.get(key)
        for part in parts
        if isinstance(part, dict)
        for key in ("max_position_embeddings", "n_positions", "max_seq_len")
    ]
    return next((number for number in found if isinstance(number, int)), None)


def configuration_folder(name: str, candidate: BaseChoice) -> Path:
    """Return a folder with a candidate's configuration and tokenizer; weights may be missing.

    From the hub, only these small files are downloaded.

    Raises:
        BaseModelError: they cannot be downloaded, or show that the model cannot be a base.
    """
    where = f"{PARAMS}: candidates.{name}"
    folder = Path(candidate.base_model)
    if folder.is_dir():
        check_configuration(folder, f"{where}.base_model")
        return folder
    if folder.is_file():
        refuse_file(f"{where}.base_model", folder)
    try:
        snapshot = download(candidate.base_model, candidate.revision, patterns=OTHER_FILES)
    except hub_errors() as error:
        raise BaseModelError(
            f"{where}: {candidate.base_model}@{candidate.revision}: no such folder, and the "
            "configuration is neither in the hub's cache nor can it be downloaded "
            f"({type(error).__name__})"
        ) from None
    check_configuration(snapshot, f"{where}.base_model: {candidate.base_model}")
    return snapshot


def longest_input(folder: Path, max_length: int) -> int:
    """Return how many tokens a model may take: its own limit or `max_length`."""
    return min(max_length, positions(folder) or max_length)
