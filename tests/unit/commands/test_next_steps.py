"""What `vestibular leaderboard` says to type next: of this project, as it is now."""

import re
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from vestibular.commands.next_steps import next_steps
from vestibular.params.project import load_params
from vestibular.selection.leaderboard import Leaderboard

DEMO = (ROOT / "params.yaml").read_text(encoding="utf-8")


def board(*names: str, promoted: bool = False) -> Leaderboard:
    """A leaderboard with these candidates, the best first, and nothing else that counts here."""
    return Leaderboard.model_construct(candidates=dict.fromkeys(names), promoted=promoted)


@pytest.mark.parametrize(
    ("written", "named"),
    [("1e-2", "2e-2"), ("0.0002", "4e-4"), ("1.25e-3", "2.5e-3"), ("5", "1e1"), ("0.05", "1e-1")],
)
def test_a_variant_is_of_the_projects_own_rate(tmp_path: Path, written: str, named: str) -> None:
    """Twice the rate in the settings, as people write it."""
    params = tmp_path / "params.yaml"
    text = DEMO.replace("learning_rate: 1e-2", f"learning_rate: {float(written):.9f}")
    params.write_text(text, encoding="utf-8")
    said = next_steps(board("opt-tiny"), params)
    assert f"  dvc exp run -S train.learning_rate={named}  " in said
    rate = load_params(params).train.learning_rate
    assert float(re.findall("learning_rate=([^ ]+)", said)[0]) == pytest.approx(2 * rate)


def test_a_variant_is_of_the_best_candidate(tmp_path: Path) -> None:
    """A rate of its own is the one that counts; of another candidate, it is not."""
    params = tmp_path / "params.yaml"
    base = "    base_model: demo/bases/gpt2-mini\n"
    text = DEMO.replace(base, f"{base}    learning_rate: 3e-3\n")
    assert text != DEMO
    params.write_text(text, encoding="utf-8")
    said = next_steps(board("gpt2-mini", "opt-tiny"), params)
    assert "-S candidates.gpt2-mini.learning_rate=6e-3 " in said
    assert "-S train.learning_rate=2e-2 " in next_steps(board("opt-tiny", "gpt2-mini"), params)
    # one that the settings name no more
    assert "-S candidates.gpt2-mini.learning_rate=6e-3 " in next_steps(
        board("gone", "gpt2-mini"), params
    )


def test_settings_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """The board is there all the same, with the command that says what is wrong."""
    params = tmp_path / "params.yaml"
    params.write_text("train: [", encoding="utf-8")
    said = next_steps(board("opt-tiny"), params)
    assert "dvc exp run" not in said
    assert "  vestibular plan  " in said


def test_only_a_promoted_model_can_be_asked(tmp_path: Path) -> None:
    """What each command is for stands below each other."""
    params = tmp_path / "params.yaml"
    params.write_text(DEMO, encoding="utf-8")
    said = next_steps(board("opt-tiny", promoted=True), params)
    assert said.startswith('  vestibular answer --context FILE "question" ')
    assert "vestibular answer" not in next_steps(board("opt-tiny"), params)
    purposes = ("ask the model", "see the curves", "try a variant", "compare the variants")
    lines = said.splitlines()
    assert len({line.index(what) for line, what in zip(lines, purposes, strict=True)}) == 1
