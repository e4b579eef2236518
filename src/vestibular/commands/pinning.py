"""Commit hashes for hub models and datasets, written into the settings file."""

from pathlib import Path

from vestibular.core.base_models import COMMIT
from vestibular.core.errors import BaseModelError
from vestibular.core.hub import hub_errors
from vestibular.core.yaml_files import replace_values
from vestibular.params.project import load_params


def pin_revisions(path: Path, update: bool) -> list[str]:
    """Ask the hub for the current commits and write them into the file; keep comments.

    A revision that is already a commit stays, unless `update` asks for the newest one.

    Args:
        path: the settings file.
        update: whether pinned revisions are also moved to the newest commit.

    Returns:
        one line per candidate and dataset: what it is pinned to.

    Raises:
        BaseModelError: the hub cannot be reached or has no such model.
    """
    params = load_params(path)
    wanted: dict[tuple[str, ...], tuple[str, str | None, str]] = {}
    lines = []
    for name, candidate in params.candidates.items():
        if Path(candidate.base_model).is_dir():
            lines.append(f"{name}: a local folder, pinned by its content in `prepare`")
        else:
            wanted["candidates", name, "revision"] = (
                candidate.base_model,
                candidate.revision,
                "model",
            )
    if params.data.hub:
        hub = params.data.hub
        wanted["data", "hub", "revision"] = (hub.id, hub.revision, "dataset")
    found: dict[tuple[str, ...], str] = {}
    for place, (repository, revision, kind) in wanted.items():
        pinned = revision is not None and COMMIT.fullmatch(revision)
        if pinned and not update:
            lines.append(f"{'.'.join(place)}: {repository} stays at {revision}")
            continue
        found[place] = _commit(repository, None if pinned else revision, kind)
        lines.append(f"{'.'.join(place)}: {repository} is pinned to {found[place]}")
    replace_values(path, found)
    return lines


def _commit(repository: str, revision: str | None, kind: str) -> str:
    # imported here: a third of a second
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        api = HfApi()
        about = api.repo_info(repository, revision=revision, repo_type=kind, timeout=30)
    except OfflineModeIsEnabled:
        raise BaseModelError(
            f"{repository}: the commit can only be read from the hub, but HF_HUB_OFFLINE is set; "
            "unset it"
        ) from None
    except hub_errors() as error:
        raise BaseModelError(
            f"{repository}: the hub did not give its commit at {revision or 'main'} "
            f"({type(error).__name__}); check the name, the branch and the network"
        ) from None
    return str(about.sha)
