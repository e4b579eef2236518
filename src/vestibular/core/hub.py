"""Models on the Hugging Face hub: downloaded at one commit, or read from the hub's cache."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vestibular.core.errors import BaseModelError
from vestibular.core.paths import PARAMS
from vestibular.core.unusable_bases import refuse_by_names
from vestibular.core.weights import WEIGHTS, weight_files

TOKENIZERS = ("tokenizer.json", "*.model", "vocab.json", "vocab.txt")
"""Patterns of a tokenizer's vocabulary files."""
OTHER_FILES = ("*.json", "*.model", "*.txt", "*.jinja")
"""Patterns of the other files of a model and its tokenizer."""


HUB_SECONDS = 20.0
"""Timeout for the hub's first response, in seconds."""


def snapshot(repository: str, revision: str) -> Path:
    """Return the folder of a hub model, downloading it unless it is completely cached.

    Args:
        repository: `owner/name`.
        revision: commit, 40 hexadecimal digits.

    Raises:
        BaseModelError: it is neither cached nor available for download, or cannot be a base.
    """
    # imported here: only hub models need it, and the import takes a third of a second
    import huggingface_hub
    from huggingface_hub.errors import (
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    cached = huggingface_hub.try_to_load_from_cache(repository, "config.json", revision=revision)
    if isinstance(cached, str):
        folder = Path(cached).parent
        # an interrupted download leaves some of the files there
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
            f"{repository}: neither a local folder nor a hub model that you have access to"
        ) from None
    except hub_errors() as error:
        reason = (
            "HF_HUB_OFFLINE is set"
            if isinstance(error, OfflineModeIsEnabled)
            else f"the hub cannot be reached ({type(error).__name__})"
        )
        raise BaseModelError(
            f"{repository}@{revision}: not completely in the hub's cache, and {reason}. On a "
            f"machine with network access, run `hf download {repository} --revision {revision}` "
            "and copy its cache here; or add `--local-dir DIR`, move that folder into the one "
            f"named by `bases` in {PARAMS}, and write its path as base_model"
        ) from None


def download(
    repository: str,
    revision: str | None,
    kind: Literal["model", "dataset"] = "model",
    patterns: Sequence[str] | None = None,
) -> Path:
    """Return the folder with a repository's files, from the cache if the hub is unreachable.

    The hub is asked once beforehand: the client's own download tries six times, for half a minute,
    and prints each attempt.

    Args:
        repository: `owner/name`.
        revision: commit, branch or tag; None for the newest.
        kind: type of the repository.
        patterns: patterns of files in its top folder; None for all files.

    Raises:
        hub_errors(): it is neither cached nor available for download.
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
    """Return whether a folder contains all of a model's weights, in one file or several."""
    files = weight_files(folder)
    return bool(files) and all(path.is_file() for path in files)


def hub_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions by which the hub's client reports that something is unavailable.

    Its own errors are OSErrors, except the one about a malformed name; errors of the connection are
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
