"""A server of its own for a test, and the real client in processes of their own."""

import base64
import contextlib
import functools
import http.client
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import pytest

from tests.support.commands import ROOT, where_commands_are
from tests.support.patience import FOREVER, read_until

LEADERBOARD = "/api/leaderboard/v1"

DEADLINE = FOREVER
"""Seconds after which a process is killed and its test fails."""

CLIENT = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
import neptune
QUIET = dict(
    source_files=[], git_ref=False, capture_stdout=False, capture_stderr=False,
    capture_traceback=False, capture_hardware_metrics=False,
)
def answer(value):
    print("ANSWER", json.dumps(value))
"""
"""What every client's program begins with."""


class Serving:
    """A running server on a free port of the loopback."""

    def __init__(self, root: Path, *options: str, before: str = "") -> None:
        """Start it; `before` is Python that is run in its process first."""
        program = f"{before}\nfrom neptune_server.__main__ import main; main()"
        self.root = root
        with (root.parent / f"{root.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, "--root", str(root), *options],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            )
        try:
            self.greeting = read_until(self._process, self._process.stdout, "OAUTHLIB")
        except AssertionError:
            pytest.fail(self.log)
        self.address = json.loads(base64.b64decode(self.token))["api_address"]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def token(self) -> str:
        return (self.root / "token").read_text(encoding="utf-8").strip()

    @property
    def log(self) -> str:
        path = self.root.parent / f"{self.root.name}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def kill(self) -> None:
        """End it as the system does when memory is short."""
        self._process.kill()
        self.stop()

    def stop(self) -> int:
        """End it politely and return its status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=DEADLINE)
        return self._process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def environment(self, **more: str) -> dict[str, str]:
        """Return what a client needs, its deadlines with it."""
        return {
            **os.environ,
            **where_commands_are(),
            "NEPTUNE_API_TOKEN": self.token,
            "NEPTUNE_PROJECT": "local/vestibular",
            "NEPTUNE_RETRIES_TIMEOUT": "300",
            "NEPTUNE_SYNC_AFTER_STOP_TIMEOUT": "300",
            "NEPTUNE_REQUEST_TIMEOUT": "300",
            "OAUTHLIB_INSECURE_TRANSPORT": "1",
            **more,
        }

    def start_client(
        self, folder: Path, program: str, *arguments: str, **more: str
    ) -> subprocess.Popen[str]:
        """Start a program of the real client in a folder."""
        return subprocess.Popen(
            ["python", "-m", "tests.support.program", CLIENT + program, *arguments],
            cwd=folder,
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def client(self, folder: Path, program: str, *arguments: str, **more: str) -> Any:
        """Run a program of the real client; return what it answered."""
        process = self.start_client(folder, program, *arguments, **more)
        return finish(process)

    @functools.cached_property
    def access(self) -> str:
        """The header that lets a request in, got for the token."""
        status, answer = self.get("/api/backend/v1/exchangeApiToken", token=self.token)
        assert status == 200
        return f"Bearer {answer['accessToken']}"

    @functools.cached_property
    def project(self) -> str:
        """The id of the project that clients use."""
        path = "/api/backend/v1/getProject?projectIdentifier=local/vestibular"
        _, project = self.get(path, access=self.access)
        return str(project["id"])

    def get(self, path: str, *, token: str | None = None, access: str | None = None) -> Any:
        """Send a GET and return status and JSON."""
        headers = {}
        if token is not None:
            headers["X-Neptune-Api-Token"] = token
        if access is not None:
            headers["Authorization"] = access
        return self.request("GET", path, None, headers)

    def post(self, path: str, body: Any, access: str) -> Any:
        """Send a POST, bytes as they are and all else as JSON; return status and JSON."""
        headers = {"Authorization": access}
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return self.request("POST", path, body, headers)

    def create(self, kind: str, **more: Any) -> dict[str, Any]:
        """Make a run, model or version through plain HTTP."""
        wanted = {"projectIdentifier": self.project, "parentId": self.project, "type": kind}
        status, made = self.post("/api/leaderboard/v1/createExperiment", wanted | more, self.access)
        assert status == 200, made
        assert isinstance(made, dict)
        return made

    def execute(self, container: str, *operations: dict[str, Any]) -> list[dict[str, str]]:
        """Change fields through plain HTTP and return what was refused."""
        path = f"/api/leaderboard/v1/executeOperations?experimentId={container}"
        status, refused = self.post(path, list(operations), self.access)
        assert status == 200, refused
        assert isinstance(refused, list)
        return refused

    def trash(self, *containers: str, forever: bool = False) -> None:
        """Throw containers away, and with `forever` delete them from there."""
        query = [("projectIdentifier", "local/vestibular")]
        query += [("experimentIdentifiers", name) for name in containers]
        for name in ["trashExperiments"] + ["deleteExperiments"] * forever:
            status, done = self.post(f"{LEADERBOARD}/{name}?{urlencode(query)}", {}, self.access)
            assert status == 200, done

    def request(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        """Send a request and return status and JSON."""
        with contextlib.closing(
            http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=DEADLINE)
        ) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())


def finish(process: subprocess.Popen[str]) -> Any:
    """Wait for a client, within the deadline, and return what it answered last."""
    try:
        output, errors = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        raise AssertionError(f"past the deadline:\n{output}\n{errors}") from None
    assert process.returncode == 0, f"{output}\n{errors}"
    said = [line for line in output.splitlines() if line.startswith("ANSWER ")]
    return json.loads(said[-1].removeprefix("ANSWER "))


def floats(path: str, values: list[tuple[float, float]], start: int = 1_700_000_000_000) -> Any:
    """Return the operation that logs numbers by step, a second apart."""
    entries = [
        {"step": step, "value": value, "timestampMilliseconds": start + 1000 * place}
        for place, (step, value) in enumerate(values)
    ]
    return {"path": path, "logFloats": {"entries": entries}}


def assign(path: str, value: Any) -> Any:
    """Return the operation that sets a simple field."""
    kind = {bool: "Bool", int: "Int", float: "Float", str: "String"}[type(value)]
    return {"path": path, f"assign{kind}": {"value": value}}


def values(serving: Serving, container: str, path: str) -> list[tuple[float, float]]:
    """Return a series as steps and values, all pages of it."""
    access, found = serving.access, []
    while True:
        query = {"experimentId": container, "attribute": path, "limit": 10_000}
        query["offset"] = len(found)
        status, page = serving.get(
            f"{LEADERBOARD}/getFloatSeriesValues?{urlencode(query)}", access=access
        )
        assert status == 200, page
        found += [(point["step"], point["value"]) for point in page["values"]]
        if len(found) >= page["totalItemCount"]:
            return found


def fields(serving: Serving, container: str) -> dict[str, object]:
    """Return the values of all fields but series, as the page shows them."""
    status, found = serving.get(f"/page/fields?id={container}")
    assert status == 200
    return {field["name"]: field["value"] for field in found}


def upload(serving: Serving, name: str, container: str, data: bytes, **query: str) -> object:
    """Send a file and return status and JSON."""
    headers = {
        "Authorization": serving.access,
        "Content-Type": "application/octet-stream",
        "X-Range": query.pop("x_range", ""),
    }
    key = "experimentId" if "Tar" in name else "experimentIdentifier"
    path = f"{LEADERBOARD}/{name}?{urlencode({key: container, **query})}"
    return serving.request("POST", path, data, headers)


def download(serving: Serving, name: str, container: str, attribute: str) -> bytes:
    """Return what a download sends."""
    query = urlencode({"experimentId": container, "attribute": attribute})
    command = ["curl", "--silent", "--fail", "--header", f"Authorization: {serving.access}"]
    address = f"{serving.address}{LEADERBOARD}/{name}?{query}"
    return subprocess.run([*command, address], check=True, capture_output=True).stdout


def files(serving: Serving, container: str, attribute: str) -> dict[str, bytes]:
    """Return a set's files, from its archive."""
    data = download(serving, "downloadFileSetAttributeZip", container, attribute)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        return {name: archive.read(name) for name in names}


def tar(names: list[str]) -> bytes:
    """Return a compressed archive with files of these names."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(name.encode())
            archive.addfile(entry, io.BytesIO(name.encode()))
    return packed.getvalue()
