"""Which tests xdist's processes share out, and which belong together in one of them.

`--dist loadgroup` would do it by a mark, but pytest 9.2 names tests in a way that xdist 3.8 does
not know: it shares out each test by itself, and what a module makes once is made once a process.
"""

from pathlib import PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

TOGETHER = frozenset(
    {
        *("test_neptune_page.py", "test_report_page.py"),
        *("test_neptune_attacks.py", "test_neptune_http.py", "test_neptune_server.py"),
        *("test_processes.py", "test_own_project.py", "test_simulation.py"),
        *("test_scatter_ray.py", "test_scatter_slurm.py"),
    }
)
"""Modules with a browser, a server or trainings that all of their tests use."""
BY_PARAMETER = frozenset({"test_capability.py"})
"""Modules whose tests of one parameter use the same."""


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
    """Shares out tests one by one in the order in which they were collected, or a few at a time."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """Return a name that tests which belong together share."""
    path, _, test = nodeid.partition("::")
    module = PurePosixPath(path).name
    if module in TOGETHER:
        return path
    parameter = test.partition("[")[2]
    if module in BY_PARAMETER and parameter:
        return f"{path}[{parameter}"
    return nodeid
