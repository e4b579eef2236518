"""The local Neptune server's HTTP: what clients that are slow, broken or hostile get."""

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from neptune_server.application import OPERATIONS
from tests.support.patience import FOREVER, slowness
from tests.support.serving import LEADERBOARD, Serving, fields, floats, upload, values

SHORT = """
import neptune_server.listening as listening, neptune_server.middleware as middleware
listening.HEAD_SECONDS = listening.DRAIN_SECONDS = listening.TAKING_SECONDS = 1.0
middleware.SILENT_SECONDS = 1.0
"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server whose patience lasts a second."""
    root = tmp_path_factory.mktemp("http") / "root"
    with Serving(root, "--port", "0", before=SHORT) as serving:
        yield serving


def connect(serving: Serving) -> socket.socket:
    """Return a bare connection."""
    port = urlsplit(serving.address).port
    return socket.create_connection(("127.0.0.1", port or 0), timeout=FOREVER)


def rest(connection: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(65536):
            data += more
    return data


def ask(serving: Serving, request: str) -> bytes:
    """Send a request as it stands and return the whole answer."""
    with connect(serving) as connection:
        connection.sendall(request.encode("latin-1"))
        return rest(connection)


# ---- slow clients


@pytest.mark.parametrize("head", ["", "G", "GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_who_does_not_come_to_the_point_is_let_go(serving: Serving, head: str) -> None:
    """A connection that sends nothing, or headers without an end, is closed."""
    before = time.monotonic()
    assert ask(serving, head) == b""
    assert 0.5 < time.monotonic() - before < 10 * slowness()


def test_headers_that_trickle_do_not_hold_a_connection(serving: Serving) -> None:
    """A letter now and then is no request either."""
    with connect(serving) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        before = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - before < FOREVER:
                connection.sendall(b"x")
                time.sleep(0.2)
        assert time.monotonic() - before < 5 * slowness()


def test_a_body_that_stands_still_is_given_up(serving: Serving) -> None:
    """Status 408, and the connection is closed."""
    answer = ask(
        serving,
        f"POST {LEADERBOARD}/createExperiment HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {serving.access}\r\nContent-Length: 100\r\n\r\n{{",
    )
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the request body stopped arriving in time" in answer


def test_a_body_that_trickles_is_given_up(serving: Serving) -> None:
    """A byte now and then is not enough: a body has to come at some speed on the whole."""
    with connect(serving) as connection:
        connection.sendall(
            f"POST {LEADERBOARD}/createExperiment HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {serving.access}\r\nContent-Length: 1000\r\n\r\n".encode()
        )
        before = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - before < FOREVER:
                connection.sendall(b" ")
                time.sleep(0.2)
        assert time.monotonic() - before < 10 * slowness()


def test_slow_clients_do_not_hold_up_the_others(tmp_path: Path) -> None:
    """With more bodies under way than there are threads, others are answered, and not after them.

    This server would wait for a body for days: whoever waited for its end would not be answered.
    """
    waiting = "import neptune_server.middleware; neptune_server.middleware.SILENT_SECONDS = 1e6"
    with Serving(tmp_path / "root", "--port", "0", before=waiting) as serving:
        answer_beside_slow_clients(serving)


def answer_beside_slow_clients(serving: Serving) -> None:
    head = (
        f"POST {LEADERBOARD}/createExperiment HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {serving.access}\r\nContent-Length: 100\r\n\r\n{{"
    ).encode()
    slow = [connect(serving) for _ in range(80)]
    try:
        for connection in slow:
            connection.sendall(head)
        assert serving.get("/page/summary")[0] == 200
    finally:
        for connection in slow:
            connection.close()


def test_who_takes_no_answer_is_let_go(serving: Serving) -> None:
    """A download that is not read does not last for ever."""
    made = serving.create("run")["id"]
    data = bytes(48 << 20)
    assert upload(serving, "fileAtomUpload", made, data, attribute="f", ext="")[0] == 200
    with connect(serving) as connection:
        connection.sendall(
            f"GET {LEADERBOARD}/downloadAttribute?experimentId={made}&attribute=f HTTP/1.1\r\n"
            f"Host: x\r\nAuthorization: {serving.access}\r\n\r\n".encode()
        )
        time.sleep(3)
        assert len(rest(connection)) < len(data)
    assert serving.log == ""


# ---- requests that are none


@pytest.mark.parametrize(
    "lengths",
    [
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: 2, 3",
        "Content-Length: -2",
        "Content-Length: 2x",
        "Content-Length: +2",
        f"Content-Length: {'9' * 30}",
    ],
)
def test_a_length_that_is_two_or_none_is_refused(serving: Serving, lengths: str) -> None:
    """Nobody may think that a request ends where this server does not."""
    answer = ask(
        serving,
        f"POST {LEADERBOARD}/ping HTTP/1.1\r\nHost: x\r\n{lengths}\r\n\r\n{{}}\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "request_text",
    [
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nX: {'x' * 1_000_000}\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: nonsense\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(serving: Serving, request_text: str) -> None:
    """One refusal, a closed connection, no line in the log, and the next client is served."""
    status = ask(serving, request_text).split(b"\r\n")[0]
    assert status.split()[1][:2] in (b"40", b"50"), status
    assert serving.log == ""
    assert serving.get("/page/summary")[0] == 200


@pytest.mark.parametrize("host", ["[", "[::1", "a:b:c", "a@127.0.0.1", "localhost:x", "[x]"])
def test_an_odd_host_is_refused(serving: Serving, host: str) -> None:
    """What is no name of a host is not taken for this machine's."""
    answer = ask(
        serving, f"GET /page/summary HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    assert answer.split()[1] in (b"400", b"401"), answer
    assert b"runs" not in answer


def test_another_sites_script_is_refused(serving: Serving) -> None:
    """A browser says for whom it asks; the page's data are for the page."""
    for site, expected in (("same-origin", 200), ("none", 200), ("cross-site", 400)):
        headers = {"Host": "localhost", "Sec-Fetch-Site": site}
        assert serving.request("GET", "/page/summary", None, headers)[0] == expected


def test_a_body_in_chunks_is_read_and_limited(serving: Serving) -> None:
    """Without a length in front, what has come is counted."""
    made = serving.create("run")["id"]
    head = (
        f"POST {LEADERBOARD}/executeOperations?experimentId={made} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {serving.access}\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n"
    )
    body = '[{"path": "x", "assignInt": {"value": 1}}]'
    assert ask(serving, f"{head}{len(body):x}\r\n{body}\r\n0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert fields(serving, made)["x"] == 1
    with connect(serving) as connection:
        connection.sendall(head.encode())
        piece = b"1000000\r\n" + b" " * (1 << 24) + b"\r\n"
        with contextlib.suppress(ConnectionError):
            for _ in range(20):
                connection.sendall(piece)
        # the refusal itself may be lost where the client goes on sending
        assert rest(connection)[:13] in (b"", b"HTTP/1.1 413 ")
    assert serving.get("/page/summary")[0] == 200


@pytest.mark.parametrize("query", ["%ff", "a=%ed%a0%80", "x" * 70_000])
def test_a_query_that_cannot_be_read_is_refused(serving: Serving, query: str) -> None:
    """It is not UTF-8, or longer than any."""
    path = f"/api/backend/v1/getProject?projectIdentifier=local/vestibular&{query}"
    head = f"Host: x\r\nConnection: close\r\nAuthorization: {serving.access}"
    answer = ask(serving, f"GET {path} HTTP/1.1\r\n{head}\r\n\r\n")
    assert answer.split()[1] in (b"400", b"414", b"431")


def test_a_long_query_is_read(serving: Serving) -> None:
    """As long as the ids of a thousand runs are."""
    made = serving.create("run")["id"]
    many = [("id", made)] + [("id", f"{number:036}") for number in range(1000)]
    status, names = serving.get(f"/page/series-names?{urlencode(many)}")
    assert (status, len(names)) == (200, 1001)


ODD = (
    "",
    "\0",
    "-1",
    "9" * 18,
    "9" * 5000,
    "..",
    "a//b",
    "*",
    "sys/id",
    "loss",
    "\U0001f600" * 999,
)


@pytest.mark.parametrize("place", sorted(OPERATIONS), ids=lambda place: place[1].rpartition("/")[2])
def test_no_parameter_breaks_an_operation(serving: Serving, place: tuple[str, str]) -> None:
    """Each parameter of each operation in turn is odd: done or refused, and nothing is told of."""
    method, path = place
    made = serving.create("run", customId="parameters")["id"]
    serving.execute(made, floats("loss", [(1, 1.0)]))
    usual = {"experimentId": made, "attribute": "loss", "limit": "10", "offset": "0"}
    names = [text.partition(":")[0].removesuffix("[]") for text in OPERATIONS[place].query]
    given = {name: usual.get(name, "local/vestibular") for name in names}
    for name in names:
        for odd in ODD:
            headers = {"Authorization": serving.access, "Host": "localhost"}
            query = urlencode(given | {name: odd})
            body = b"{}" if method == "POST" else None
            status, _ = serving.request(method, f"{path}?{query}", body, headers)
            assert status in (200, 400, 404, 414), (name, odd, status)
    assert serving.log == ""
    assert values(serving, made, "loss") == [(1, 1.0)]


def test_many_clients_at_once(serving: Serving) -> None:
    """Two hundred connections at a time are all answered."""
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: serving.get("/page/change")[0], range(200)))
    assert statuses == [200] * 200


def test_what_is_not_there_and_what_is_not_done(tmp_path: Path, serving: Serving) -> None:
    """Unknown addresses are 404, known ones by another method 405, both in JSON."""
    assert serving.get("/nowhere")[0] == 404
    assert serving.get("/api/leaderboard/v1/nowhere", access=serving.access)[0] == 404
    status, content = serving.request("DELETE", f"{LEADERBOARD}/ping", None, {})
    assert (status, content["title"]) == (405, "method not allowed")
    for head in ("GET", "HEAD"):
        answer = ask(serving, f"{head} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        lower = answer.lower()
        for header in (b"content-security-policy", b"nosniff", b"no-store"):
            assert header in lower
