"""Deadlines: what a worker may take for an answer, for an upload and for everything."""

import sys
import threading

import pytest

from vestibular.mirror import supervising
from vestibular.mirror.supervising import Deadlines, Supervisor

WORKER = """
import json, sys, time
for size, seconds in {calls}:
    print(json.dumps({{"kind": "call", "what": "upload x", "bytes": size}}), flush=True)
    time.sleep(seconds)
"""
"""A worker that asks and waits, given as bytes and seconds."""


@pytest.mark.parametrize(
    ("calls", "fault"),
    [
        ([(0, 0.1)] * 3, ""),
        ([(0, 20)], "no answer within 1 s (upload x)"),
        # two seconds more by their size, also beyond the whole push's deadline
        ([(200, 2)] * 2, ""),
        ([(200, 20)], "no answer within 3 s (upload x)"),
        # what an upload did not need is nobody's
        ([(200, 0.1), (0, 20)], "no answer within 1 s (upload x)"),
        ([(0, 0.8)] * 9, "not done after 3 s"),
    ],
)
def test_an_upload_has_time_by_its_size(
    monkeypatch: pytest.MonkeyPatch, calls: list[tuple[int, float]], fault: str
) -> None:
    """An answer comes within its deadline, an upload within that and what its bytes take."""
    monkeypatch.setattr(supervising, "SLOWEST_UPLOAD", 100)
    supervisor = Supervisor("mlflow", [], {}, Deadlines(1.0, 3.0), print)
    supervisor._command = [sys.executable, "-S", "-c", WORKER.format(calls=calls)]
    supervisor.run(threading.Event())
    assert supervisor.result.fault == fault
