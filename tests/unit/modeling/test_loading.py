"""Weights are compared with the configuration before any training, and no model's code is run."""

import ast
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import ROOT
from vestibular.core.errors import BaseModelError

LOADERS = ("from_pretrained", "from_config")


@pytest.fixture
def folder(tiny_model: Callable[[str], Any], tmp_path: Path) -> Path:
    """A model's folder."""
    tiny_model("llama").save_pretrained(tmp_path / "m")
    return tmp_path / "m"


def changed(folder: Path, **more: Any) -> None:
    path = folder / "config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert more.keys() <= content.keys()
    path.write_text(json.dumps({**content, **more}), encoding="utf-8")


class Program:
    """What makes a folder where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.slow
@pytest.mark.parametrize("legacy", [False, True])
def test_sound_weights_pass(folder: Path, legacy: bool) -> None:
    """As safetensors, and as either of torch's own formats."""
    import torch
    from safetensors.torch import load_file

    from vestibular.modeling.models import rehearse_loading

    rehearse_loading(folder)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    path = folder / "pytorch_model.bin"
    torch.save(weights, path, _use_new_zipfile_serialization=not legacy)
    rehearse_loading(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"num_hidden_layers": 5},
            r"the weights lack \d+ of the tensors that config.json requires",
        ),
        (
            {"vocab_size": 1234},
            r"another shape than in config.json \(for example .*: \d+ x \d+ inst",
        ),
        ({}, r"the weights lack 1 of the tensors .*\(for example lm_head\.weight\)"),
    ],
    ids=["layers", "embeddings", "head"],
)
def test_weights_of_another_configuration_are_refused(
    folder: Path, more: dict[str, Any], said: str
) -> None:
    """Layers, embeddings, an output head: named before anything is loaded."""
    from safetensors.torch import load_file, save_file

    from vestibular.modeling.models import rehearse_loading

    weights = load_file(folder / "model.safetensors")
    if not more:
        del weights["lm_head.weight"]
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    changed(folder, **more)
    with pytest.raises(BaseModelError, match=said) as error:
        rehearse_loading(folder)
    assert str(error.value).startswith(str(folder))
    assert "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("legacy", [False, True])
def test_a_program_in_the_weights_is_refused_unrun(folder: Path, legacy: bool) -> None:
    """Before it is loaded in earnest, and without advice on how to run it."""
    import torch

    from vestibular.modeling.models import rehearse_loading

    (folder / "model.safetensors").unlink()
    weights = {"lm_head.weight": torch.zeros(2, 2), "more": Program(folder / "it ran")}
    path = folder / "pytorch_model.bin"
    torch.save(weights, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(BaseModelError, match="could be a program and are not executed") as error:
        rehearse_loading(folder)
    assert "weights_only" not in str(error.value)
    assert not (folder / "it ran").exists()


def loaders(tree: ast.AST) -> Iterator[ast.Call]:
    """The calls by which transformers' `Auto` classes load something."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)) if (
                name.startswith("Auto") and attribute in LOADERS
            ):
                yield node


def test_no_model_brings_code_of_its_own() -> None:
    """Whoever loads with an `Auto` class says `trust_remote_code=False`, in the card's code too."""
    found = []
    for place in ("src", "stages", "demo"):
        for path in (ROOT / place).rglob("*.py"):
            for call in loaders(ast.parse(path.read_text(encoding="utf-8"))):
                said = {word.arg: ast.unparse(word.value) for word in call.keywords}
                found.append((f"{path}:{call.lineno}", said.get("trust_remote_code")))
    assert len(found) >= 6
    assert [place for place, trusted in found if trusted != "False"] == []
    card = (ROOT / "src/vestibular/report/templates/load.py.jinja").read_text(encoding="utf-8")
    assert card.count("from_pretrained(") == card.count("trust_remote_code=False") + card.count(
        "PeftModel.from_pretrained("
    )
