"""Two runs of one cell at a time: each ends well, and neither disturbs the other."""

import json
from pathlib import Path

import pytest

from tests.support.commands import run
from tests.support.settings import change


@pytest.mark.slow
def test_two_experiments_of_a_queue_take_turns(prepared_project: Path) -> None:
    """Both train the cells that neither has cached; with two workers they meet there."""
    project = prepared_project
    change(project, remove=["candidates.gpt2-mini"])
    run(project, "git", "commit", "--all", "--quiet", "--message=Two candidates")
    for name, rate in (("slow", "5e-3"), ("fast", "2e-2")):
        setting = f"+candidates.opt-tiny.learning_rate={rate}"
        run(project, "dvc", "exp", "run", "--queue", "--name", name, "-S", setting)
    run(project, "dvc", "queue", "start", "-j", "2")
    # returns when both have ended
    logs = [
        run(project, "dvc", "queue", "logs", "--follow", name).stdout for name in ("slow", "fast")
    ]
    status = run(project, "dvc", "queue", "status").stdout
    assert status.count("Success") == 2, status + "\n".join(logs)
    shown = json.loads(run(project, "dvc", "exp", "show", "--json").stdout)
    assert "slow" in json.dumps(shown)
    assert "fast" in json.dumps(shown)
