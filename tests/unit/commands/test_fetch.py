"""Downloads and pins, against a real HTTP server on loopback."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.commands import ROOT, environment
from tests.support.patience import slowness
from vestibular.commands.cli import main
from vestibular.commands.fetch import fetch_data
from vestibular.commands.pinning import pin_revisions
from vestibular.core.base_models import Pin, configuration_folder, locate
from vestibular.core.errors import BaseModelError, DataError
from vestibular.core.files import file_sha256
from vestibular.core.hub import download
from vestibular.core.yaml_files import read_yaml, replace_values
from vestibular.data.settings import DataSettings
from vestibular.params.project import load_params

NEW = "0123456789abcdef0123456789abcdef01234567"
OLD = "607a30d783dfa663caf39e06633721c8d4cfcd7e"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as tells a model's commit, and two data files."""

    def do_GET(self) -> None:
        if (
            self.path.startswith("/api/models/owner/model/revision/")
            or self.path == "/api/models/owner/model"
        ):
            body = json.dumps({"id": "owner/model", "sha": NEW}).encode()
        elif self.path == "/train.json":
            body = b'{"data": []}'
        elif self.path == "/cut.json":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
            return
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output quiet."""


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def data(folder: Path, address: str, sha256: str | None) -> DataSettings:
    return DataSettings.model_validate(
        {
            "source": str(folder),
            "format": "squad",
            "train": "train.json",
            "validation": None,
            "validation_size": 0.5,
            "unanswerable": None,
            "leaks": "report",
            "urls": {"train": address},
            "sha256": sha256 and {"train": sha256},
        }
    )


def test_a_data_file_is_downloaded_once(tmp_path: Path, hub: str) -> None:
    """The file lands whole; a second time there is nothing to do."""
    found = data(tmp_path, f"{hub}/train.json", None)
    assert "downloaded" in fetch_data(found)[0]
    assert (tmp_path / "train.json").read_bytes() == b'{"data": []}'
    assert "is there already" in fetch_data(found)[0]
    fetched = data(tmp_path, f"{hub}/train.json", file_sha256(tmp_path / "train.json"))
    (tmp_path / "train.json").unlink()
    assert "downloaded" in fetch_data(fetched)[0]


@pytest.mark.parametrize(
    ("path", "sha256", "message"),
    [
        ("/train.json", "0" * 64, "is not the file that is meant"),
        ("/absent.json", None, "cannot be downloaded .*404|Not Found"),
        ("/cut.json", None, "cannot be downloaded .*IncompleteRead"),
    ],
)
def test_what_is_wrong_is_not_kept(
    tmp_path: Path, hub: str, path: str, sha256: str | None, message: str
) -> None:
    """Another file than the one that was meant, or none: nothing is written."""
    with pytest.raises(DataError, match=message):
        fetch_data(data(tmp_path, hub + path, sha256))
    assert not list(tmp_path.iterdir())


def test_no_server_and_no_scheme_are_named(tmp_path: Path) -> None:
    """The address is part of the message."""
    with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/x: cannot be downloaded"):
        fetch_data(data(tmp_path, "http://127.0.0.1:9/x", None))
    with pytest.raises(DataError, match="must begin with https://"):
        fetch_data(data(tmp_path, "file:///etc/passwd", None))


def test_a_split_that_the_hub_is_not_asked_for_is_named(tmp_path: Path) -> None:
    """Without it the file would be made of the whole dataset."""
    settings = data(tmp_path, "http://127.0.0.1:9/x", None).model_dump(exclude={"urls"})
    hub = {"id": "owner/data", "revision": OLD, "splits": {"train": "train"}}
    columns = {"context": "context", "question": "question", "answers": "answers"}
    settings |= {"format": "parquet", "hub": hub, "columns": columns}
    settings |= {"validation": "dev.parquet", "validation_size": None}
    (tmp_path / "train.json").touch()
    with pytest.raises(DataError, match=r"dev\.parquet: not found.*data\.hub\.splits\.validation"):
        fetch_data(DataSettings.model_validate(settings))


@pytest.mark.slow
def test_a_loading_script_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FaQuAD on the hub is a script: the message says where the files are named."""
    from huggingface_hub import constants

    revision = "205ba826a2282a4a5aa9bd3651e55ee4f2da1546"
    folder = tmp_path / "hub/datasets--eraldoluis--faquad/snapshots" / revision
    folder.mkdir(parents=True)
    (folder / "faquad.py").write_text("raise SystemExit\n", encoding="utf-8")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    dataset = {
        "id": "eraldoluis/faquad",
        "revision": revision,
        "splits": {"train": "train", "validation": "validation"},
    }
    columns = {"context": "context", "question": "question", "answers": "answers"}
    settings = DataSettings.model_validate(
        {
            "source": str(tmp_path / "data"),
            "format": "parquet",
            "train": "train.parquet",
            "validation": "validation.parquet",
            "unanswerable": None,
            "leaks": "report",
            "columns": columns,
            "hub": dataset,
        }
    )
    with pytest.raises(DataError, match=r"loading script \(faquad\.py\).*params/faquad\.yaml"):
        fetch_data(settings)
    # the same place with files in it is a dataset
    (folder / "faquad.py").unlink()
    row = {
        "context": "Ana.",
        "question": "Quem?",
        "answers": {"text": ["Ana"], "answer_start": [0]},
    }
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert len(fetch_data(settings)) == 2
    assert (tmp_path / "data/validation.parquet").exists()


PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")
CANDIDATES = f"""candidates:
  one:  # the first
    base_model: owner/model   # from the hub
    revision: main  # a branch
  two: {{base_model: owner/model}}
  three:
    base_model: owner/model
    revision: {OLD}
"""


def test_pinning_writes_commits_and_nothing_else(tmp_path: Path, hub: str) -> None:
    """Branches become commits, missing ones are added, commits stay; comments are kept."""
    path = tmp_path / "params.yaml"
    text = PARAMS.split("candidates:")[0] + CANDIDATES
    path.write_text(text, encoding="utf-8")
    variables = {**environment(), "HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}

    def pin(*options: str) -> str:
        command = [sys.executable, "-m", "vestibular", "pin", *options]
        result = subprocess.run(
            [*command, "--params", str(path)],
            env={**variables, "PYTHONPATH": str(ROOT / "src")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert f"candidates.three.revision: owner/model stays at {OLD}" in pin()
    expected = text.replace("revision: main", f"revision: {NEW}").replace(
        "{base_model: owner/model}", f"{{base_model: owner/model, revision: {NEW}}}"
    )
    assert path.read_text(encoding="utf-8") == expected
    pin("--update")
    assert path.read_text(encoding="utf-8") == expected.replace(OLD, NEW)


def test_a_hub_that_cannot_be_reached_is_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a commit nor a model can be had, and the message says so."""
    import httpx2
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> None:
        raise httpx2.ConnectError("Connection refused")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.split("candidates:")[0] + CANDIDATES, encoding="utf-8")
    with pytest.raises(BaseModelError, match=r"its commit at main \(ConnectError\)"):
        pin_revisions(path, update=False)
    with pytest.raises(BaseModelError, match=r"the hub cannot be reached \(ConnectError\)"):
        locate(Pin("owner/model", revision=OLD))
    base = load_params(path).candidate("one")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(BaseModelError, match=r"cannot be downloaded \(ConnectError\)"):
        configuration_folder("one", base)
    # what the cache has is taken
    folder = tmp_path / "hub/models--owner--one"
    (folder / "snapshots" / NEW).mkdir(parents=True)
    (folder / "snapshots" / NEW / "config.json").write_text("{}", encoding="utf-8")
    assert download("owner/one", NEW) == folder / "snapshots" / NEW


@pytest.mark.parametrize("command", ["plan", "fetch"])
def test_without_a_network_nothing_is_tried_six_times(in_folder: Path, command: str) -> None:
    """One message, at once, and none of the client's own."""
    settings = read_yaml(ROOT / "params.yaml")
    base = {"base_model": "owner/model", "revision": OLD}
    settings["candidates"] = {"one": base}
    settings["data"]["source"] = str(ROOT / "demo/data")
    Path("params.yaml").write_text(json.dumps(settings), encoding="utf-8")
    # RFC 6761: this name leads nowhere
    elsewhere = {"HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "https://hub.invalid", "HF_HOME": "hub"}
    began = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "vestibular", command],
        env={**environment(), **elsewhere, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1, result.stderr
    assert "(ConnectError)" in result.stderr
    if command == "fetch":
        assert "demo/data/train.json: is there already" in result.stdout
    # the six attempts take 23 s
    assert time.monotonic() - began < 20 * slowness()


def test_what_cannot_be_had_keeps_nothing_else_back(
    in_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data and every model are tried, and each fault is told at the end."""
    shutil.copytree(ROOT / "demo/bases/gpt2-tiny", in_folder / "bases/gpt2-tiny")
    settings = read_yaml(ROOT / "params.yaml")
    absent = {"base_model": "bases/absent"}
    settings |= {
        "bases": "bases",
        "candidates": {"absent": absent, "tiny": {"base_model": "bases/gpt2-tiny"}},
    }
    settings["data"]["source"] = "nowhere"
    Path("params.yaml").write_text(json.dumps(settings), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["vestibular", "fetch"])
    with pytest.raises(SystemExit, match="2"):
        main()
    said = capsys.readouterr()
    assert said.out == "tiny: bases/gpt2-tiny (a local folder) is there\n"
    first, second = said.err.splitlines()
    assert "nowhere/train.json: not found" in first
    assert "candidates.absent.base_model" in second


def test_a_new_key_stands_behind_its_neighbour(tmp_path: Path) -> None:
    """A block mapping gets a line of the same indentation."""
    path = tmp_path / "params.yaml"
    path.write_text("a:\n  b:\n    c: 1  # one\n    d: 2\n", encoding="utf-8")
    replace_values(path, {("a", "b", "e"): "x", ("a", "b", "d"): "y"})
    assert path.read_text(encoding="utf-8") == "a:\n  b:\n    c: 1\n    e: x  # one\n    d: y\n"


def test_offline_a_commit_cannot_be_asked_for(tmp_path: Path) -> None:
    """The message says what stands in the way."""
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS.split("candidates:")[0] + CANDIDATES, encoding="utf-8")
    before = path.read_bytes()
    result = subprocess.run(
        [sys.executable, "-m", "vestibular", "pin", "--params", str(path)],
        env={**environment(), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "HF_HUB_OFFLINE is set" in result.stderr
    assert path.read_bytes() == before
    assert load_params(path).candidates["one"].revision == "main"
    assert os.environ["HF_HUB_OFFLINE"] == "1"
