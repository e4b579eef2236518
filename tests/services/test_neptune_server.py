"""The local Neptune server over plain HTTP: what it keeps, and what it refuses."""

import base64
import contextlib
import gzip
import hashlib
import hmac
import http.client
import io
import json
import os
import resource
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from neptune_server.containers import create_run, open_project
from neptune_server.contents import Readable
from neptune_server.errors import RequestError, is_disk_full
from neptune_server.fields import Field, file_name
from neptune_server.file_sets import unpack
from neptune_server.page import MOST_POINTS, thin_out
from neptune_server.query import parse
from neptune_server.root_folder import open_root
from neptune_server.store import Store
from neptune_server.tokens import Tokens, api_token
from tests.support.commands import ROOT, run
from tests.support.patience import FOREVER
from tests.support.serving import (
    LEADERBOARD,
    Serving,
    assign,
    download,
    fields,
    files,
    floats,
    tar,
    upload,
    values,
)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that several tests put things into."""
    with Serving(tmp_path_factory.mktemp("server") / "root", "--port", "0") as serving:
        yield serving


# ---- what is kept


def test_a_series_keeps_one_value_a_step(serving: Serving) -> None:
    """Logged again, a step has its last value; steps come in order, whole or not."""
    made = serving.create("run")["id"]
    assert serving.execute(made, floats("loss", [(1, 10.0), (3, 30.0), (2.5, 25.0)])) == []
    assert serving.execute(made, floats("loss", [(3, 31.0), (1, 10.0), (-1, 0.5)])) == []
    assert values(serving, made, "loss") == [(-1, 0.5), (1, 10.0), (2.5, 25.0), (3, 31.0)]


def test_points_without_steps_follow_the_last(serving: Serving) -> None:
    """A missing step is the one after the highest so far."""
    made = serving.create("run")["id"]
    entries = [
        {"value": 1.0, "timestampMilliseconds": 1},
        {"value": 2.0, "step": 7, "timestampMilliseconds": 2},
        {"value": 3.0, "step": None, "timestampMilliseconds": 3},
    ]
    assert serving.execute(made, {"path": "x", "logFloats": {"entries": entries}}) == []
    assert values(serving, made, "x") == [(0, 1.0), (7, 2.0), (8, 3.0)]


def test_what_cannot_be_kept_is_named_and_the_rest_is_kept(serving: Serving) -> None:
    """NaN, infinity, integers past 64 bits, wrong types and names: one message each."""
    made = serving.create("run")["id"]
    refused = serving.execute(
        made,
        floats("loss", [(0, 1.0), (1, float("nan")), (2, float("inf")), (3, 4.0)]),
        assign("large", 7_000_000_000),
        assign("larger", 2**63),
        assign("name", "first"),
        assign("name", 1.5),
        assign("name/below", 1.5),
        assign("a/b", 1),
        assign("a", 1),
        assign("/x", 1),
        assign("x//y", 1),
        assign("line\nbreak", 1),
        assign("n" * 1025, 1),
        assign("sys/id", "VEST-9"),
        assign("sys/stage", "best"),
        {"path": "lone", "assignString": {"value": "\ud800"}},
        {"path": "when", "assignDatetime": {"valueMilliseconds": -(10**14)}},
        {"path": "z", "explode": {}},
        assign("last", "kept"),
    )
    messages = [error["errorDescription"] for error in refused]
    assert messages[0] == "loss: inf is not a finite number; log it as text"
    assert messages[1] == "larger: 9223372036854775808 is too large"
    assert messages[2] == "name: is of type string, not float; delete it first"
    assert "name/below: the field name exists;" in messages[3]
    assert "a: the field a/b exists;" in messages[4]
    assert len(messages) == 14
    assert messages[12] == "when: -100000000000000 is not a time of the years 1 to 9999"
    found = fields(serving, made)
    assert values(serving, made, "loss") == [(0, 1.0), (3, 4.0)]
    assert (found["large"], found["name"], found["last"]) == (7_000_000_000, "first", "kept")
    assert found["sys/id"] != "VEST-9"
    assert "x" not in found


@settings(deadline=None, max_examples=40)
@given(name=some.text(min_size=1, max_size=40), value=some.text(max_size=40))
def test_any_name_and_text_is_kept_or_refused(serving: Serving, name: str, value: str) -> None:
    """No name and no text breaks the server, and what it takes it gives back unchanged."""
    made = serving.create("run", customId="any")["id"]
    serving.execute(made, *({"path": old, "deleteAttribute": {}} for old in fields(serving, made)))
    refused = serving.execute(made, assign(name, value))
    assert refused or fields(serving, made)[name] == value


def test_long_texts_are_kept_whole(serving: Serving) -> None:
    """The client cuts at 16,384; the server does not."""
    made = serving.create("run")["id"]
    assert serving.execute(made, assign("text", "ã" * 20_000)) == []
    assert fields(serving, made)["text"] == "ã" * 20_000


def test_the_same_custom_id_is_the_same_run(serving: Serving) -> None:
    """Asked twice at once, in many threads, there is still one run."""
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(serving.create("run", customId="same")["id"]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_model_key_is_taken_once(serving: Serving) -> None:
    """A second model of the same key is refused as a conflict, an odd key as nonsense."""
    serving.create("model", key="TAKEN")
    with pytest.raises(AssertionError, match="exists already"):
        serving.create("model", key="TAKEN")
    for odd in ("../X", "", "1"):
        with pytest.raises(AssertionError, match="letters, digits and _"):
            serving.create("model", key=odd)
    assert serving.create("run")["id"]


def test_files_replace_each_other_and_leave_nothing_behind(serving: Serving) -> None:
    """A file that is replaced or deleted goes from the disk too."""
    contents = serving.root / "contents"
    before = set(contents.iterdir())
    made = serving.create("run")["id"]
    for data in (b"old", b"new"):
        answer = upload(serving, "fileAtomUpload", made, data, attribute="notes", ext="txt")
        assert answer == (200, {"errors": []})
    assert len(set(contents.iterdir()) - before) == 1
    assert download(serving, "downloadAttribute", made, "notes") == b"new"
    serving.execute(made, {"path": "notes", "deleteAttribute": {}})
    assert set(contents.iterdir()) == before


def test_a_file_in_parts(serving: Serving) -> None:
    """Parts may come twice and in any order; it is complete or not there; ending twice is well."""
    made = serving.create("run")["id"]
    where = {"attribute": "weights", "subPath": "a/b.bin"}
    data = os.urandom(1000)
    name = "fileSetFileMultipartUpload"
    status, started = upload(serving, f"{name}Start", made, b"", totalLength="1000", **where)
    assert status == 200
    part = {**where, "uploadId": started["uploadId"]}
    assert upload(
        serving,
        f"{name}Part",
        made,
        data[600:],
        **part,
        uploadPartIdx="1",
        x_range="bytes=600-999/1000",
    ) == (200, {"errors": []})
    status, refused = upload(serving, f"{name}Finish", made, b"", **part)
    assert (status, refused["title"]) == (400, "the part from byte 0 on is missing")
    for bad in ("bytes=0-600/1000", "bytes=0-599/999", "bytes=900-1499/1000", "bytes=x"):
        status, _ = upload(
            serving, f"{name}Part", made, data[:600], **part, uploadPartIdx="0", x_range=bad
        )
        assert status == 400
    for _ in range(2):
        assert upload(
            serving,
            f"{name}Part",
            made,
            data[:600],
            **part,
            uploadPartIdx="0",
            x_range="bytes=0-599/1000",
        ) == (200, {"errors": []})
    for _ in range(2):
        assert upload(serving, f"{name}Finish", made, b"", **part) == (200, {"errors": []})
    assert files(serving, made, "weights") == {"a/b.bin": data}


def test_many_files_at_once(serving: Serving) -> None:
    """An archive adds to a set, or with reset becomes the set."""
    made = serving.create("run")["id"]
    name = "uploadFileSetAttributeTar"
    upload(serving, name, made, tar(["a", "b/c"]), attribute="set", reset="True")
    upload(serving, name, made, tar(["d"]), attribute="set", reset="False")
    assert files(serving, made, "set") == {"a": b"a", "b/c": b"b/c", "d": b"d"}
    upload(serving, name, made, tar(["e"]), attribute="set", reset="True")
    assert files(serving, made, "set") == {"e": b"e"}


def test_an_archive_is_written_while_others_change_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for the disk that the archive's files go to."""
    with open_root(tmp_path / "root") as root:
        store = Store(root)
        with store.change() as change:
            project = open_project(change, "local/vestibular")
            made = create_run(change, project, None, None)
        receive = store.contents.receive

        def beside_a_change(source: Readable) -> tuple[str, int]:
            with store.change():
                return receive(source)

        monkeypatch.setattr(store.contents, "receive", beside_a_change)
        unpacking = threading.Thread(
            target=unpack,
            args=(store, made, "set", io.BytesIO(tar(["a", "b"]))),
            kwargs={"reset": False},
        )
        unpacking.daemon = True
        unpacking.start()
        unpacking.join(20)
        assert not unpacking.is_alive()
        assert len(list(root.contents.iterdir())) == 2
        store.close()


def test_a_table_is_searched_sorted_and_paged(serving: Serving) -> None:
    """Numbers sort as numbers, what lacks the field comes last, pages do not overlap."""
    access = serving.access
    project = serving.get(
        "/api/backend/v1/getProject?projectIdentifier=other/table", access=access
    )[1]
    for score in (10.0, 9.0, None, 100.0):
        made = serving.create("run", projectIdentifier=project["id"])["id"]
        if score is not None:
            serving.execute(made, assign("score", score))

    def search(query: str, offset: int = 0, **sorting: object) -> tuple[int, list[object]]:
        wanted = {
            "query": {"query": query},
            "sorting": {"sortBy": {"name": "score", "type": "float"}, **sorting},
            "pagination": {"limit": 2, "offset": offset},
            "attributeFilters": [{"path": "score"}],
        }
        path = f"{LEADERBOARD}/searchLeaderboardEntries?projectIdentifier=other/table&type=run"
        status, page = serving.post(path, wanted, access)
        assert status == 200, page
        scores = [
            [field["floatProperties"]["value"] for field in entry["attributes"]]
            for entry in page["entries"]
        ]
        return page["matchingItemCount"], scores

    assert search("", dir="descending") == (4, [[100.0], [10.0]])
    assert search("", 2, dir="descending") == (4, [[9.0], []])
    assert search("`score`:float < 50", dir="ascending") == (2, [[9.0], [10.0]])
    path = f"{LEADERBOARD}/searchLeaderboardEntries?projectIdentifier=other/table"
    status, refused = serving.post(path, {"query": {"query": "(("}}, access)
    assert (status, refused["title"]) == (400, "Syntax error")


def test_what_is_trashed_is_hidden_and_then_deleted(serving: Serving) -> None:
    """Only what has been trashed can be deleted; with it go its files."""
    made = serving.create("run")
    upload(serving, "fileAtomUpload", made["id"], b"x", attribute="f", ext="")
    before = len(list((serving.root / "contents").iterdir()))
    query = urlencode(
        {"projectIdentifier": "local/vestibular", "experimentIdentifiers": made["id"]}
    )
    access = serving.access
    assert serving.post(f"{LEADERBOARD}/deleteExperiments?{query}", {}, access)[0] == 400
    assert serving.post(f"{LEADERBOARD}/trashExperiments?{query}", {}, access)[0] == 200
    assert made["shortId"] not in str(serving.get("/page/summary")[1])
    assert serving.post(f"{LEADERBOARD}/deleteExperiments?{query}", {}, access)[0] == 200
    assert serving.get(f"/page/fields?id={made['id']}")[0] == 404
    assert len(list((serving.root / "contents").iterdir())) == before - 1


# ---- a killed server


def test_every_acknowledged_point_survives_sigkill(tmp_path: Path) -> None:
    """Killed in mid-append, again and again, and started again: nothing acknowledged is gone."""
    root = tmp_path / "root"
    acknowledged = 0
    serving = Serving(root, "--port", "0")
    address, token = serving.address, serving.token
    made = serving.create("run", customId="x")["id"]
    with contextlib.ExitStack() as started:
        started.enter_context(serving)
        for _ in range(3):
            killer = threading.Timer(0.7, serving.kill)
            killer.start()
            try:
                while True:
                    points = [(float(acknowledged + more), 0.5) for more in range(20)]
                    serving.execute(made, floats("loss", points))
                    answer = upload(
                        serving,
                        "fileSetFileUpload",
                        made,
                        b"x" * 1000,
                        attribute="files",
                        subPath=f"{acknowledged}",
                    )
                    assert answer == (200, {"errors": []})
                    acknowledged += 20
            except (OSError, http.client.HTTPException):
                pass
            killer.join()
            serving = started.enter_context(Serving(root))
            # the same address and the same token: clients go on as if nothing had happened
            assert (serving.address, serving.token) == (address, token)
            found = [step for step, _ in values(serving, made, "loss")]
            assert found[:acknowledged] == [float(step) for step in range(acknowledged)]
            assert len(found) <= acknowledged + 20
            kept = files(serving, made, "files")
            assert {f"{number}" for number in range(0, acknowledged, 20)} <= kept.keys()
            assert set(kept.values()) == {b"x" * 1000}
            # and no scrap of what was not acknowledged
            assert len(list((root / "contents").iterdir())) == len(kept)
        assert acknowledged > 0
        assert serving.stop() == 0


def test_stopped_and_started_the_token_holds_until_a_new_one(tmp_path: Path) -> None:
    """Address and token stay; `--new-token` ends the old token and the access given for it."""
    root = tmp_path / "root"
    with Serving(root, "--port", "0") as serving:
        token, access, address = serving.token, serving.access, serving.address
    with Serving(root) as serving:
        assert (serving.token, serving.address) == (token, address)
        assert serving.get("/api/backend/v1/listOrganizations", access=access)[0] == 200
    with Serving(root, "--new-token") as serving:
        assert serving.get("/api/backend/v1/exchangeApiToken", token=token)[0] == 401
        assert serving.get("/api/backend/v1/listOrganizations", access=access)[0] == 401
        assert serving.access


def test_the_token_is_in_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    """Neither what the server prints nor its log holds the token; the printed lines set it."""
    with Serving(tmp_path / "a root", "--port", "0") as serving:
        assert serving.access
        serving.get("/api/backend/v1/exchangeApiToken", token="wrong")
        serving.request("GET", "/nowhere", None, {"X-Neptune-Api-Token": serving.token})
        script = f'{serving.greeting}\nprintf "%s %s" "$NEPTUNE_API_TOKEN" "$NEPTUNE_PROJECT"'
        shell = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
        assert shell.stdout == f"{serving.token} local/vestibular"
    key = json.loads(base64.b64decode(serving.token))["api_key"]
    for said in (serving.greeting, serving.log):
        assert key not in said
        assert serving.token not in said
    for path in [serving.root, *serving.root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


# ---- what is refused


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "..",
        ".",
        "a//b",
        "",
        "a\\..\\b",
        "a\0b",
        "a\nb",
        "x" * 1025,
    ],
)
def test_a_path_that_leaves_the_root_is_refused(serving: Serving, name: str) -> None:
    """Neither a file of its own, nor one in parts, nor one in an archive gets out."""
    made = serving.create("run")["id"]
    before = set(serving.root.parent.rglob("*"))
    where = {"attribute": "set", "subPath": name}
    for answer in (
        upload(serving, "fileSetFileUpload", made, b"x", **where),
        upload(serving, "fileSetFileMultipartUploadStart", made, b"", totalLength="1", **where),
    ):
        status, content = answer
        assert status == 200
        assert "not a path within a set of files" in content["errors"][0]["errorDescription"]
    if name and "\0" not in name:
        status, content = upload(
            serving, "uploadFileSetAttributeTar", made, tar(["ok", name]), attribute="set"
        )
        assert "not a path within" in content["errors"][0]["errorDescription"]
    # of the archive nothing is kept, not even what was well
    assert set(serving.root.parent.rglob("*")) == before
    assert "set" not in fields(serving, made)


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/page/../server.json", "/%2e%2e/token", "//x"]
)
def test_an_address_leads_to_no_file(serving: Serving, path: str) -> None:
    """The page's files are a fixed list."""
    with socket.create_connection(("127.0.0.1", urlsplit(serving.address).port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b"404" in answer.splitlines()[0]


def test_a_body_over_the_limit_is_refused(serving: Serving) -> None:
    """Told its length, the server refuses at once and reads on only for a while."""
    made = serving.create("run")["id"]
    data = bytes(65 * 1024 * 1024)
    status, content = upload(serving, "fileAtomUpload", made, data, attribute="f", ext="")
    assert status == 413
    assert content["title"] == "the body is larger than 67,108,864 bytes"
    status, content = serving.post(
        f"{LEADERBOARD}/executeOperations?experimentId={made}", b" " * (129 << 20), serving.access
    )
    assert status == 413
    assert "f" not in fields(serving, made)


def test_an_archive_that_unpacks_to_too_much_is_refused(serving: Serving) -> None:
    """Small on the way and large on the disk: nothing of it is kept."""
    made = serving.create("run")["id"]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("zeros")
        entry.size = 65 << 20
        archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    for data in (packed.getvalue(), b"no archive", gzip.compress(b"no archive")):
        status, _ = upload(
            serving, "uploadFileSetAttributeTar", made, data, attribute="set", reset="True"
        )
        assert status == 400
    assert "set" not in fields(serving, made)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic eA==", "Bearer ã"])
def test_without_access_nothing_is_done(serving: Serving, header: str) -> None:
    """A missing, odd or forged access token is refused."""
    access = header.encode("utf-8").decode("latin-1")
    status, content = serving.get("/api/backend/v1/listOrganizations", access=access)
    assert status == 401
    assert "errorType" not in content


def test_a_tampered_or_expired_token_is_told_apart() -> None:
    """Only a true token that is too old makes the client renew it at once."""
    tokens = Tokens("http://x", "key", "s" * 32, access_seconds=-1)
    given = tokens.exchange(api_token("http://x", "key"))
    with pytest.raises(RequestError) as expired:
        tokens.check_access(f"Bearer {given['accessToken']}")
    assert expired.value.error_type == "AUTHORIZATION_TOKEN_EXPIRED"
    head, claims, signature = given["accessToken"].split(".")
    later = json.loads(base64.urlsafe_b64decode(claims + "==")) | {"exp": 2**40}
    forged = base64.urlsafe_b64encode(json.dumps(later).encode()).decode().rstrip("=")
    with pytest.raises(RequestError) as refused:
        tokens.check_access(f"Bearer {head}.{forged}.{signature}")
    assert refused.value.error_type is None
    with pytest.raises(RequestError, match="not a token for access"):
        tokens.check_access(f"Bearer {given['refreshToken']}")


def test_an_access_token_is_a_json_web_token() -> None:
    """Signed as the standard says (RFC 7515, section 3), and of as long a life as was asked for."""
    tokens = Tokens("http://x:1", "key", "s" * 32, access_seconds=60)
    given = tokens.exchange(api_token("http://x:1", "key"))
    signed, _, signature = given["accessToken"].rpartition(".")
    digest = hmac.new(b"s" * 32, signed.encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=") == digest
    claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
    assert claims["iss"] == "http://x:1/auth/realms/neptune"
    assert 0 < claims["exp"] - time.time() <= 60


def test_another_site_cannot_read_the_page(serving: Serving) -> None:
    """A name that was made to point here, as in DNS rebinding, is asked for the token."""
    status, _ = serving.request("GET", "/page/summary", None, {"Host": "evil.example"})
    assert status == 401
    status, _ = serving.request("GET", "/page/summary", None, {"Host": "localhost:1"})
    assert status == 200


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1]", b"[{}]", b'[{"path": 1}]', b'[{"path": "x"}]', b"[" * 100_000]
)
def test_nonsense_is_refused_politely(serving: Serving, body: bytes) -> None:
    """A body that makes no sense is status 400, and the server goes on."""
    made = serving.create("run")["id"]
    path = f"{LEADERBOARD}/executeOperations?experimentId={made}"
    assert serving.post(path, body, serving.access)[0] == 400
    assert serving.log == ""


def test_a_full_disk_is_a_clean_refusal_and_passes(tmp_path: Path) -> None:
    """No file can grow: status 503 with the reason; when it can again, all goes on."""
    with Serving(tmp_path / "root", "--port", "0") as serving:
        made = serving.create("run")["id"]
        before = resource.prlimit(serving.pid, resource.RLIMIT_FSIZE, (500_000, -1))
        # a large body does not even come in, a small one cannot be kept
        for size in (10**6, 10**7):
            answer = upload(serving, "fileAtomUpload", made, bytes(size), attribute="f", ext="")
            assert answer == (
                503,
                {
                    "code": 503,
                    "title": "no space left on the server's disk",
                    "error": "no space left on the server's disk",
                },
            )
        assert list((serving.root / "contents").iterdir()) == []
        resource.prlimit(serving.pid, resource.RLIMIT_FSIZE, before)
        answer = upload(serving, "fileAtomUpload", made, bytes(10**6), attribute="f", ext="")
        assert answer == (200, {"errors": []})


def test_a_full_database_counts_as_a_full_disk() -> None:
    """SQLite's own word for it is understood."""
    with sqlite3.connect(":memory:") as connection:
        connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as full:
            connection.execute("CREATE TABLE t AS SELECT zeroblob(100000)")
    connection.close()
    assert is_disk_full(full.value)
    assert not is_disk_full(sqlite3.OperationalError("no such table"))


def test_a_start_on_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """One line, exit status 2, and the files of the last start as they were."""
    root = tmp_path / "root"
    with Serving(root, "--port", "0") as serving:
        token = serving.token
    before = {path: path.read_bytes() for path in root.iterdir() if path.is_file()}
    command = f"ulimit -f 0; exec {sys.executable} -m neptune_server --root {root} --new-token"
    result = run(ROOT, "bash", "-c", command, status=2)
    assert result.stderr.count("\n") == 1
    assert "file too large" in result.stderr.lower()
    assert {path: path.read_bytes() for path in root.iterdir() if path.is_file()} == before
    with Serving(root) as serving:
        assert serving.token == token
        assert serving.access


# ---- starting


def test_the_port_is_busy(tmp_path: Path, serving: Serving) -> None:
    """One line says where and what to do, with exit status 2."""
    port = str(urlsplit(serving.address).port)
    command = ["vestibular", "neptune-server", "--root", str(tmp_path / "r"), "--port", port]
    result = run(ROOT, sys.executable, "-m", *command, status=2)
    message = f"127.0.0.1:{port}: address already in use; name another port with --port\n"
    assert result.stderr == message


@pytest.mark.parametrize(("host", "address"), [("localhost", "localhost"), ("::1", "[::1]")])
def test_the_token_names_the_address(tmp_path: Path, host: str, address: str) -> None:
    """By whatever name of the machine it listens, clients are led back to it."""
    with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    with Serving(tmp_path / "root", "--port", "0", "--host", host) as serving:
        assert serving.address.startswith(f"http://{address}:")
        assert serving.get("/page/summary")[0] == 200
        config = serving.get("/api/backend/v1/getClientConfig")[1]
        assert config["apiUrl"] == serving.address


def test_the_root_cannot_be_used(tmp_path: Path, serving: Serving) -> None:
    """In use, a file, or damaged: one line each, with exit status 2."""
    (tmp_path / "file").touch()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/server.json").write_text("{}", encoding="utf-8")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/neptune.sqlite").write_text("no database" * 100, encoding="utf-8")
    (tmp_path / "empty").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "empty/neptune.sqlite")) as database:
        database.execute("PRAGMA user_version = 1")
    for root, message in (
        (serving.root, "another server uses this folder"),
        (tmp_path / "file", "file exists"),
        (tmp_path / "file/below", "not a directory"),
        (tmp_path / "odd", "not empty, and not a folder of this server"),
        (tmp_path / "broken", "not a database"),
        (tmp_path / "empty", "not empty, and not a folder of this server"),
    ):
        command = ["vestibular", "neptune-server", "--root", str(root), "--port", "0"]
        result = run(ROOT, sys.executable, "-m", *command, status=2)
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


def test_told_twice_to_stop_it_stops_once(tmp_path: Path) -> None:
    """A second signal while a change is being written breaks nothing off."""
    with Serving(tmp_path / "root", "--port", "0") as serving:
        made = serving.create("run")["id"]
        access = serving.access
        path = f"{LEADERBOARD}/ping?experimentId={made}"
        with contextlib.closing(sqlite3.connect(serving.root / "neptune.sqlite")) as database:
            # the server's next change waits for this one
            database.execute("BEGIN IMMEDIATE")
            change = threading.Thread(target=ask_in_vain, args=(serving, path, access))
            change.start()
            time.sleep(0.5)
            for _ in range(3):
                os.kill(serving.pid, signal.SIGTERM)
                time.sleep(0.3)
            database.rollback()
        assert serving.stop() == 0
        change.join(FOREVER)
        assert "Traceback" not in serving.log


def ask_in_vain(serving: Serving, path: str, access: str) -> None:
    """Ask for a change of a server that may end before it answers."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        serving.post(path, {}, access)


def test_nothing_else_imports_the_server() -> None:
    """The package stands alone: of this project's other packages it needs none."""
    for path in (ROOT / "src/vestibular").rglob("*.py"):
        assert "import neptune_server" not in path.read_text(encoding="utf-8")
    code = (
        "import sys, neptune_server.command; "
        "print([name for name in ('vestibular', 'neptune', 'numpy', 'requests') "
        "if name in sys.modules])"
    )
    assert run(ROOT, sys.executable, "-c", code).stdout == "[]\n"


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    """One line says which, and how it is had."""
    for name in ("starlette", "uvicorn", "jwt"):
        code = (
            f"import sys; sys.modules[{name!r}] = None; "
            "import neptune_server.__main__ as start; start.main()"
        )
        message = (
            f"neptune_server: the package {name} is missing; "
            "pip install 'vestibular[neptune-server]'\n"
        )
        assert run(ROOT, sys.executable, "-c", code, status=2).stderr == message


# ---- parts


FIELDS = {
    "sys/stage": Field("sys/stage", "string", {"value": "production"}),
    "f1": Field("f1", "float", {"value": 0.8}),
    "loss": Field("loss", "floatSeries", {"last": 0.25}),
    "steps": Field("steps", "int", {"value": 10}),
    "good": Field("good", "bool", {"value": True}),
    "sys/tags": Field("sys/tags", "stringSet", {"values": ["a", 'b "c"']}),
    "when": Field("when", "datetime", {"value": "2026-11-20T10:00:00.000Z"}),
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", True),
        ('`sys/stage`:string = "production"', True),
        ("(sys/stage: string = production)", True),
        ("f1 > 0.7 AND f1 <= 0.8", True),
        ("f1 > 0.9 OR steps:integer = 10", True),
        ("f1 > 0.9 OR f1 < 0.1 AND steps = 10", False),
        ("(f1 > 0.9 OR f1 < 0.9) AND NOT steps != 10", True),
        ('`sys/tags`:stringSet CONTAINS "b \\"c\\""', True),
        ("`sys/tags`:stringSet NOT CONTAINS a", False),
        ("loss:floatSeries < 0.3", True),
        ("good:bool = true AND good = False", False),
        ("absent = 1 OR NOT absent = 1", True),
        ("f1:string = 0.8", False),
        ('sys/stage STARTS WITH "prod" AND sys/stage ENDS WITH "ion"', True),
        ('sys/stage MATCHES "^p.*n$"', True),
        ('when:datetime > "2026-11-20T09:59:59Z" AND when < "2026-11-20T10:00:01Z"', True),
    ],
)
def test_a_query_means_what_it_says(query: str, expected: bool) -> None:
    """AND binds before OR, types are checked, a missing field matches nothing."""
    assert parse(query).condition(FIELDS) is expected


@pytest.mark.parametrize(
    "query",
    [
        "(",
        "f1",
        "f1 >",
        "f1 ~ 2",
        "f1 > x",
        "(f1 > 1",
        "f1 > 1)",
        "f1 > 1 f1",
        "AND",
        '"',
        "(" * 50_000,
    ],
)
def test_a_query_that_is_none_is_a_syntax_error(query: str) -> None:
    """In the words that make the client say so."""
    with pytest.raises(RequestError, match="Syntax error"):
        understood = parse(query)
        understood.condition(FIELDS)
        understood.refuse_misfits()


@given(some.integers(0, 3000), some.randoms(use_true_random=False))
def test_a_thinned_curve_keeps_its_ends_and_peaks(count: int, random: Random) -> None:
    """The highest and lowest values stay, in order, and few points are left."""
    points = [(float(step), step, random.uniform(-9, 9)) for step in range(count)]
    thin = thin_out(points)
    assert len(thin) == min(count, len(thin), MOST_POINTS)
    assert thin == sorted(set(thin))
    if points:
        assert (thin[0], thin[-1]) == (points[0], points[-1])
        numbers = [value for *_, value in points]
        assert {min(numbers), max(numbers)} <= {value for *_, value in thin}
    if count <= MOST_POINTS:
        assert thin == points


@given(some.text(max_size=300), some.text(max_size=20))
def test_a_download_has_a_harmless_name(field: str, extension: str) -> None:
    """Whatever a field is called, its file stays in the folder it is downloaded to."""
    name = file_name(field, extension)
    assert name == Path(name).name
    assert name.isascii()
    assert '"' not in name
    assert not name.startswith(".")
    assert 0 < len(name) <= 200
