"""What `vestibular upgrade` says of the stages that run again."""

from pathlib import Path

import pytest

from tests.support.repositories import commit_all
from vestibular.commands.project_commands import _tell_reruns
from vestibular.core.errors import GitError
from vestibular.core.version_control import run_dvc
from vestibular.scaffold.reruns import reruns

# DVC still asks pygtrie by an old name
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

GRAPH = """
stages:
  last: {cmd: cat b c > d, deps: [b, c, code/report], outs: [d]}
  first: {cmd: cat a > b, deps: [a, code/core], params: [x], outs: [b]}
  apart: {cmd: cat a > c, deps: [a, code/training], outs: [c]}
  behind: {cmd: cat d > e, deps: [d], outs: [e]}
"""


@pytest.fixture
def graph(in_folder: Path) -> Path:
    """Four stages of shell commands, run and committed."""
    commit_all(in_folder, "Start")
    (in_folder / "code").mkdir()
    for name in ("a", "code/core", "code/report", "code/training"):
        (in_folder / name).write_text(name)
    (in_folder / "dvc.yaml").write_text(GRAPH)
    (in_folder / "params.yaml").write_text("x: 1\ny: 1\n")
    assert run_dvc("init").returncode == 0
    assert run_dvc("repro").returncode == 0
    return in_folder


def test_stages_are_named_with_what_has_changed(
    graph: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And those behind them, since they may read something else then; others are not."""
    assert reruns().certain == {}
    _tell_reruns()
    assert capsys.readouterr().out == "Nothing runs again: all results are up to date.\n"
    (graph / "code/report").write_text("newer")
    found = reruns()
    assert dict(found.certain) == {"last": ("code/report",)}
    assert found.possible == ("behind",)
    _tell_reruns()
    said = capsys.readouterr().out
    assert "  last: code/report\nand, if their inputs turn out different: behind\n" in said
    assert "No training runs again." in said
    (graph / "code/core").write_text("newer")
    (graph / "params.yaml").write_text("x: 2\ny: 2\n")
    text = GRAPH.replace("cat a > c", "cat a a > c")
    (graph / "dvc.yaml").write_text(text)
    found = reruns()
    assert {name: set(why) for name, why in found.certain.items()} == {
        "last": {"code/report"},
        "first": {"code/core", "x"},
        "apart": {"changed command"},
    }
    assert found.possible == ("behind",)


def test_a_graph_that_dvc_cannot_read_is_said(graph: Path) -> None:
    """In its own words, as one message."""
    (graph / "dvc.yaml").write_text("stages: [")
    with pytest.raises(GitError, match=r"^dvc status: "):
        reruns()
