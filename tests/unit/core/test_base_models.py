"""Base models: pinned to their bytes, found, or refused with what to do."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.support.commands import ROOT
from vestibular.core.base_models import Pin, locate, pin
from vestibular.core.errors import BaseModelError
from vestibular.params.project import Candidate, load_params

TRAIN = load_params(ROOT / "params.yaml").train
COMMIT = "607a30d783dfa663caf39e06633721c8d4cfcd7e"
BASES = Path("bases")
WEIGHTS = {"a": np.zeros(3)}


def candidate(base_model: str, revision: str | None = None) -> Candidate:
    return Candidate(base_model=base_model, revision=revision, train=TRAIN)


@pytest.fixture
def folder(in_folder: Path) -> Path:
    path = BASES / "tiny"
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}", encoding="utf-8")
    save_file(WEIGHTS, path / "model.safetensors")
    return path


def test_a_folder_is_pinned_by_its_content(folder: Path) -> None:
    """The pin holds the folder's hash; a changed byte is noticed where it is loaded."""
    pinned = pin("x", candidate(str(folder)), BASES)
    assert pinned.base_model == "bases/tiny"
    assert locate(pinned) == folder
    (folder / "model.safetensors").write_bytes(b"others")
    with pytest.raises(BaseModelError, match="have changed since they were pinned"):
        locate(pinned)
    shutil.rmtree(folder)
    with pytest.raises(BaseModelError, match="folder is gone"):
        locate(pinned)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_links_are_what_they_lead_to(folder: Path, name: str) -> None:
    """As in the hub's cache: the same pin as of the files; a link that leads nowhere is named."""
    plain = pin("x", candidate(str(folder)), BASES)
    blob = Path("blobs") / "0123"
    blob.parent.mkdir()
    (folder / name).rename(blob)
    (folder / name).symlink_to(Path("../..") / blob)
    assert pin("x", candidate(str(folder)), BASES) == plain
    blob.unlink()
    with pytest.raises(BaseModelError, match=rf"{name} is a broken link to ../../blobs/0123;"):
        pin("x", candidate(str(folder)), BASES)


@pytest.mark.parametrize(
    ("missing", "message"),
    [("config.json", "has no config.json"), ("model.safetensors", "has no weights")],
)
def test_an_incomplete_folder_is_refused(folder: Path, missing: str, message: str) -> None:
    """What is missing is named, with the key of the settings."""
    (folder / missing).unlink()
    with pytest.raises(BaseModelError, match=rf"candidates\.x\.base_model: bases/tiny: {message}"):
        pin("x", candidate(str(folder)), BASES)


def test_a_folder_that_dvc_does_not_watch_is_refused(folder: Path) -> None:
    """A change in it would go unnoticed."""
    Path("elsewhere").mkdir()
    with pytest.raises(BaseModelError, match="outside elsewhere"):
        pin("x", candidate(str(folder)), Path("elsewhere"))


@pytest.mark.parametrize(
    ("base_model", "revision", "message"),
    [
        ("bases/absent", None, "no such folder"),
        ("../absent/model/x", None, "no such folder, and not the id"),
        ("openai-community/gpt2", None, "40 lowercase hexadecimal digits"),
        ("openai-community/gpt2", "main", "40 lowercase hexadecimal digits"),
        ("openai-community/gpt2", COMMIT[:7], "40 lowercase hexadecimal digits"),
        ("openai-community/gpt2", "B" * 40, "lowercase hexadecimal"),
        ("bases/tiny", COMMIT, "a local folder has no revision"),
    ],
)
def test_what_is_no_model_is_refused(
    folder: Path, base_model: str, revision: str | None, message: str
) -> None:
    """A missing folder, an unpinned hub model, a revision where there can be none."""
    with pytest.raises(BaseModelError, match=message):
        pin("x", candidate(base_model, revision), BASES)


def test_a_hub_model_comes_from_the_cache(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline, a model in the hub's cache is found; one that is not there says what to do."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(in_folder / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        BaseModelError, match=rf"hf download openai-community/gpt2 --revision {COMMIT}"
    ):
        pin("x", candidate("openai-community/gpt2", COMMIT), BASES)
    snapshot = in_folder / "hub/models--openai-community--gpt2/snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}", encoding="utf-8")
    save_file(WEIGHTS, snapshot / "model.safetensors")
    (snapshot / "tokenizer.json").write_text("{}", encoding="utf-8")
    assert pin("x", candidate("openai-community/gpt2", COMMIT), BASES) == Pin(
        "openai-community/gpt2", revision=COMMIT
    )
    assert locate(Pin("openai-community/gpt2", revision=COMMIT)) == snapshot


def test_a_download_that_was_cut_off_is_no_model(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of several weight files, or weights without a tokenizer, are not enough."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(in_folder / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    snapshot = in_folder / "hub/models--owner--large/snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = {"weight_map": {"a": parts[0], "b": parts[1], "c": parts[0]}}
    whole = Pin("owner/large", revision=COMMIT)
    for name, content in (
        ("config.json", "{}"),
        (parts[0], "weights"),
        ("model.safetensors.index.json", json.dumps(index)),
        ("vocab.json", "{}"),
        (parts[1], "weights"),
    ):
        with pytest.raises(BaseModelError, match="not completely in the hub's cache"):
            locate(whole)
        (snapshot / name).write_text(content, encoding="utf-8")
    assert locate(whole) == snapshot
    (snapshot / "vocab.json").unlink()
    with pytest.raises(BaseModelError, match="not completely in the hub's cache"):
        locate(whole)
