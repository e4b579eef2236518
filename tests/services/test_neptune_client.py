"""The unmodified `neptune` client against the local server, each client in a process of its own."""

import base64
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.patience import FOREVER, read_until, slowness
from tests.support.serving import Serving, finish

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm")]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """A server with nothing in it."""
    with Serving(tmp_path / "root", "--port", "0") as serving:
        yield serving


ARTICLE = """
from neptune.exceptions import NeptuneModelKeyAlreadyExistsError

run = neptune.init_run(name="gpt2", tags=["peft"], **QUIET)
run["parameters"] = {"learning_rate": 0.01, "epochs": 3, "base": "gpt2", "use_lora": True}
for step in range(50):
    run["finetuning/train/loss"].append(4 / (step + 1), step=step)
run["finetuning/log"].append("ação")
run.stop(seconds=600)

neptune.init_model(key="QAPTBR", name="question answering").stop(seconds=600)
try:
    neptune.init_model(key="QAPTBR")
    exists = False
except NeptuneModelKeyAlreadyExistsError:
    exists = True

for name, exact_match, f1 in (("a", 0.5, 0.7), ("b", 0.6, 0.6), ("c", 0.6, 0.8)):
    version = neptune.init_model_version(model="VEST-QAPTBR", name=name)
    version["model/artifacts"].upload_files("adapter")
    version["model/model-name"] = name
    version["model/loss"] = 1.5
    version["model/exact-match"] = exact_match
    version["model/f1"] = f1
    version.stop(seconds=600)

model = neptune.init_model(with_id="VEST-QAPTBR")
table = model.fetch_model_versions_table().to_pandas()
table = table.sort_values(by=["model/exact-match", "model/f1"], ascending=False)
order = list(table["sys/id"])
version = neptune.init_model_version(with_id=order[0])
version.change_stage("production")
version.stop(seconds=600)

table = model.fetch_model_versions_table().to_pandas()
chosen = table[table["sys/stage"] == "production"]["sys/id"].tolist()
version = neptune.init_model_version(with_id=chosen[0], mode="read-only")
version["model/artifacts"].download("artifacts.zip")
run = neptune.init_run(with_id="VEST-1", mode="read-only")
answer(({
    "exists": exists,
    "order": order,
    "chosen": chosen,
    "stages": dict(zip(table["sys/id"], table["sys/stage"])),
    "loss": run["finetuning/train/loss"].fetch_values()[["step", "value"]].values.tolist(),
    "last": run["finetuning/train/loss"].fetch_last(),
    "log": run["finetuning/log"].fetch_last(),
    "parameters": run["parameters"].fetch(),
    "tags": sorted(run["sys/tags"].fetch()),
}))
"""


def test_the_articles_steps(serving: Serving, tmp_path: Path) -> None:
    """Run, model twice, versions, table, stage, selection, download: as published."""
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}", encoding="utf-8")
    # larger than what is sent in one piece
    (adapter / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 80_000)
    answer = serving.client(tmp_path, ARTICLE)
    assert answer["exists"] is True
    assert answer["order"] == ["VEST-QAPTBR-3", "VEST-QAPTBR-2", "VEST-QAPTBR-1"]
    assert answer["chosen"] == ["VEST-QAPTBR-3"]
    assert answer["stages"] == {
        "VEST-QAPTBR-1": "none",
        "VEST-QAPTBR-2": "none",
        "VEST-QAPTBR-3": "production",
    }
    assert answer["loss"] == [[step, 4 / (step + 1)] for step in range(50)]
    assert answer["last"] == 4 / 50
    assert answer["log"] == "ação"
    parameters = {"learning_rate": 0.01, "epochs": 3, "base": "gpt2", "use_lora": True}
    assert answer["parameters"] == parameters
    assert answer["tags"] == ["peft"]
    with zipfile.ZipFile(tmp_path / "artifacts.zip") as archive:
        for file in adapter.iterdir():
            assert archive.read(f"adapter/{file.name}") == file.read_bytes()
        assert set(archive.namelist()) - {"/", "adapter/"} == {
            f"adapter/{file.name}" for file in adapter.iterdir()
        }


def test_a_downloaded_adapter_answers(
    serving: Serving, tmp_path: Path, tiny_model: Callable[[str], Any]
) -> None:
    """Loaded with peft from the server's archive, it generates what it did before."""
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    base = tiny_model("gpt2")
    tuned = get_peft_model(
        base, LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, fan_in_fan_out=True)
    )
    question = torch.tensor([[5, 6, 7, 8]])
    options = {"max_new_tokens": 8, "do_sample": False}
    expected = tuned.generate(input_ids=question, **options)
    tuned.save_pretrained(tmp_path / "adapter")
    program = """
neptune.init_model(key="QA").stop(seconds=600)
version = neptune.init_model_version(model="VEST-QA")
version["model/artifacts"].upload_files("adapter/*")
version.stop(seconds=600)
version = neptune.init_model_version(with_id="VEST-QA-1", mode="read-only")
version["model/artifacts"].download("artifacts.zip")
answer(None)
"""
    serving.client(tmp_path, program)
    with zipfile.ZipFile(tmp_path / "artifacts.zip") as archive:
        archive.extractall(tmp_path / "again")
    loaded = PeftModel.from_pretrained(tiny_model("gpt2"), tmp_path / "again/adapter")
    assert torch.equal(loaded.generate(input_ids=question, **options), expected)
    assert not torch.equal(tiny_model("gpt2").generate(question, **options), expected)


def test_every_kind_of_field(serving: Serving, tmp_path: Path) -> None:
    """What the client can write, it reads back."""
    (tmp_path / "notes.txt").write_text("notas", encoding="utf-8")
    (tmp_path / "many").mkdir()
    for number in range(30):
        (tmp_path / f"many/{number}.txt").write_text(str(number), encoding="utf-8")
    answer = serving.client(
        tmp_path,
        """
import datetime
from neptune.types import File
from PIL import Image
run = neptune.init_run(custom_run_id="one", **QUIET)
run["when"] = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
run["sys/tags"].add(["a", "b"]); run["sys/tags"].remove("a")
run["notes"].upload("notes.txt")
run["many"].upload_files("many")
run["odd/naïve name: 50 % (x) [y] 'z' \\"q\\" `b` .."] = 1.5
run["image"].append(File.as_image(Image.new("RGB", (3, 2), "red")))
run["tracked"].track_files("many")
run["odd/x"] = 3.5
run["gone"] = 1
run["series/text"].extend(["x", "y"], steps=[1, 3])
run.sync()
del run["gone"]
run["many"].delete_files(["many/3.txt"])
run.sync()
os.makedirs("out", exist_ok=True)
run["notes"].download("out/notes.txt")
run["many"].download("out/many.zip")
run["image"].download("out/images")
run["tracked"].download("out/tracked")
run["sys/group_tags"].add("g")
run.sync()
project = neptune.init_project(mode="read-only")
answer(({
    "when": run["when"].fetch().isoformat(),
    "tags": sorted(run["sys/tags"].fetch()),
    "odd": run["odd/naïve name: 50 % (x) [y] 'z' \\"q\\" `b` .."].fetch(),
    "gone": run.exists("gone"),
    "text": run["series/text"].fetch_values()[["step", "value"]].values.tolist(),
    "files": sorted(file.name for file in run["many"].list_fileset_files("many")),
    "tracked": len(run["tracked"].fetch_files_list()),
    "extension": run["notes"].fetch_extension(),
    "found": [row["sys/id"].get() for row in project.fetch_runs_table(
        query='`sys/custom_run_id`:string = "one" AND `odd/x`:float > 3 OR `sys/tags` CONTAINS "q"'
    )],
    "active": len(project.fetch_runs_table(state="active").to_rows()),
}))
run.stop(seconds=600)
""",
    )
    assert answer["when"].startswith("2026-01-02T03:04:05")
    assert answer["tags"] == ["b"]
    assert answer["odd"] == 1.5
    assert answer["gone"] is False
    assert answer["text"] == [[1.0, "x"], [3.0, "y"]]
    assert answer["files"] == sorted(f"{number}.txt" for number in range(30) if number != 3)
    assert answer["tracked"] == 30
    assert answer["extension"] == "txt"
    assert answer["found"] == ["VEST-1"]
    assert answer["active"] == 1
    assert (tmp_path / "out/notes.txt").read_text(encoding="utf-8") == "notas"
    with Image.open(tmp_path / "out/images/0.png") as image:
        assert (image.size, image.getpixel((0, 0))) == ((3, 2), (255, 0, 0))
    assert len(list((tmp_path / "out/tracked").rglob("*.txt"))) == 30
    with zipfile.ZipFile(tmp_path / "out/many.zip") as archive:
        assert len([name for name in archive.namelist() if not name.endswith("/")]) == 29


def test_the_same_custom_id_is_the_same_run(serving: Serving, tmp_path: Path) -> None:
    """Pushed again with the same steps, nothing is doubled."""
    program = """
run = neptune.init_run(custom_run_id="abc", **QUIET)
for step in range(20):
    run["loss"].append(float(sys.argv[1]) * step, step=step)
run.sync()
answer(([run["sys/id"].fetch(), run["loss"].fetch_values()["value"].tolist()]))
run.stop(seconds=600)
"""
    once = serving.client(tmp_path, program, "1")
    again = serving.client(tmp_path, program, "2")
    assert once == ["VEST-1", [float(step) for step in range(20)]]
    assert again == ["VEST-1", [2.0 * step for step in range(20)]]


def test_sixteen_clients_at_once(serving: Serving, tmp_path: Path) -> None:
    """Each gets a run of its own, and all that it logged is there."""
    program = """
run = neptune.init_run(**QUIET)
for step in range(200):
    run["loss"].append(int(sys.argv[1]) * 1000 + step, step=step)
run.sync()
values = run["loss"].fetch_values()["value"].tolist()
answer(([run["sys/id"].fetch(), values]))
run.stop(seconds=600)
"""
    waiting = {"NEPTUNE_RETRIES_TIMEOUT": "600", "NEPTUNE_REQUEST_TIMEOUT": "600"}
    clients = [
        serving.start_client(tmp_path, program, str(number), **waiting) for number in range(16)
    ]
    try:
        answers = [finish(client) for client in clients]
    finally:
        for client in clients:
            client.kill()
            client.communicate()
    assert {name for name, _ in answers} == {f"VEST-{number}" for number in range(1, 17)}
    for number, (_, values) in enumerate(answers):
        assert values == [number * 1000 + step for step in range(200)]


def test_a_wrong_token_is_told_so(serving: Serving, tmp_path: Path) -> None:
    """The client says that its token is invalid, and nothing is made."""
    wrong = json.loads(base64.b64decode(serving.token)) | {"api_key": "0" * 64}
    token = base64.b64encode(json.dumps(wrong).encode()).decode()
    answer = serving.client(
        tmp_path,
        """
from neptune.common.exceptions import NeptuneInvalidApiTokenException
try:
    neptune.init_run(**QUIET)
    answer(False)
except NeptuneInvalidApiTokenException:
    answer(True)
""",
        NEPTUNE_API_TOKEN=token,
    )
    assert answer is True
    assert serving.get("/page/summary")[1]["runs"] == []


def test_expired_access_is_renewed(tmp_path: Path) -> None:
    """A client goes on logging although its access lasts one second."""
    with Serving(tmp_path / "root", "--port", "0", "--access-seconds", "1") as serving:
        answer = serving.client(
            tmp_path,
            """
run = neptune.init_run(**QUIET)
for step in range(4):
    run["loss"].append(step, step=step)
    time.sleep(1.2)
    run.sync()
answer((run["loss"].fetch_values()["value"].tolist()))
run.stop(seconds=600)
""",
        )
    assert answer == [0, 1, 2, 3]


def test_killed_in_mid_append_nothing_is_lost(tmp_path: Path) -> None:
    """The server dies twice under a client's hands and is started again; every point is there."""
    program = """
run = neptune.init_run(flush_period=0.2, **QUIET)
print(run["sys/id"].fetch(), flush=True)
for step in range(6000):
    run["loss"].append(step, step=step)
    time.sleep(0.001)
run.stop(seconds=600)
run = neptune.init_run(with_id="VEST-1", mode="read-only")
answer((run["loss"].fetch_values()["value"].tolist()))
"""
    serving = Serving(tmp_path / "root", "--port", "0")
    client = serving.start_client(
        tmp_path, program, NEPTUNE_RETRIES_TIMEOUT="600", NEPTUNE_SYNC_AFTER_STOP_TIMEOUT="600"
    )
    read_until(client, client.stdout, "VEST-1")
    for _ in range(2):
        time.sleep(2)
        serving.kill()
        serving = Serving(tmp_path / "root")
    with serving:
        assert finish(client) == list(range(6000))


def test_a_hundred_thousand_points(serving: Serving, tmp_path: Path) -> None:
    """They arrive within the client's deadline, and all are there."""
    answer = serving.client(
        tmp_path,
        """
start = time.monotonic()
run = neptune.init_run(**QUIET)
for step in range(100_000):
    run["loss"].append(step / 7, step=step)
run.sync()
seconds = time.monotonic() - start
values = run["loss"].fetch_values(include_timestamp=False)["value"].tolist()
answer(([seconds, len(values), values[-1]]))
run.stop(seconds=600)
""",
    )
    assert answer[1:] == [100_000, 99_999 / 7]
    # the client's own deadline is 300 s
    assert answer[0] < 100 * slowness()


def test_values_that_the_client_cuts_or_skips(serving: Serving, tmp_path: Path) -> None:
    """NaN and infinity are skipped on its side, long texts cut; the rest arrives."""
    answer = serving.client(
        tmp_path,
        """
run = neptune.init_run(**QUIET)
for step, value in enumerate([1.0, float("nan"), float("inf"), 2.0]):
    run["loss"].append(value, step=step)
run["long"] = "ã" * 20_000
run["large"] = 7e9
run.sync()
answer(([
    run["loss"].fetch_values()["value"].tolist(), len(run["long"].fetch()), run["large"].fetch(),
]))
run.stop(seconds=600)
""",
    )
    assert answer == [[1.0, 2.0], 16384, 7e9]


# ---- as the hosted service answered: what the client's own end-to-end tests expect


def test_archives_have_entries_of_folders(serving: Serving, tmp_path: Path) -> None:
    """The set itself and each of its folders, down to the deepest; unpacked they are the files."""
    for name in ("a/b/c/one.txt", "a/two.txt", "d/three.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name, encoding="utf-8")
    program = """
run = neptune.init_run(**QUIET)
os.chdir("in")
run["files"].upload_files(".")
run["empty"].upload_files("d"); run.sync()
run["empty"].delete_files("d/three.txt"); run.sync()
run["files"].download("../files.zip")
run["empty"].download("../empty.zip")
answer(None)
run.stop(seconds=600)
"""
    serving.client(tmp_path, program)
    with zipfile.ZipFile(tmp_path / "files.zip") as archive:
        assert set(archive.namelist()) == {
            "/",
            "a/",
            "a/b/",
            "a/b/c/",
            "d/",
            "a/b/c/one.txt",
            "a/two.txt",
            "d/three.txt",
        }
        archive.extractall(tmp_path / "out")
        assert archive.testzip() is None
    found = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(path.read_text() for path in found) == [
        "a/b/c/one.txt",
        "a/two.txt",
        "d/three.txt",
    ]
    with zipfile.ZipFile(tmp_path / "empty.zip") as archive:
        assert archive.namelist() == ["/"]


def test_artifacts_are_hashed_as_the_client_does(serving: Serving, tmp_path: Path) -> None:
    """Files tracked one after the other have the hash of the same files tracked at once."""
    for name in ("a.txt", "b/c.txt", "ação.txt"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name, encoding="utf-8")
    answer = serving.client(
        tmp_path,
        """
run = neptune.init_run(**QUIET)
os.chdir("in")
run["once"].track_files(".")
run["twice"].track_files(f"file://{os.getcwd()}/a.txt")
run.sync()
first = run["twice"].fetch_hash()
run["twice"].track_files("ação.txt")
run.sync()
run["twice"].track_files("b/c.txt", destination="b")
run.sync()
run["assigned"] = run["once"].fetch()
run.sync()
def listed(name):
    files = run[name].fetch_files_list()
    return sorted((file.file_path, file.file_hash, file.size) for file in files)
answer([
    first, *(run[name].fetch_hash() for name in ("once", "twice", "assigned")),
    listed("once") == listed("twice") == listed("assigned"), len(listed("twice")),
])
run.stop(seconds=600)
""",
    )
    first, once, twice, assigned, same, count = answer
    assert once == twice == assigned != first
    assert (same, count) == (True, 3)


def test_queries_of_every_spelling(serving: Serving, tmp_path: Path) -> None:
    """Through the client: quotes of both kinds, blanks, escapes; what is none is an error."""
    queries = [
        "`sys/name`:string = 'it\\'s \"one\"'",
        '`sys/name`:string = "it\'s \\"one\\""',
        "  `my group/the field` : float   >=  '0.5' ",
        r"`path`:string = 'C:\\new'",
        r"`path`:string = 'C:\new'",
        '`path`:string MATCHES "new$"',
        "`my group/the field`:float > small",
        "`sys/name`:word = 'other'",
        "`sys/name`:string = 'other",
    ]
    answer = serving.client(
        tmp_path,
        r"""
from neptune.exceptions import NeptuneInvalidQueryException
run = neptune.init_run(name='it\'s "one"', tags=["a b", "c\\d"], **QUIET)
run["my group/the field"] = 0.5
run["path"] = "C:\\new"
run.sync()
other = neptune.init_run(name="other", **QUIET)
project = neptune.init_project(mode="read-only")
def found(query=None, **more):
    try:
        return [row["sys/id"].get() for row in project.fetch_runs_table(query=query, **more)]
    except NeptuneInvalidQueryException:
        return "invalid"
answer([found(tag="a b"), found(tag="c\\d"), *map(found, json.loads(sys.argv[1]))])
run.stop(seconds=600); other.stop(seconds=600)
""",
        json.dumps(queries),
    )
    assert answer == [["VEST-1"]] * 8 + ["invalid"] * 3


def test_only_tags_are_sets_of_texts(serving: Serving, tmp_path: Path) -> None:
    """Elsewhere the client is told, and there is no such field."""
    answer = serving.client(
        tmp_path,
        """
run = neptune.init_run(**QUIET)
run["some/path"].add("tag")
run["sys/tags"].add(["x", "y"]); run["sys/group_tags"].add("z")
run["after"] = 1
run.sync()
run = neptune.init_run(with_id="VEST-1", mode="read-only")
answer([
    run.exists("some/path"), sorted(run["sys/tags"].fetch()), sorted(run["sys/group_tags"].fetch()),
    run["after"].fetch(),
])
""",
    )
    assert answer == [False, ["x", "y"], ["z"], 1]


def test_files_come_in_parts_of_five_mebibytes(serving: Serving, tmp_path: Path) -> None:
    """Eleven come in three parts, as the hosted service asked for; five in one."""
    answer = serving.client(
        tmp_path,
        """
from neptune.internal.backends import hosted_file_operations
calls = []
real = hosted_file_operations.upload_raw_data
def counted(*args, **more):
    calls.append(1)
    return real(*args, **more)
hosted_file_operations.upload_raw_data = counted
run = neptune.init_run(mode="sync", **QUIET)
counts = []
for size in (5 << 20, 11 << 20):
    with open("file.bin", "wb") as file:
        file.write(os.urandom(size))
    calls.clear()
    run["file"].upload("file.bin")
    counts.append(len(calls))
    run["file"].download("again.bin")
    with open("file.bin", "rb") as one, open("again.bin", "rb") as other:
        assert one.read() == other.read()
answer(counts)
run.stop(seconds=600)
""",
    )
    assert answer == [1, 3]


def test_the_structure_of_runs_and_projects(serving: Serving, tmp_path: Path) -> None:
    """The fields that every run and every project has, with their times and its visibility."""
    answer = serving.client(
        tmp_path,
        """
run = neptune.init_run(custom_run_id="x", **QUIET)
run.sync()
project = neptune.init_project(mode="read-only")
table = project.fetch_runs_table().to_pandas()
answer([
    sorted(run.get_structure()["sys"]), sorted(project.get_structure()["sys"]),
    project["sys/visibility"].fetch(), run["sys/monitoring_time"].fetch(),
    "sys/monitoring_time" in table.columns,
])
run.stop(seconds=600)
""",
    )
    run, project, visibility, monitored, in_table = answer
    assert set(project) == {
        "creation_time",
        "id",
        "modification_time",
        "monitoring_time",
        "name",
        "ping_time",
        "running_time",
        "size",
        "state",
        "tags",
        "visibility",
    }
    assert set(run) >= {"custom_run_id", "failed", "monitoring_time", "running_time", "trashed"}
    assert "visibility" not in run
    assert (visibility, in_table) == ("priv", True)
    assert 0 <= monitored < FOREVER


def test_what_was_thrown_away_is_not_found_again(serving: Serving, tmp_path: Path) -> None:
    """Through the client's management: a new run has a new number, whatever its custom id."""
    answer = serving.client(
        tmp_path,
        """
from neptune import management
def start(name):
    run = neptune.init_run(custom_run_id=name, **QUIET)
    found = run["sys/id"].fetch()
    run.stop(seconds=600)
    return found
first, second = start("one"), start("two")
project = "local/vestibular"
management.trash_objects(project, [first, second])
third = start("one")
management.delete_objects_from_trash(project, [first])
management.clear_trash(project)
fourth = start("two")
answer([third, fourth, start("one"), start("two")])
""",
    )
    assert answer == ["VEST-3", "VEST-4", "VEST-3", "VEST-4"]
