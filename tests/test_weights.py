"""How large a model is, told by its files."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from vestibular.core import weights
from vestibular.core.weights import is_small, weight_files


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
