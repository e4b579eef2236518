"""Deadlines: what a worker may take for an answer, for an upload and for everything.

And what is said where no service answered at all.
"""

import base64
import json
import sys
import threading

import pytest

from vestibular.mirror import supervising
from vestibular.mirror.commands import as_text
from vestibular.mirror.supervising import Deadlines, Result, Supervisor

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
        ([(200, 1.6)] * 2, ""),
        ([(200, 20)], "no answer within 3 s (upload x)"),
        # what an upload did not need is nobody's
        ([(200, 0.1), (0, 20)], "no answer within 1 s (upload x)"),
        ([(0, 0.3)] * 30, "not done after 3 s"),
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


@pytest.mark.parametrize(
    ("address", "place", "own"),
    [
        ("http://127.0.0.1:5959", "http://127.0.0.1:5959", True),
        ("https://ana:secret@neptune.example:8443/x", "https://neptune.example:8443", False),
    ],
)
def test_a_server_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, address: str, place: str, own: bool
) -> None:
    """Without a table that has no rows, and with the way to start one's own."""
    content = json.dumps({"api_address": address, "api_key": "key"})
    monkeypatch.setenv("NEPTUNE_API_TOKEN", base64.b64encode(content.encode()).decode())
    said = as_text([Result("neptune", fault="the connection was lost")])
    assert said.startswith(f"neptune: the connection was lost (asked: {place}, from NEPTUNE_API_")
    assert "\n" not in said
    assert ("vestibular neptune-server" in said) is own
    assert "secret" not in said
    table = as_text([Result("mlflow", {"aaaa": "gpt2-tiny"}, fault="the disk is full")])
    assert table.splitlines()[0].startswith("target")
    assert table.splitlines()[-1] == "mlflow: the disk is full"
