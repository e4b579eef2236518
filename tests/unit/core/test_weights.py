"""How large a model is, told by its files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from vestibular.core import weights
from vestibular.core.errors import BaseModelError
from vestibular.core.weights import check_files, is_small, weight_files


@pytest.mark.parametrize(("limit", "small"), [(61, True), (60, False)])
def test_parameters_are_counted_in_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, small: bool
) -> None:
    """Those that an index names, whatever a number takes, and none besides; a scalar is one."""
    monkeypatch.setattr(weights, "SMALL_PARAMETERS", limit)
    save_file({"a": np.zeros((4, 5), np.float16)}, tmp_path / "one.safetensors")
    two = {"b": np.zeros((3, 13), np.float32), "c": np.array(1.0)}
    save_file(two, tmp_path / "two.safetensors")
    save_file({"d": np.zeros((99, 99))}, tmp_path / "adapter_model.safetensors")
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}}
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps(index), encoding="utf-8")
    assert [file.name for file in weight_files(tmp_path)] == ["one.safetensors", "two.safetensors"]
    assert is_small(tmp_path) is small


def test_files_that_do_not_tell_are_not_small(tmp_path: Path) -> None:
    """None at all, a missing part, no safetensors; pickled weights count by their bytes."""
    assert weight_files(tmp_path) == []
    assert not is_small(tmp_path)
    whole = tmp_path / "model.safetensors"
    whole.write_bytes(b"no weights")
    assert not is_small(tmp_path)
    whole.unlink()
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "gone.safetensors"}}', encoding="utf-8")
    assert not is_small(tmp_path)
    index.unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(bytes(4 * 1000))
    assert is_small(tmp_path)


def sharded(folder: Path) -> None:
    """Two files of weights, and their index."""
    save_file({"a": np.zeros((40, 50))}, folder / "model-1-of-2.safetensors")
    save_file({"b": np.zeros((3, 13)), "c": np.array(1.0)}, folder / "model-2-of-2.safetensors")
    places = {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}
    index = {"metadata": {}, "weight_map": {**places, "c": places["b"]}}
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps(index), encoding="utf-8")
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def point(path: Path) -> None:
    path.write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 99\n", encoding="utf-8"
    )


def exchange(path: Path) -> None:
    save_file({"another": np.zeros(3)}, path)


@pytest.mark.parametrize(
    ("name", "harm", "message"),
    [
        ("model-2-of-2.safetensors", Path.unlink, "missing"),
        ("model-1-of-2.safetensors", cut, "cut off"),
        ("model-2-of-2.safetensors", point, "git lfs pull"),
        ("tokenizer.json", point, "git lfs pull"),
        ("model-2-of-2.safetensors", exchange, r"lacks 2 of the tensors.*\(for example b\)"),
        ("model.safetensors.index.json", cut, "not the index"),
    ],
)
def test_files_that_are_not_whole_are_named(
    tmp_path: Path, name: str, harm: Callable[[Path], None], message: str
) -> None:
    """A part that is missing, cut off, another one, or what git-lfs leaves in its place."""
    sharded(tmp_path)
    check_files(tmp_path)
    harm(tmp_path / name)
    with pytest.raises(BaseModelError, match=rf"{name}: .*{message}"):
        check_files(tmp_path)


def test_pickled_weights_that_are_cut_off_are_named(tmp_path: Path) -> None:
    """Torch writes a zip archive, whose list of contents stands at its end."""
    import torch

    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.zeros(100)}, path)
    check_files(tmp_path)
    cut(path)
    with pytest.raises(BaseModelError, match="cut off"):
        check_files(tmp_path)
    # as before 2020
    torch.save({"a": torch.zeros(100)}, path, _use_new_zipfile_serialization=False)
    check_files(tmp_path)
