"""How much two results differ, in words."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.results import training_cost
from vestibular.core.costs import CandidateCosts, Machine
from vestibular.core.files import file_md5
from vestibular.verification.amounts import describe_file, describe_folder
from vestibular.verification.contents import files_below, folder_files
from vestibular.verification.machines import machines_text


def test_values_of_json_are_named_with_their_keys() -> None:
    """Two of them, and how many more; lists and what one side lacks too."""
    old = {"tuned": {"f1": 0.5, "em": 0.25}, "ranks": [1, 2], "gone": None}
    new = {"tuned": {"f1": 0.5, "em": 0.5}, "ranks": [1, 3], "more": "x" * 50}
    said = describe_file(Path("a.json"), json.dumps(old).encode(), json.dumps(new).encode())
    assert said == "tuned.em: 0.25 -> 0.5, ranks.1: 2 -> 3, and 2 more"
    one, other = b'{"a": 1}', b'{ "a": 1 }'
    assert describe_file(Path("a.json"), one, other) == "the same values in a different form"
    assert "not JSON" in describe_file(Path("a.json"), b"<<<<<<< HEAD", one)


def test_columns_of_a_table_differ_by_so_much() -> None:
    """The largest difference of each column, or the first text; rows are counted."""
    old = b"step\tloss\tname\n1\t2.5\ta\n2\t1.5\tb\n"
    new = b"step\tloss\tname\n1\t2.25\ta\n2\t1.0\tb\n"
    assert describe_file(Path("a.tsv"), old, new) == "loss by up to 0.5"
    assert describe_file(Path("a.tsv"), old, new[:-8]) == "2 rows -> 1 rows"
    assert describe_file(Path("a.tsv"), old, old.replace(b"\tb", b"\tc")) == "name: b -> c"


def test_lines_of_other_files_are_counted() -> None:
    """The last ones that one side alone has, too."""
    assert describe_file(Path("a.html"), b"a\nb\nc", b"a\nx") == "2 lines"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_differ_by_so_much(in_folder: Path, dtype: torch.dtype) -> None:
    """Of the files that differ; what is new or missing is named; what is not here is said."""
    kept = in_folder / ".dvc/cache/files/md5"
    folder = in_folder / "adapter"
    folder.mkdir()
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=dtype)
    save_file({"a": weights}, folder / "adapter.safetensors")
    (folder / "same").write_text("same")
    (folder / "old").write_text("old")
    old = files_below(folder)
    md5 = old["adapter.safetensors"]
    (kept / md5[:2]).mkdir(parents=True)
    (folder / "adapter.safetensors").rename(kept / md5[:2] / md5[2:])
    save_file(
        {"a": weights + torch.tensor([0.0, 0.25, 0.0], dtype=dtype)}, folder / "adapter.safetensors"
    )
    (folder / "old").unlink()
    said = describe_folder(old, files_below(folder), folder)
    assert said == (
        "2 of 2 files: adapter.safetensors: weights by up to 0.25, with a maximum of 2, "
        "old is missing"
    )
    save_file({"b": weights}, folder / "adapter.safetensors")
    assert "different tensors" in describe_folder(old, files_below(folder), folder)
    assert "amount unknown" in describe_folder(None, files_below(folder), folder)


def test_a_folders_list_that_was_changed_is_none(in_folder: Path) -> None:
    """Its own hash tells."""
    listed = in_folder / "list"
    listed.write_text(json.dumps([{"relpath": "a", "md5": "0" * 32}]))
    md5 = file_md5(listed)
    place = in_folder / ".dvc/cache/files/md5" / md5[:2] / f"{md5[2:]}.dir"
    place.parent.mkdir(parents=True)
    listed.rename(place)
    assert folder_files(f"{md5}.dir") == {"a": "0" * 32}
    place.write_text(place.read_text().replace("0", "1"))
    assert folder_files(f"{md5}.dir") is None


def test_machines_and_packages_are_set_beside_each_other() -> None:
    """What differs, or that nothing does, or that nothing was recorded."""

    def measured(**packages: str) -> CandidateCosts:
        machine = Machine(device="cpu, 2 cores", packages={"python": "3.11", **packages})
        return CandidateCosts(run="ab", train=training_cost(machine=machine), evaluate=None)

    before, now = measured(torch="2.13", peft="1"), measured(torch="2.14", numpy="2")
    assert now.train is not None
    assert machines_text([before], [now.train]) == [
        *("package: torch 2.13 -> 2.14", "package: peft 1 -> none", "package: numpy none -> 2"),
    ]
    (same,) = machines_text([now], [now.train])
    assert same == (
        "machine and packages: as recorded by the commit, cpu, 2 cores, Python 3.11, torch 2.14"
    )
    (unknown,) = machines_text([], [now.train])
    assert unknown.startswith("machine and packages: not recorded by the commit")
    assert machines_text([before], []) == []
    other = Machine(device="cuda", packages={"python": "3.11", "torch": "2.14", "numpy": "2"})
    moved = training_cost(machine=other)
    assert machines_text([now], [moved]) == ["machine: cpu, 2 cores -> cuda"]
