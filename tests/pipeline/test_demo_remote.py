"""What a clone can have: every output that the committed `dvc.lock` names, without a run."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.commands import ROOT, run

LOCK = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))


def test_a_clone_pulls_the_demos_outputs(clone: Path) -> None:
    """All of them are in the remote inside the repository, and nothing is to be committed."""
    run(clone, "dvc", "pull", "--quiet")
    assert run(clone, "git", "status", "--porcelain").stdout == ""
    named = {out["path"] for stage in LOCK["stages"].values() for out in stage.get("outs", ())}
    assert named
    assert [path for path in sorted(named) if not (clone / path).exists()] == []
    said = run(clone, "dvc", "data", "status").stdout
    assert "No changes." in said, said
    assert "report.html" in run(clone, "vestibular", "report").stdout
    compared = run(clone, "vestibular", "compare", "HEAD").stdout
    assert "settings, data, base and code are the same" in compared


def test_the_remote_holds_nothing_else() -> None:
    """It is made anew with each run that is committed: no object of an earlier one is left."""
    kept = {
        "".join(path.relative_to(ROOT / "demo/remote/files/md5").parts)
        for path in (ROOT / "demo/remote/files/md5").rglob("*")
        if path.is_file()
    }
    named = {
        out["md5"]
        for stage in LOCK["stages"].values()
        for out in stage.get("outs", ())
        if not str(out["path"]).endswith(tuple(git_tracked()))
    }
    within = set()
    for digest in named:
        if digest.endswith(".dir"):
            listing = ROOT / "demo/remote/files/md5" / digest[:2] / digest[2:]
            within |= {one["md5"] for one in yaml.safe_load(listing.read_text("utf-8"))}
    assert kept == named | within


def git_tracked() -> set[str]:
    """What git holds of the results: DVC does not."""
    said = subprocess.run(
        ["git", "ls-files", "metrics"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(said.stdout.split())


@pytest.mark.slow
def test_the_notebook_runs_on_the_demos_outputs(clone: Path) -> None:
    """By one command, from the results to two commits compared; its own outputs stay small."""
    run(clone, "dvc", "pull", "--quiet")
    run(clone, "git", "commit", "--quiet", "--allow-empty", "--message=Nothing")
    notebook = "docs/tutorial.ipynb"
    run(clone, "jupyter", "execute", notebook, "--inplace", "--timeout=600")
    shipped, executed = (
        json.loads(path.read_text(encoding="utf-8"))["cells"]
        for path in (ROOT / notebook, clone / notebook)
    )
    printed = "".join(
        "".join(output.get("text", ()))
        for cell in executed
        for output in cell.get("outputs", ())
        if output.get("name") == "stdout"
    )
    board = json.loads((clone / "metrics/leaderboard.json").read_text(encoding="utf-8"))
    assert board["reason"] in printed
    assert "Quem dirige o programa Farol? -> Raul Sá" in printed
    assert printed.count("every answer is the same") == len(board["candidates"])
    drawn = [output for cell in executed for output in cell.get("outputs", ()) if "data" in output]
    assert ["image/svg+xml" in output["data"] for output in drawn] == [True]
    # what is shipped was executed, and shows no machine's paths
    assert [cell["source"] for cell in shipped] == [cell["source"] for cell in executed]
    code = [cell for cell in shipped if cell["cell_type"] == "code"]
    assert sum(bool(cell["outputs"]) for cell in code) >= 6
    text = (ROOT / notebook).read_text(encoding="utf-8")
    assert len(text) < 100_000
    assert "site-packages" not in text
