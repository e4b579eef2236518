"""The table of all architectures goes on where it was ended, and says what it holds."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from bench import architectures

FOUND: dict[str, dict[str, Any]] = {
    "gpt2": {"training": "shared", "exam": "shared", "reason": "", "targets": ["c_attn"]},
    "bloom": {"training": "padded", "exam": "padded", "reason": "a | b", "targets": "x|y"},
    "bert": {"refused": "is not a causal language model"},
    "fuyu": {"refused": "cannot be built from its default configuration (no timm)"},
    "rwkv": {"refused": "the check took more than 600 s"},
}


@pytest.fixture
def checked(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are checked, in their order; nothing is really checked."""
    names: list[str] = []

    def check(name: str) -> dict[str, Any]:
        names.append(name)
        return {"refused": "", **FOUND[name], "seconds": 1}

    for folder in ("docs", "bench/results"):
        Path(folder).mkdir(parents=True)
    monkeypatch.setattr(architectures, "checked_apart", check)
    monkeypatch.setattr(architectures, "causal_types", lambda: list(FOUND))
    monkeypatch.setattr(architectures, "made_by", lambda: {"check": "1"})
    return names


def run(monkeypatch: pytest.MonkeyPatch, *names: str) -> str:
    """Run the program; return the page that it wrote."""
    monkeypatch.setattr("sys.argv", ["bench.architectures", *names])
    architectures.main()
    return architectures.TABLE.read_text(encoding="utf-8")


def test_what_has_a_result_is_not_checked_again(
    checked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is named, or packages or code have changed; what has none comes first."""
    page = run(monkeypatch, "bert", "gpt2")
    assert "2 of the 5 types" in page
    assert "none of these results come from earlier code" in page
    run(monkeypatch)
    assert checked == ["bert", "gpt2", "bloom", "fuyu", "rwkv"]
    run(monkeypatch)
    assert len(checked) == 5
    run(monkeypatch, "rwkv")
    assert checked[5:] == ["rwkv"]
    kept = json.loads(architectures.RESULTS.read_text(encoding="utf-8"))
    assert list(kept) == list(FOUND)
    monkeypatch.setattr(architectures, "made_by", lambda: {"check": "2"})
    assert "4 of these results come from earlier code" in run(monkeypatch, "gpt2")
    run(monkeypatch)
    assert checked[7:] == ["bloom", "bert", "fuyu", "rwkv"]


def test_the_page_counts_each_group(checked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each of the five; bars within a cell do not end it."""
    lines = run(monkeypatch).splitlines()
    assert "| exam | 1 | 1 | 0 | 1 | 1 | 1 |" in lines
    assert "| training | 1 | 1 | 0 | | | |" in lines
    assert r"| bloom | padded | padded | `x\|y` | a \| b |" in lines
    assert "| bert | refused | refused |  | is not a causal language model |" in lines


@pytest.mark.slow
def test_a_check_that_hangs_or_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a process of its own, and the others are checked all the same."""
    monkeypatch.setattr(architectures, "send_check", die)
    assert architectures.checked_apart("gpt2")["refused"].endswith("its process ended with 3")
    monkeypatch.setattr(architectures, "send_check", hang)
    monkeypatch.setattr(architectures, "SECONDS", 1)
    assert architectures.checked_apart("gpt2")["refused"] == "the check took more than 1 s"


def die(name: str, sender: Any) -> None:
    """End without a word."""
    os._exit(3)


def hang(name: str, sender: Any) -> None:
    """Say nothing for a long time."""
    time.sleep(600)
