"""The local Neptune server under what nobody should send: refused, and nothing else is hurt."""

import base64
import contextlib
import gzip
import io
import json
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.support.patience import slowness
from tests.support.serving import (
    LEADERBOARD,
    Serving,
    assign,
    fields,
    files,
    floats,
    tar,
    upload,
    values,
)

LONE = "half \ud800 of a character"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server that is attacked; at the end it has printed nothing and its page shows all."""
    with Serving(tmp_path_factory.mktemp("attacks") / "root", "--port", "0") as serving:
        serving.create("run")
        yield serving
        status, summary = serving.get("/page/summary")
        assert status == 200
        assert summary["runs"]
        assert serving.log == ""


def search(serving: Serving, **wanted: Any) -> Any:
    """Ask for a table; return status and answer."""
    path = f"{LEADERBOARD}/searchLeaderboardEntries?projectIdentifier=local/vestibular&type=run"
    return serving.post(path, {"pagination": {"limit": 100}, **wanted}, serving.access)


def ids(serving: Serving, query: str) -> list[str]:
    """Return the ids of the runs that a query means."""
    status, found = search(serving, query={"query": query})
    assert status == 200, found
    return [entry["experimentId"] for entry in found["entries"]]


# ---- queries


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*x", "(a*)*b"])
def test_a_pattern_takes_no_longer_than_its_text(serving: Serving, pattern: str) -> None:
    """What takes other engines years is answered at once, and rightly."""
    made = serving.create("run")["id"]
    serving.execute(made, assign("text", "a" * 200_000 + "!"), assign("mine", made))
    before = time.monotonic()
    assert ids(serving, f'`text`:string MATCHES "{pattern}" AND mine = "{made}"') == []
    assert ids(serving, f'`text`:string MATCHES "a!$" AND mine = "{made}"') == [made]
    assert time.monotonic() - before < 5 * slowness()


@pytest.mark.parametrize(
    "query",
    [
        '`x` MATCHES "a{99999999999}"',
        '`x` MATCHES "a{1001}"',
        '`x` MATCHES "((a{1000}){1000}){1000}"',
        '`x` MATCHES "(?:x{0,60000}){0,60000}"',
        '`x` MATCHES "("',
        '`x` MATCHES "(?=x)"',
        f'`x` MATCHES "{"(a|b)" * 1000}"',
        "(" * 51 + "`x` = 1" + ")" * 51,
        "(" * 30_000,
        "NOT " * 30_000 + "`x` = 1",
        "(`x` = 1 AND " * 20_000,
        " OR ".join(["`x` = 1"] * 20_000),
        '`x`:nonsense = "1"',
        '`x` = "1',
        "`x` = '1",
        '`sys/state`:experimentState = "asleep"',
        '`sys/creation_time`:datetime > "yesterday"',
        '`sys/creation_time`:datetime > "-9999999w"',
        "`sys/running_time`:float > x",
    ],
)
def test_a_query_that_cannot_be_answered_is_refused(serving: Serving, query: str) -> None:
    """Status 400 within a moment, never an empty table."""
    serving.create("run")
    before = time.monotonic()
    assert search(serving, query={"query": query})[0] == 400
    assert time.monotonic() - before < 5 * slowness()


@pytest.mark.parametrize(
    "query",
    [
        "`sys/name`:string = 'with \"both\"'",
        '`sys/name`:string = "with \\"both\\""',
        "`sys/name` CONTAINS 'h \"b'",
        '  (  `sys/name` :  string   =   "with \\"both\\""  )  ',
        '`my field/with "quotes" and `:float = 1'.replace(" and `", " and spaces`"),
        "`my field/tick\\`s`:float >= 0.5",
        "`path`:string = 'C:\\new\\d'",
        '`path`:string = "C:\\\\new\\\\d"',
        '`path`:string MATCHES "^C:.new.\\w$"',
        "`path`:string MATCHES '\\\\\\\\new'",
        "`it's`:string = \"it's\"",
        "`it's`:string = 'it\\'s'",
        "`sys/tags`:stringSet CONTAINS 'a \"tag\"'",
        "`lines`:string = 'one\ntwo'",
    ],
)
def test_quotes_spaces_and_escapes_find_what_they_say(serving: Serving, query: str) -> None:
    """Quotes of both kinds, blanks anywhere, and backslashes that stand for themselves."""
    made = serving.create("run", customId="quoted")["id"]
    refused = serving.execute(
        made,
        assign("sys/name", 'with "both"'),
        assign('my field/with "quotes" and spaces', 1.0),
        assign("my field/tick`s", 0.5),
        assign("path", "C:\\new\\d"),
        assign("it's", "it's"),
        assign("lines", "one\ntwo"),
        {"path": "sys/tags", "insertStrings": {"values": ['a "tag"']}},
    )
    assert refused == []
    assert ids(serving, query) == [made]


def test_one_odd_run_does_not_spoil_a_query(serving: Serving) -> None:
    """Where a field is a number in most runs and a text in one, the numbers are compared."""
    number, text = serving.create("run")["id"], serving.create("run")["id"]
    serving.execute(number, assign("score", 0.9))
    serving.execute(text, assign("score", "high"))
    assert ids(serving, "score > 0.5") == [number]
    assert ids(serving, "`score` CONTAINS 'igh'") == [text]


@pytest.mark.parametrize(
    "wanted",
    [
        {"sorting": []},
        {"sorting": {"sortBy": []}},
        {"sorting": {"sortBy": {"name": ["a"]}}},
        {"sorting": {"sortBy": {"name": {}}}},
        {"sorting": {"dir": "sideways"}},
        {"sorting": {"dir": 1}},
        {"sorting": {"sortBy": {"name": LONE}}},
        {"pagination": {"limit": -1}},
        {"pagination": {"limit": True}},
        {"pagination": {"limit": 1.5}},
        {"pagination": {"limit": 10**9}},
        {"pagination": {"offset": -1}},
        {"pagination": {"limit": float("nan")}},
        {"pagination": []},
        {"attributeFilters": {}},
        {"attributeFilters": [1]},
        {"attributeFilters": [{"path": LONE}]},
        {"query": []},
        {"query": {"query": 1}},
        {"query": {"query": LONE}},
    ],
)
def test_an_odd_table_is_refused(serving: Serving, wanted: dict[str, Any]) -> None:
    """An order, a page or columns that make no sense are status 400."""
    assert search(serving, **wanted)[0] == 400


@pytest.mark.parametrize("name", ["sys/tags", "source_code/git", "set", "mixed", "sys/trashed"])
def test_any_field_sorts(serving: Serving, name: str) -> None:
    """Sets, references, files, and what is a text here and a number there."""
    made = serving.create("run", gitInfo={"remotes": []})["id"]
    serving.execute(made, assign("mixed", 1))
    serving.execute(serving.create("run")["id"], assign("mixed", "one"))
    upload(serving, "uploadFileSetAttributeTar", made, tar(["a"]), attribute="set")
    for direction in ("ascending", "descending"):
        order = {"dir": direction, "sortBy": {"name": name, "type": "string"}}
        assert search(serving, sorting=order)[0] == 200


# ---- operations


BAD = [
    1,
    None,
    [],
    {},
    {"path": 1, "assignInt": {"value": 1}},
    {"path": "x"},
    {"path": "x", "assignInt": 1},
    {"path": "x", "assignInt": {}},
    {"path": "x", "assignInt": {"value": 1}, "assignFloat": {"value": 1}},
    {"path": "x", "assignInt": {"value": 2**64}},
    {"path": "x", "assignInt": {"value": 10**4000}},
    {"path": "x", "assignFloat": {"value": 10**400}},
    {"path": "x", "assignFloat": {"value": float("nan")}},
    {"path": "x", "assignFloat": {"value": float("inf")}},
    {"path": "x", "assignString": {"value": LONE}},
    {"path": LONE, "assignString": {"value": "x"}},
    {"path": "x", "assignBool": {"value": 1}},
    {"path": "x", "assignDatetime": {"valueMilliseconds": 10**18}},
    {"path": "x", "assignDatetime": {"valueMilliseconds": 1.5}},
    {"path": "x", "assignArtifact": {"hash": 1}},
    {"path": "x", "logFloats": {}},
    {"path": "x", "logFloats": {"entries": {}}},
    {"path": "x", "logFloats": {"entries": [1]}},
    {"path": "x", "logFloats": {"entries": [{"value": 1}]}},
    {"path": "x", "logStrings": {"entries": [{"value": LONE, "timestampMilliseconds": 1}]}},
    {"path": "x", "logImages": {"entries": [{"value": {}, "timestampMilliseconds": 1}]}},
    {"path": "x", "logImages": {"entries": [{"value": {"data": "ã"}, "timestampMilliseconds": 1}]}},
    {
        "path": "x",
        "logImages": {"entries": [{"value": {"data": "AAA"}, "timestampMilliseconds": 1}]},
    },
    {"path": "x", "configFloatSeries": {"min": float("nan")}},
    {"path": "x", "configFloatSeries": {"max": [[]], "unit": {}}},
    {"path": "sys/tags", "insertStrings": {}},
    {"path": "sys/tags", "insertStrings": {"values": [1, None]}},
    {"path": "sys/tags", "removeStrings": {"values": [LONE]}},
    {"path": "some/path", "insertStrings": {"values": ["tag"]}},
    {"path": "x", "deleteFiles": {}},
    {"path": "x", "deleteFiles": {"filePaths": [{}]}},
    {"path": "x", "explode": {}},
    {"path": "x", LONE: {}},
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_one_bad_operation_never_loses_the_others(serving: Serving, bad: Any) -> None:
    """It is named once; what stands before and after it is done; of itself nothing is left."""
    made = serving.create("run")["id"]
    before = fields(serving, made).keys()
    refused = serving.execute(made, assign("first", 1), bad, assign("last", 2))
    assert len(refused) == 1
    found = fields(serving, made)
    assert (found["first"], found["last"]) == (1, 2)
    assert found.keys() - before == {"first", "last"}
    assert serving.get(f"/page/series-names?id={made}")[1] == {made: []}


def test_a_number_of_thousands_of_digits_is_one_bad_operation(serving: Serving) -> None:
    """Python would refuse to read all of the body."""
    made = serving.create("run")["id"]
    good = json.dumps(assign("good", 1))
    odd = f'{{"path": "x", "assignInt": {{"value": {"9" * 5000}}}}}'
    path = f"{LEADERBOARD}/executeOperations?experimentId={made}"
    status, refused = serving.post(path, f"[{odd}, {good}]".encode(), serving.access)
    assert (status, len(refused)) == (200, 1)
    assert fields(serving, made)["good"] == 1


def test_of_an_operation_that_fails_half_way_nothing_is_left(serving: Serving) -> None:
    """A refused image leaves no file, and a file whose deletion is refused stays."""
    made = serving.create("run")["id"]
    upload(serving, "uploadFileSetAttributeTar", made, tar(["a", "b"]), attribute="set")
    before = set((serving.root / "contents").iterdir())
    data = base64.b64encode(b"\x89PNG").decode()
    image = {"value": {"data": data}, "timestampMilliseconds": 1, "step": 2**53}
    refused = serving.execute(
        made,
        {"path": "set", "deleteFiles": {"filePaths": ["a", 1]}},
        # the second has no step left
        {"path": "image", "logImages": {"entries": [image, image | {"step": None}]}},
        assign("last", 2),
    )
    assert len(refused) == 2
    assert set((serving.root / "contents").iterdir()) == before
    assert files(serving, made, "set") == {"a": b"a", "b": b"b"}
    assert fields(serving, made)["last"] == 2


def test_steps_end_where_numbers_are_exact(serving: Serving) -> None:
    """Beyond 2^53 two steps would become one: such points are refused, the others kept."""
    made = serving.create("run")["id"]
    largest = 2**53
    refused = serving.execute(
        made,
        floats("loss", [(1, 1.0), (largest, 2.0), (largest + 1, 3.0), (-largest - 1, 4.0)]),
        floats("huge", [(1e300, 1.0)]),
        {"path": "loss", "logFloats": {"entries": [{"value": 5.0, "timestampMilliseconds": 1}]}},
    )
    assert [message["errorDescription"].split(":")[0] for message in refused] == [
        "loss",
        "huge",
        "loss",
    ]
    assert values(serving, made, "loss") == [(1, 1.0), (float(largest), 2.0)]


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=9),
    lambda inner: (
        some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=9,
)
NAMES = [
    "assignFloat",
    "assignInt",
    "assignBool",
    "assignString",
    "assignDatetime",
    "assignArtifact",
    "logFloats",
    "logStrings",
    "logImages",
    "configFloatSeries",
    "clearFloatSeries",
    "insertStrings",
    "removeStrings",
    "clearStringSet",
    "deleteAttribute",
    "deleteFiles",
]
arguments = some.dictionaries(
    some.sampled_from(
        ["value", "valueMilliseconds", "hash", "entries", "values", "filePaths", "min", "unit"]
    ),
    json_values
    | some.lists(
        some.dictionaries(
            some.sampled_from(["value", "step", "timestampMilliseconds"]), json_values
        ),
        max_size=3,
    ),
    max_size=3,
)
operations = some.lists(
    some.fixed_dictionaries({"path": some.sampled_from(["a", "a/b", "sys/tags", "sys/name"])})
    .flatmap(lambda base: some.tuples(some.just(base), some.sampled_from(NAMES), arguments))
    .map(lambda parts: {**parts[0], parts[1]: parts[2]})
    | json_values,
    max_size=6,
)


@settings(deadline=None, max_examples=150)
@given(operations)
def test_no_batch_breaks_the_server(serving: Serving, batch: list[Any]) -> None:
    """Whatever the operations say, the good one among them is done and the page shows the run."""
    made = serving.create("run", customId="batches")
    refused = serving.execute(made["id"], *batch, assign("good", 1))
    assert all(isinstance(message["errorDescription"], str) for message in refused)
    assert fields(serving, made["id"])["good"] == 1
    status, summary = serving.get("/page/summary")
    assert status == 200
    (shown,) = [run for run in summary["runs"] if run["id"] == made["id"]]
    assert isinstance(shown["name"], str)
    assert all(isinstance(tag, str) for tag in shown["tags"])


# ---- JSON everywhere


def bodies(serving: Serving) -> list[tuple[str, dict[str, Any]]]:
    """Return the addresses that take JSON objects, each with one that it takes."""
    project = serving.project
    hashed = urlencode({"projectIdentifier": project, "hash": "known"})
    serving.post(f"/api/artifacts/v1/createNewArtifact?{hashed}", {}, serving.access)
    run = {"projectIdentifier": project, "parentId": project, "type": "run"}
    listing = {"files": [{"filePath": "a", "fileHash": "h", "type": "Local", "size": 1}]}
    return [
        (f"{LEADERBOARD}/createExperiment", run),
        (f"{LEADERBOARD}/searchLeaderboardEntries?projectIdentifier={project}", {}),
        (f"/api/artifacts/v1/uploadArtifactFilesMetadata?{hashed}", listing),
        (f"/api/artifacts/v1/createArtifactVersion?{hashed}", listing),
    ]


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(
    "odd",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        '"\\ud800"',
        '{"\\udfff": 1}',
        "9" * 5000,
        "[" * 100_000,
        '{"a":' * 100_000,
        '"\xff"',
        "",
        "{",
    ],
    ids=lambda odd: odd[:12],
)
def test_odd_json_is_refused_everywhere(serving: Serving, place: int, odd: str) -> None:
    """NaN, what is too large or too deep, half characters, and what is no JSON: status 400."""
    path, good = bodies(serving)[place]
    assert serving.post(path, good, serving.access)[0] == 200
    text = json.dumps(good)[:-1] + (", " if good else "") + f'"odd": {odd}}}'
    assert serving.post(path, text.encode("latin-1", "replace"), serving.access)[0] == 400


@pytest.mark.parametrize(
    "more",
    [
        {"gitInfo": []},
        {"gitInfo": {"commit": []}},
        {"gitInfo": {"commit": {"message": 1}}},
        {"gitInfo": {"remotes": [1]}},
        {"gitInfo": {"repositoryDirty": "no"}},
        {"customId": 1},
        {"type": "horse"},
        {"type": None},
        {"projectIdentifier": "no/such"},
        {"projectIdentifier": 1},
    ],
    ids=str,
)
def test_an_odd_run_is_not_made(serving: Serving, more: dict[str, Any]) -> None:
    """What does not make sense of a run is refused, and no number is used up."""
    first = int(serving.create("run")["shortId"].rpartition("-")[2])
    path, good = bodies(serving)[0]
    assert serving.post(path, good | more, serving.access)[0] in (400, 404)
    assert serving.create("run")["shortId"].endswith(f"-{first + 1}")


@pytest.mark.parametrize(
    "file",
    [
        1,
        {},
        {"filePath": 1},
        {"filePath": "a", "size": -1},
        {"filePath": "a", "size": 2**64},
        {"filePath": "a", "size": "1"},
        {"filePath": "a", "fileHash": 1},
        {"filePath": "a", "type": []},
        {"filePath": "a", "metadata": [1]},
        {"filePath": "a", "metadata": [{"key": "k", "value": 1}]},
    ],
    ids=str,
)
def test_odd_tracked_files_are_refused(serving: Serving, file: Any) -> None:
    """Both ways of listing them refuse them, and what was listed stays."""
    for path, good in bodies(serving)[2:]:
        assert serving.post(path, good, serving.access)[0] == 200
        assert serving.post(path, {"files": [file]}, serving.access)[0] == 400
    listed = bodies(serving)[2][0].replace("uploadArtifactFilesMetadata", "listArtifactFiles")
    status, found = serving.get(listed, access=serving.access)
    assert (status, [file["filePath"] for file in found["files"]]) == (200, ["a"])


# ---- archives


def packed(*blocks: bytes) -> bytes:
    """Return the blocks of an archive, compressed, with the end that an archive has."""
    return gzip.compress(b"".join(blocks) + bytes(1024))


def header(**members: Any) -> bytes:
    """Return the header of a file of four bytes, with other members, and its bytes."""
    entry = tarfile.TarInfo("file")
    entry.size = 4
    for name, value in members.items():
        setattr(entry, name, value)
    return entry.tobuf(tarfile.GNU_FORMAT) + b"data".ljust(512, b"\0")


def summed(block: bytes) -> bytes:
    """Return a header with the right sum, whatever else it holds."""
    head = bytearray(block[:512])
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + block[512:]


def extended(text: str) -> bytes:
    """Return an extended header (pax) that says this of the file after it, and the file."""
    data = text.encode("utf-8", "surrogateescape")
    entry = tarfile.TarInfo("pax")
    entry.type, entry.size = tarfile.XHDTYPE, len(data)
    padded = data.ljust(-(-len(data) // 512) * 512, b"\0")
    return entry.tobuf(tarfile.USTAR_FORMAT) + padded + header()


def many_entries() -> bytes:
    """Return a small archive of very many empty files."""
    return packed(*[summed(header(size=0)[:512])] * 20_000)


ARCHIVES = {
    "negative size": lambda: packed(header(size=-512)),
    "huge size": lambda: packed(header(size=2**60)),
    "cut off": lambda: gzip.compress(header(size=2000)),
    "cut in the stream": lambda: packed(header())[:-12],
    "no sum": lambda: packed(b"x" * 512),
    "nonsense size": lambda: packed(summed(header()[:124] + b"nonsense\0   " + header()[136:])),
    "extended size": lambda: packed(extended("22 size=999999999999\n")),
    "extended negative size": lambda: packed(extended("13 size=-512\n")),
    "extended nonsense size": lambda: packed(extended("10 size=x\n")),
    "extended nonsense": lambda: packed(extended("99999999999999999999 path=x\n")),
    "extended endless": lambda: packed(extended("0 path=x\n")),
    "extended sparse": lambda: packed(
        extended("22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n29 GNU.sparse.realsize=9999\n")
    ),
    "half characters": lambda: packed(extended("12 path=\udcff\udcfe\n")),
    "an extended header of a gigabyte": lambda: gzip.compress(
        summed(header(type=tarfile.XHDTYPE, size=1 << 30)[:512]) + bytes(80 << 20)
    ),
    "too large all together": lambda: packed(
        *[header(size=1 << 20)[:512] + bytes(1 << 20) for _ in range(70)]
    ),
    "very many entries": many_entries,
    "no archive": lambda: b"no archive",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_odd_archive_is_refused_whole(serving: Serving, kind: str) -> None:
    """Of a set that it was to replace all is still there, and no file is left behind."""
    made = serving.create("run")["id"]
    name = "uploadFileSetAttributeTar"
    upload(serving, name, made, tar(["kept"]), attribute="set", reset="True")
    before = set((serving.root / "contents").iterdir())
    status, answer = upload(serving, name, made, ARCHIVES[kind](), attribute="set", reset="True")
    assert status == 400 or (status == 200 and answer["errors"]), answer
    assert files(serving, made, "set") == {"kept": b"kept"}
    assert set((serving.root / "contents").iterdir()) == before


def test_links_and_devices_of_an_archive_are_left_out(serving: Serving) -> None:
    """Only plain files are kept, wherever the others point."""
    made = serving.create("run")["id"]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as writer:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            entry = tarfile.TarInfo(f"odd{kind!r}")
            entry.type, entry.linkname = kind, "/etc/passwd"
            writer.addfile(entry)
        plain = tarfile.TarInfo("plain")
        plain.size = 1
        writer.addfile(plain, io.BytesIO(b"x"))
    upload(serving, "uploadFileSetAttributeTar", made, archive.getvalue(), attribute="set")
    assert files(serving, made, "set") == {"plain": b"x"}


# ---- names


def test_numbers_are_never_given_again(serving: Serving) -> None:
    """Neither a run's nor a version's, whether it was thrown away or deleted, nor a model's key."""
    last = serving.create("run")
    number = int(last["shortId"].rpartition("-")[2])
    serving.trash(last["id"], forever=True)
    assert serving.create("run")["shortId"] == f"VEST-{number + 1}"
    model = serving.create("model", key="GONE")["id"]
    first, second = (serving.create("modelVersion", parentId=model) for _ in range(2))
    serving.trash(first["id"], second["id"], forever=True)
    third = serving.create("modelVersion", parentId=model)
    assert third["shortId"] == "VEST-GONE-3"
    serving.trash(third["id"])
    assert serving.create("modelVersion", parentId=model)["shortId"] == "VEST-GONE-4"
    serving.trash(model, forever=True)
    with pytest.raises(AssertionError, match="names of deleted models are not used again"):
        serving.create("model", key="GONE")


@pytest.mark.parametrize("forever", [False, True])
def test_a_custom_id_never_leads_into_the_trash(serving: Serving, forever: bool) -> None:
    """Who comes with the id of a run that was thrown away gets a new run."""
    custom = f"trash {forever}"
    old = serving.create("run", customId=custom)
    serving.execute(old["id"], assign("x", 1))
    serving.trash(old["id"], forever=forever)
    new = serving.create("run", customId=custom)
    assert new["id"] != old["id"]
    assert new["shortId"] != old["shortId"]
    assert "x" not in fields(serving, new["id"])
    assert serving.create("run", customId=custom)["id"] == new["id"]
    live = f"`sys/custom_run_id` = '{custom}' AND `sys/trashed`:bool = false"
    assert ids(serving, live) == [new["id"]]


def test_a_project_cannot_be_thrown_away(serving: Serving) -> None:
    """It holds all the others; a run that is named twice is deleted once."""
    made = serving.create("run")
    path = f"{LEADERBOARD}/trashExperiments?" + urlencode(
        {"projectIdentifier": "local/vestibular", "experimentIdentifiers": serving.project}
    )
    assert serving.post(path, {}, serving.access)[0] == 400
    serving.trash(made["id"], f"local/vestibular/{made['shortId']}", made["id"])
    serving.trash(made["id"], made["id"], forever=True)
    assert serving.get(f"/page/fields?id={made['id']}")[0] == 404
    path = "/api/backend/v1/getProject?projectIdentifier=local/vestibular"
    assert serving.get(path, access=serving.access)[1]["id"] == serving.project


# ---- time


BACK = """
import time
real, real_ns = time.time, time.time_ns
time.time, time.time_ns = lambda: real() + 7200, lambda: real_ns() + 7200 * 10**9
"""


def test_a_clock_that_was_set_back(tmp_path: Path) -> None:
    """Clients stay known, times stay sensible, what ended is not alive, the newest stays first."""
    root = tmp_path / "root"
    with Serving(root, "--port", "0", before=BACK) as serving:
        old = serving.create("run", customId="old")
        serving.execute(old["id"], floats("loss", [(1, 1.0)]))
        access = serving.access
    with Serving(root) as serving:
        assert serving.get("/api/backend/v1/listOrganizations", access=access)[0] == 200
        new = serving.create("run")
        summary = serving.get("/page/summary")[1]
        assert [run["shortId"] for run in summary["runs"]] == [new["shortId"], old["shortId"]]
        assert [run["state"] for run in summary["runs"]] == ["running", "ended"]
        serving.execute(old["id"], floats("loss", [(2, 1.0)]))
        found = fields(serving, old["id"])
        assert found["sys/state"] == "running"
        assert found["sys/running_time"] == 0
        assert str(found["sys/modification_time"]) >= str(found["sys/creation_time"])


# ---- the page


def test_one_odd_run_does_not_empty_the_page(tmp_path: Path) -> None:
    """Names, tags and stages of any type, and what is broken in the database, hide nothing else."""
    root = tmp_path / "root"
    with Serving(root, "--port", "0") as serving:
        odd, broken, good = (serving.create("run")["id"] for _ in range(3))
        names = ("sys/tags", "sys/name", "sys/failed", "sys/group_tags")
        serving.execute(odd, *({"path": name, "deleteAttribute": {}} for name in names))
        refused = serving.execute(
            odd,
            assign("sys/tags", "no set"),
            assign("sys/name", 1.5),
            assign("sys/failed", "perhaps"),
            assign("run/state", 3),
            assign("run/started", "long ago"),
            assign("run/ended", True),
        )
        assert refused == []
        with contextlib.closing(sqlite3.connect(root / "neptune.sqlite")) as database:
            for name, value in (("sys/tags", "{broken"), ("sys/name", float("inf"))):
                database.execute(
                    "UPDATE attribute SET value = ? WHERE container = ? AND name = ?",
                    (value, broken, name),
                )
            database.execute("UPDATE container SET created = ? WHERE id = ?", (10**18, broken))
            database.commit()
        status, summary = serving.get("/page/summary")
        assert status == 200
        assert {run["id"] for run in summary["runs"]} == {odd, broken, good}
        for run in summary["runs"]:
            assert isinstance(run["name"], str)
            assert run["tags"] == []
            assert isinstance(run["started"], int)
        for made in (odd, broken, good):
            assert serving.get(f"/page/fields?id={made}")[0] == 200
        assert len(ids(serving, "")) == 3


def test_a_run_has_its_own_state_and_time(serving: Serving) -> None:
    """What was pushed after its end is not running, and did not start when it was pushed."""
    states = []
    for word in ("finished", "failed", "killed", "running", "nonsense", None):
        made = serving.create("run")["id"]
        serving.execute(made, assign("run/started", "2026-01-02T03:04:05+00:00"))
        if word is not None:
            serving.execute(made, assign("run/state", word))
        if word == "finished":
            serving.execute(made, assign("run/ended", "2026-01-02T03:05:05+00:00"))
        run = next(run for run in serving.get("/page/summary")[1]["runs"] if run["id"] == made)
        assert run["started"] == 1_767_323_045_000
        if word == "finished":
            assert run["ended"] == run["started"] + 60_000
        else:
            assert run["ended"] is None, "the time of the push is not the run's"
        states.append(run["state"])
    assert states == ["finished", "failed", "killed", "running", "running", "running"]
    made = serving.create("run")["id"]
    serving.execute(made, assign("sys/failed", True))
    assert serving.get("/page/summary")[1]["runs"][0]["state"] == "failed"
