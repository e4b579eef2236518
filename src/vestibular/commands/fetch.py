"""Downloads named in the settings: data files, hub datasets, base models. Only on request."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from vestibular.core.base_models import COMMIT, BaseChoice, pin
from vestibular.core.errors import DataError, VestibularError
from vestibular.core.files import atomic_file, file_sha256
from vestibular.core.hub import download, hub_errors
from vestibular.core.paths import PARAMS
from vestibular.data.settings import DataSettings, HubDataset
from vestibular.params.project import Params

TIMEOUT_SECONDS = 60
SCHEMES = ("https://", "http://")


def fetch_data(settings: DataSettings) -> list[str]:
    """Download missing data files; return what was done, one line per file.

    Raises:
        DataError: a file cannot be downloaded, or is not the expected one.
    """
    done = []
    for split in ("train", "validation"):
        name = getattr(settings, split)
        if name is None:
            continue
        path = Path(settings.source, name)
        address = getattr(settings.urls, split, None)
        part = getattr(settings.hub.splits, split) if settings.hub else None
        if path.exists():
            done.append(f"{path}: exists already")
        elif address is not None:
            _download(address, path, getattr(settings.sha256, split, None))
            done.append(f"{path}: downloaded from {address}")
        elif settings.hub is not None and part is not None:
            _from_hub(settings.hub, part, path)
            done.append(f"{path}: made from {settings.hub.id}")
        else:
            raise DataError(
                f"{path}: not found, and {PARAMS} does not say where to download it "
                f"(data.urls.{split} or data.hub.splits.{split}); put the file there"
            )
    return done


def fetch_all(params: Params) -> Iterator[str | VestibularError]:
    """Download missing data and base models, each regardless of failures of the others.

    Yields:
        what was done, in one or more lines, or why something is not available.
    """
    bases = Path(params.bases)
    # DVC needs it even if all bases come from the hub
    bases.mkdir(parents=True, exist_ok=True)
    fetches: list[Callable[[], str]] = [
        lambda: "\n".join(fetch_data(params.data)),
        *(partial(_fetch_base, name, each, bases) for name, each in params.candidates.items()),
    ]
    for fetch in fetches:
        found: str | VestibularError
        try:
            found = fetch()
        except VestibularError as error:
            found = error
        yield found


def _fetch_base(name: str, candidate: BaseChoice, bases: Path) -> str:
    """Download a base model unless it is cached; return what is there."""
    pinned = pin(name, candidate, bases)
    return f"{name}: {pinned.base_model} ({pinned.revision or 'a local folder'}) is there"


def _download(address: str, path: Path, sha256: str | None) -> None:
    if not address.startswith(SCHEMES):
        raise DataError(f"{PARAMS}: data.urls: {address}: must begin with https://")
    try:
        # the scheme has just been checked
        with (
            urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer,  # noqa: S310
            atomic_file(path) as temporary,
        ):
            temporary.write_bytes(answer.read())
            found = file_sha256(temporary)
            if sha256 is not None and found != sha256:
                raise DataError(
                    f"{address}: is not the expected file: its SHA-256 is {found}, but {PARAMS} "
                    f"has {sha256}; nothing was written"
                )
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        TimeoutError,
        ConnectionError,
    ) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"{address}: cannot be downloaded ({reason}); get it elsewhere and put it at {path}"
        ) from None


def _from_hub(dataset: HubDataset, split: str, path: Path) -> None:
    """Write one split of a hub dataset as Parquet."""
    where = f"{dataset.id}@{dataset.revision}"
    if not COMMIT.fullmatch(dataset.revision):
        raise DataError(
            f"{PARAMS}: data.hub.revision: {dataset.revision}: must be a commit, 40 hexadecimal "
            "digits, so that the same data is loaded next year; `vestibular pin` writes it"
        )
    # imported here: takes seconds, and nothing else needs it
    import datasets

    try:
        folder = download(dataset.id, dataset.revision, "dataset")
    except hub_errors() as error:
        raise DataError(
            f"{where}: not in the hub's cache, and cannot be downloaded ({type(error).__name__}); "
            f"on a machine with network access, run `hf download --repo-type dataset {dataset.id} "
            f"--revision {dataset.revision}` and copy its cache here"
        ) from None
    try:
        loaded = datasets.load_dataset(str(folder), name=dataset.config, split=split)
    except (RuntimeError, ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        scripts = [script.name for script in folder.glob("*.py")]
        if scripts:
            raise DataError(
                f"{where}: is a loading script ({scripts[0]}), which executes foreign code and is "
                "refused by `datasets` since version 4; name the files that the script downloads "
                "as data.urls (for FaQuAD: params/faquad.yaml)"
            ) from None
        raise DataError(f"{where}: {str(error).splitlines()[0]}") from None
    with atomic_file(path) as temporary:
        loaded.to_parquet(str(temporary))
