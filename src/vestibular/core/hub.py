"""Models on the Hugging Face hub: downloaded at one commit, or read from the hub's cache."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vestibular.core.errors import BaseModelError
from vestibular.core.paths import PARAMS
from vestibular.core.unusable_bases import refuse_by_names
from vestibular.core.weights import WEIGHTS, weight_files

TOKENIZERS = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt")
"""Patterns of what holds a tokenizer's words."""
OTHER_FILES = ("*.json", "*.model", "*.txt", "*.jinja")
"""Patterns of what else a model and its tokenizer consist of."""


HUB_SECONDS = 20.0
"""Longest wait for the hub's first answer."""


def snapshot(repository: str, revision: str) -> Path:
    """Return the folder with a model of the hub, downloading it unless the cache has all of it.

    Args:
        repository: `owner/name`.
        revision: commit, 40 hexadecimal digits.

    Raises:
        BaseModelError: it is neither in the cache nor to be had, or is no base.
    """
    # imported here: only hub models need it, and it costs a third of a second
    import huggingface_hub
    from huggingface_hub.errors import (
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    cached = huggingface_hub.try_to_load_from_cache(repository, "config.json", revision=revision)
    if isinstance(cached, str):
        folder = Path(cached).parent
        # a download that was cut off leaves some of the files there
        if _has_weights(folder) and any(any(folder.glob(pattern)) for pattern in TOKENIZERS):
            return folder
    try:
        about = huggingface_hub.HfApi().model_info(
            repository, revision=revision, timeout=HUB_SECONDS
        )
        names = [file.rfilename for file in about.siblings or ()]
        refuse_by_names(repository, names)
        patterns = [_first_matching(repository, names), *OTHER_FILES]
        return Path(
            huggingface_hub.snapshot_download(
                repository, revision=revision, allow_patterns=patterns, ignore_patterns="*/*"
            )
        )
    except RevisionNotFoundError:
        raise BaseModelError(f"{repository}: the hub has no revision {revision}") from None
    except RepositoryNotFoundError:
        raise BaseModelError(
            f"{repository}: neither a folder here nor a model on the hub that you may see"
        ) from None
    except hub_errors() as error:
        reason = (
            "HF_HUB_OFFLINE is set"
            if isinstance(error, OfflineModeIsEnabled)
            else f"the hub cannot be reached ({type(error).__name__})"
        )
        raise BaseModelError(
            f"{repository}@{revision}: not all of it is in the hub's cache, and {reason}. On a "
            f"machine with a network run `hf download {repository} --revision {revision}` and "
            f"copy its cache here; or add `--local-dir DIR`, put that folder below the one that "
            f"`bases` names in {PARAMS}, and write it as base_model"
        ) from None


def download(
    repository: str,
    revision: str | None,
    kind: Literal["model", "dataset"] = "model",
    patterns: Sequence[str] | None = None,
) -> Path:
    """Return the folder with files of a repository, from the cache where the hub does not answer.

    The hub is asked once before: the client's own download tries six times, for half a minute, and
    prints each.

    Args:
        repository: `owner/name`.
        revision: commit, branch or tag; None for the newest.
        kind: what the repository holds.
        patterns: which files of its top folder; None for all files.

    Raises:
        hub_errors(): it is neither in the cache nor to be had.
    """
    import httpx2
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled

    unreachable: Exception | None = None
    try:
        huggingface_hub.HfApi().repo_info(
            repository, revision=revision, repo_type=kind, timeout=HUB_SECONDS
        )
    except (httpx2.TransportError, OfflineModeIsEnabled) as error:
        unreachable = error
    try:
        return Path(
            huggingface_hub.snapshot_download(
                repository,
                revision=revision,
                repo_type=kind,
                allow_patterns=None if patterns is None else list(patterns),
                ignore_patterns=None if patterns is None else "*/*",
                local_files_only=unreachable is not None,
            )
        )
    except LocalEntryNotFoundError:
        if unreachable is not None:
            raise unreachable from None
        raise


def _has_weights(folder: Path) -> bool:
    """Say whether a folder holds all of a model's weights, in one file or in several."""
    files = weight_files(folder)
    return bool(files) and all(path.is_file() for path in files)


def hub_errors() -> tuple[type[Exception], ...]:
    """Return what the hub's client raises where it cannot have something.

    Its own errors are system errors too, but for that about a name; those of its connection are
    not.
    """
    # imported here: only hub models need them
    import httpx2
    from huggingface_hub.errors import HFValidationError

    return httpx2.HTTPError, HFValidationError, OSError


def _first_matching(repository: str, names: list[str]) -> str:
    for pattern in WEIGHTS:
        if any(Path(name).match(pattern) and "/" not in name for name in names):
            return pattern
    raise BaseModelError(f"{repository}: has no weights on the hub ({' or '.join(WEIGHTS)})")
