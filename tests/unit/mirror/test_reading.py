"""What the mirror reads: spools in every state, names and values that no service refuses."""

import json
import math
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.results import exam_cost, exam_details, training_cost, training_record
from tests.support.settings import change
from tests.support.spooled import START, Spooled, hold
from vestibular.core.base_models import PinnedBase
from vestibular.core.cost_files import write_cost
from vestibular.core.exam_results import Parameters, Scores
from vestibular.core.files import folder_sha256
from vestibular.core.model_file import ModelFile
from vestibular.mirror import pushing
from vestibular.mirror.files import find_file
from vestibular.mirror.mlflow_values import as_text
from vestibular.mirror.naming import flatten, safe_names, simple
from vestibular.mirror.outputs import Sources
from vestibular.mirror.pushing import Pusher, _points_done, _series_mark, one_line
from vestibular.mirror.records import File, ModelVersion, Point, RunRecord
from vestibular.mirror.spools import EPOCHS, Spools
from vestibular.mirror.target import read_marks
from vestibular.params.project import load_params
from vestibular.tracking.spool import run_id

LOSS = "finetuning/train/loss"


@pytest.fixture
def spooled(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Spooled:
    """An empty project."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return Spooled(in_folder)


def read(spooled: Spooled) -> RunRecord:
    """The only run."""
    (run,) = Spools(spooled.folder / ".vestibular/spool").read().values()
    return run


def values(run: RunRecord, name: str = LOSS) -> dict[int, float]:
    return {point.step: point.value for point in run.series[name]}


def test_a_whole_run_is_read(spooled: Spooled) -> None:
    """Series by step and time, fields by path, files by place, the state and its times."""
    spooled.run(losses=[2.0, 1.5])
    run = read(spooled)
    assert (run.id, run.candidate, run.state) == ("aaaa", "gpt2-tiny", "finished")
    assert run.series[LOSS] == [Point(1, 2.0, START + 2), Point(2, 1.5, START + 3)]
    assert [point.step for point in run.series["monitoring/cpu_percent"]] == [4]
    assert run.fields["parameters/train/epochs"] == 1.0
    assert run.fields["base_model/configuration/parameters"] == 7e9
    assert run.fields["evaluation/after/f1"] == 0.5
    assert set(run.files) == {
        "finetuning/adapter/adapter_config.json",
        "finetuning/adapter/adapter_model.safetensors",
    }
    assert run.fields["run/started"] == "2026-09-21T14:13:20+00:00"


def test_half_a_line_is_left_until_it_is_whole(spooled: Spooled) -> None:
    """A line without its end is not read; when the rest has come it is, once."""
    path = spooled.run(f1=None, end={"event": "point", "step": 4, "values": {"loss": 1.0}})
    whole = path.read_bytes()
    spools = Spools(spooled.folder / ".vestibular/spool")
    for cut in range(len(whole) - 60, len(whole)):
        path.write_bytes(whole[:cut])
        assert list(values(Spools(spooled.folder / ".vestibular/spool").read()["aaaa"])) == [
            1,
            2,
            3,
        ]
    assert list(values(spools.read()["aaaa"])) == [1, 2, 3]
    path.write_bytes(whole)
    assert list(values(spools.read()["aaaa"])) == [1, 2, 3, 4]
    assert len(spools.read()["aaaa"].series[LOSS]) == 4


def test_a_file_that_has_just_been_made_is_left_alone(
    spooled: Spooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its writer takes the lock next, and must find it free, whoever looks at the same moment."""
    path = spooled.run(f1=None)
    whole = path.read_bytes()
    path.write_bytes(b"")
    spools = Spools(spooled.folder / ".vestibular/spool")
    with monkeypatch.context() as patched:
        patched.setattr("vestibular.mirror.spools._lock_is_free", pytest.fail)
        assert spools.read() == {}
    path.write_bytes(whole)
    assert spools.read()["aaaa"].state == "finished"


def test_a_spool_made_anew_is_read_anew(spooled: Spooled) -> None:
    """Cleared away while a mirror follows, and written again under the same name."""
    spools = Spools(spooled.folder / ".vestibular/spool")
    path = spooled.run(f1=None, losses=[2.0, 1.5, 1.25])
    assert list(values(spools.read()["aaaa"])) == [1, 2, 3]
    path.unlink()
    assert spools.read() == {}
    spooled.run(f1=None, losses=[9.0])
    assert values(spools.read()["aaaa"]) == {1: 9.0}


def test_a_value_of_another_version_is_a_series(spooled: Spooled) -> None:
    """A name that this version does not log hides nothing else."""
    point = {"event": "point", "step": 1, "values": {"loss": 1.0, "perplexity": 2.7}}
    start = {"event": "start", "candidate": "x", "stage": "train", "settings": {}}
    spooled.write("aaaa", "0001-train.jsonl", [start, point])
    run = read(spooled)
    assert values(run) == {1: 1.0}
    assert values(run, "finetuning/train/perplexity") == {1: 2.7}


def test_how_a_run_ended_is_seen(spooled: Spooled) -> None:
    """Without an end it is killed, or running while its process holds the file."""
    last = {"event": "point", "step": 4, "values": {"loss": 1.0}}
    path = spooled.run(f1=None, end=last)
    run = read(spooled)
    assert run.state == "killed"
    assert "killed" in str(run.fields["run/failure"])
    with hold(path):
        assert read(spooled).state == "running"
        assert read(spooled).ended is None
    spooled.run(f1=None, end={"event": "failure", "message": "lower it"})
    run = read(spooled)
    assert (run.state, run.fields["run/failure"]) == ("failed", "finetuning: lower it")


def test_a_training_that_went_on_is_one_run(spooled: Spooled) -> None:
    """A second process's points follow the first's; a step told twice is there once."""
    spooled.run(f1=None, losses=[2.0, 1.5, 1.25], end={"event": "usage", "values": {}})
    start = {"event": "start", "run": "aaaa", "candidate": "gpt2-tiny", "stage": "train"}
    points = [
        {"event": "point", "step": step, "values": {"loss": loss}}
        for step, loss in ((2, 1.5), (3, 1.2), (4, 1.0))
    ]
    again = [start | {"settings": {}}, *points, {"event": "end"}]
    spooled.write("aaaa", "0002-train.jsonl", again)
    run = read(spooled)
    assert run.state == "finished"
    assert "run/failure" not in run.fields
    assert values(run) == {1: 2.0, 2: 1.5, 3: 1.2, 4: 1.0}
    # an equal point keeps its first time, so that nothing is pushed again for it
    assert run.series[LOSS][1].time == START + 3


def test_what_is_no_number_is_said_in_a_field(spooled: Spooled) -> None:
    """NaN and infinity are no points of a curve; a field names the steps."""
    spooled.write(
        "aaaa",
        "0001-train.jsonl",
        [
            {"event": "start", "candidate": "x", "stage": "train", "settings": {}},
            *(
                {"event": "point", "step": step, "values": {"loss": value}}
                for step, value in ((1, 1.0), (2, "nan"), (3, "inf"))
            ),
        ],
    )
    run = read(spooled)
    assert values(run) == {1: 1.0}
    assert run.fields["not_finite/finetuning_train_loss"] == "step 2: nan, step 3: inf"


def test_broken_lines_are_counted_and_passed_over(spooled: Spooled) -> None:
    """A line that a full disk has cut does not hide those behind it."""
    path = spooled.run(f1=None)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[2:2] = ['{"event": "point", "st', "[]", '{"no": "event"}']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run = read(spooled)
    assert values(run) == {1: 2.0, 2: 1.5, 3: 1.25}
    assert run.fields["run/broken_lines"] == 3.0


def test_large_numbers_and_lists_lose_nothing() -> None:
    """Numbers become floats where that is exact, all else text."""
    assert simple(7_000_000_000) == 7e9
    assert isinstance(simple(3), float)
    assert simple(2**53 + 1) == "9007199254740993"
    assert simple(True) is True
    assert simple(None) == "None"
    assert simple(["a", 1]) == "a, 1"
    assert simple(math.inf) == "inf"
    assert as_text(7e9) == "7000000000"
    assert flatten("x", {"a/b": {"c": None}, "": 1}) == {"x/a_b/c": "None", "x/": 1.0}


PARTS = st.text(min_size=0, max_size=130)


@example(["/", "_"])
@given(st.lists(st.lists(PARTS, min_size=1, max_size=4).map("/".join), unique=True, max_size=20))
def test_every_name_becomes_one_that_services_take(names: list[str]) -> None:
    """Different names stay different, and none is a folder of another."""
    safe = safe_names(names)
    assert len(set(safe.values())) == len(names)
    for name in safe.values():
        # the rule of MLflow's own check, and of its SQL column's width
        assert re.fullmatch(r"[/\w.\- :]+", name)
        assert len(name) <= 250
        assert all(part.strip(". ") for part in name.split("/"))
        assert not any(other.startswith(f"{name}/") for other in safe.values())


def test_plain_names_stay_as_they_are() -> None:
    """What needs no change is not changed."""
    names = ["finetuning/train/loss", "parameters/train/lora/r", "x y/z-1.json"]
    assert safe_names(names) == {name: name for name in names}


def test_a_series_goes_on_where_it_was_cut_off() -> None:
    """The mark counts points that are there only if they are these very points."""
    points = [Point(step, 1 / step, START + step) for step in range(1, 11)]
    mark = _series_mark(points, 4)
    assert _points_done(points, mark) == 4
    assert _points_done([*points, Point(11, 0.0, START)], mark) == 4
    assert _points_done([Point(1, 9.0, START), *points[1:]], mark) == 0
    assert _points_done(points[:3], mark) == 0
    assert _points_done(points, None) == 0
    assert read_marks('{"a": "b"') == {}


def test_files_are_found_in_their_place_or_in_the_cache(spooled: Spooled) -> None:
    """A file that has changed is not the run's; one that is nowhere is not found."""
    place = Path("models/adapters/gpt2-tiny/adapter_config.json")
    file = File(place, spooled.adapter("gpt2-tiny")[0]["md5"])
    assert find_file(file) == place
    place.write_bytes(b"another run's")
    assert find_file(file) is None
    cached = spooled.folder / ".dvc/cache/files/md5" / file.md5[:2] / file.md5[2:]
    cached.parent.mkdir(parents=True)
    place.rename(cached)
    cached.write_bytes(b"{}")
    assert find_file(file) == cached
    assert find_file(File(place, "0" * 32)) is None


def test_the_candidate_that_select_promoted_is_in_production(spooled: Spooled) -> None:
    """As long as the registry in git says nothing; not if `select` promoted none."""
    spooled.run("aaaa", "gpt2-tiny")
    spooled.run("bbbb", "gpt2-mini")
    sources = Sources(load_params(), spooled.folder / ".vestibular/spool")
    spooled.win("aaaa", "gpt2-tiny")
    stages = {run.id: run.version.stage for run in sources.read() if run.version}
    assert stages == {"aaaa": "production", "bbbb": "none"}
    # trained anew, the candidate has another run, of which `select` knows nothing yet
    adapter = spooled.folder / "models/adapters/gpt2-tiny/training.json"
    training_record(run="bbbb").write(adapter)
    stages = {run.id: run.version.stage for run in sources.read() if run.version}
    assert stages == {"aaaa": "production", "bbbb": "none"}
    spooled.win("aaaa", "gpt2-tiny", promoted=False)
    stages = {run.id: run.version.stage for run in sources.read() if run.version}
    assert stages == {"aaaa": "none", "bbbb": "none"}


def test_scores_of_the_adapter_before_are_not_the_new_ones(spooled: Spooled) -> None:
    """Trained anew and not examined yet: the scores that still lie there are another run's."""
    exam_details(scores=Scores(exact_match=0.5, f1=0.6)).write(
        spooled.folder / "metrics/details/gpt2-tiny.json"
    )
    answers = spooled.folder / "metrics/predictions/gpt2-tiny.jsonl"
    answers.parent.mkdir(parents=True)
    answers.write_text("{}", encoding="utf-8")
    spooled.run(f1=None)
    spooled.win("aaaa", "gpt2-tiny")
    (run,) = Sources(load_params(), spooled.folder / ".vestibular/spool").read()
    assert not [name for name in (*run.fields, *run.files) if name.startswith("evaluation/")]
    assert run.version is None


def test_the_registry_says_what_is_in_production(spooled: Spooled) -> None:
    """Git's tags come before what `select` says; what was in production before is archived."""
    import gto.api

    git = ["git", "-c", "user.name=Ana", "-c", "user.email=ana@example.org"]
    subprocess.run(["git", "init", "--quiet"], check=True)
    for key, value in (("user.name", "Ana"), ("user.email", "ana@example.org")):
        subprocess.run(["git", "config", key, value], check=True)
    for version, run, candidate in (
        ("v0.1.0", "aaaa", "gpt2-tiny"),
        ("v0.2.0", "bbbb", "gpt2-mini"),
    ):
        spooled.run(run, candidate)
        empty = ["commit", "--quiet", "--allow-empty", "--message", run]
        subprocess.run([*git, *empty], check=True)
        message = f"Register\n\nCandidate: {candidate}\nRun: {run}"
        gto.api.register(".", "qa-model", "HEAD", version=version, message=message)
    spooled.win("aaaa", "gpt2-tiny")
    sources = Sources(load_params(), spooled.folder / ".vestibular/spool")

    def stages() -> dict[str, str]:
        return {run.id: run.version.stage for run in sources.read() if run.version}

    def assign(version: str, message: str) -> None:
        options = {"version": version, "message": message, "skip_registration": True}
        gto.api.assign(".", "qa-model", "production", force=True, **options)

    # registered is not promoted: `select` has the word
    assert stages() == {"aaaa": "production", "bbbb": "none"}
    assign("v0.2.0", "Promote")
    assert stages() == {"aaaa": "none", "bbbb": "production"}
    assign("v0.1.0", "Promote")
    assert stages() == {"aaaa": "production", "bbbb": "archived"}
    assign("v0.2.0", "Put back\n\nAction: rollback")
    assert stages() == {"aaaa": "archived", "bbbb": "production"}
    (second,) = [run for run in sources.read() if run.id == "bbbb"]
    assert second.version is not None
    assert second.version.fields["model/registered"] == "v0.2.0"


def test_outputs_alone_are_a_run(spooled: Spooled) -> None:
    """A clone without spools shows what DVC tracks, under the same name."""
    spooled.adapter("gpt2-tiny")
    spooled.win("aaaa", "gpt2-tiny")
    curve = spooled.folder / "metrics/curves/gpt2-tiny.tsv"
    curve.parent.mkdir(parents=True)
    curve.write_text("step\tepoch\tloss\n5\t0.5\t1.25\n", encoding="utf-8")
    exam_details(
        scores=Scores(exact_match=0.5, f1=0.6),
        base_scores=Scores(exact_match=0.0, f1=0.1),
        parameters=Parameters(trainable=8192, total=7_000_000_000),
    ).write(spooled.folder / "metrics/details/gpt2-tiny.json")
    write_cost("aaaa", "train", training_cost(seconds=9.5))
    write_cost("bbbb", "evaluate", exam_cost())
    (run,) = Sources(load_params(), spooled.folder / ".vestibular/spool").read()
    assert (run.id, run.state) == ("aaaa", "finished")
    assert values(run) == {5: 1.25}
    assert run.version is not None
    assert run.version.fields["model/f1"] == 0.6
    # under the names that a spool has them by
    assert run.fields["evaluation/after/exact_match"] == 0.5
    assert run.fields["evaluation/before/f1"] == 0.1
    assert run.fields["evaluation/parameters/total"] == 7e9
    assert run.fields["finetuning/steps"] == 3.0
    assert run.fields["finetuning/cost/seconds"] == 9.5
    # what was measured of another run is not this one's
    assert not [name for name in run.fields if name.startswith("evaluation/cost/")]
    assert set(run.version.artifacts) >= {"adapter_config.json", "training.json"}


def test_what_has_not_changed_is_not_read_again(
    spooled: Spooled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each round of a mirror that follows only a run with news is made, and hashed, anew."""
    last = {"event": "point", "step": 4, "values": {"loss": 1.0}}
    path = spooled.run("aaaa", "gpt2-tiny", f1=None, end=last)
    spooled.run("bbbb", "gpt2-mini")
    spooled.win("bbbb", "gpt2-mini")
    sources = Sources(load_params(), spooled.folder / ".vestibular/spool")
    target: Any = SimpleNamespace(errors=(), set_state=lambda _: None)
    work = Pusher(target, lambda *_: None, everything=False)

    def marks(run: RunRecord) -> list[tuple[str, str]]:
        return [(item.name, item.mark) for item in work._items(run, {}, lambda: None)]

    with hold(path) as file:
        running, ended = sources.read()
        before = marks(ended)
        with monkeypatch.context() as patched:
            patched.setattr(pushing, "_series_mark", pytest.fail)
            again = sources.read()
            assert again[0] is running
            assert again[1] is ended
            assert marks(ended) == before
        file.write(json.dumps(last | {"time": START, "step": 5}) + "\n")
        file.flush()
        grown, same = sources.read()
    assert same is ended
    assert list(values(grown)) == [1, 2, 3, 4, 5]
    assert list(values(running)) == [1, 2, 3, 4]
    # the process is gone, without an end: that is news too
    killed, same = sources.read()
    assert (killed.state, same) == ("killed", ended)
    spooled.win("bbbb", "gpt2-mini", promoted=False)
    _, changed = sources.read()
    assert changed.version is not None
    assert changed.version.stage == "none"


def test_settings_that_are_not_the_runs_are_left_out(spooled: Spooled) -> None:
    """Without its spool a hash beside the adapter tells whether the settings here are its own."""
    prepared, pins = spooled.folder / "data/prepared", spooled.folder / "data/bases"
    prepared.mkdir(parents=True)
    (prepared / "train.jsonl").write_text("{}", encoding="utf-8")
    base = {"base_model": "demo/bases/gpt2-tiny", "sha256": "b" * 64}
    PinnedBase(
        **base, quantization="none", precision="auto", arithmetic="auto", max_length=512
    ).write(pins / "gpt2-tiny.json")
    params = load_params()
    # as `stages.train` writes it
    settings = run_id(
        candidate="gpt2-tiny",
        seed=params.seed,
        prompt=params.prompt.model_dump(),
        train=params.candidate("gpt2-tiny").train.model_dump(),
        base=base,
        chat_prompt=None,
        data=folder_sha256(prepared),
    )
    spooled.adapter("gpt2-tiny")
    spooled.win("aaaa", "gpt2-tiny", settings=settings)

    def fields() -> dict[str, Any]:
        (run,) = Sources(load_params(), spooled.folder / ".vestibular/spool").read()
        assert run.fields["finetuning/questions"] == 3.0
        return run.fields

    assert fields()["parameters/train/learning_rate"] == 0.01
    assert fields()["base_model/sha256"] == "b" * 64
    change(spooled.folder, {"train.learning_rate": 5e-2})
    assert not [name for name in fields() if name.startswith(("parameters/", "base_model/"))]


def test_an_error_is_told_in_one_line() -> None:
    """Colours, rulers and the exception's name are left out of what Neptune says."""
    text = "\n\033[95m\n----NeptuneLost------\n\033[0m\nThe connection is lost.\n\nHelp\n"
    assert one_line(ValueError(text)) == "The connection is lost."
    assert one_line(ValueError("")) == "ValueError"


def test_a_run_says_how_long_it_worked(spooled: Spooled) -> None:
    """Without the waits: for the exam, and of a killed training to be started again."""
    train = spooled.run("aaaa", end={"event": "end"})
    lines = [json.loads(line) for line in train.read_text(encoding="utf-8").splitlines()]
    times = [line["time"] for line in lines]
    start, end = times[0], times[-1]
    again = [{**line, "time": line["time"] + 1000} for line in lines]
    train.write_text("".join(f"{json.dumps(line)}\n" for line in [*lines, *again]))
    evaluate = (train.parent / "0002-evaluate.jsonl").read_text(encoding="utf-8")
    exam = [json.loads(line) for line in evaluate.splitlines()]
    examined = exam[-1]["time"] - exam[0]["time"]
    (run,) = Sources(load_params(), spooled.folder / ".vestibular/spool").read()
    assert end > start
    assert run.fields["run/seconds"] == pytest.approx(2 * (end - start) + examined)


def describable(spooled: Spooled, base: dict[str, str]) -> dict[str, Any]:
    """Spool a run with all settings, as the stages do; return them."""
    params = load_params()
    everything = params.model_dump(mode="json")
    train = params.candidate("gpt2-tiny").train.model_dump(mode="json")
    settings = {"seed": 7, "prompt": everything["prompt"], "train": train}
    exam = {key: everything[key] for key in ("prompt", "data", "evaluate")}
    exam["evaluate"]["max_new_tokens"] = 9
    spooled.run("aaaa", settings=settings, end={"event": "end"}, exam=exam, base=base)
    return settings


def base_of(spooled: Spooled) -> dict[str, str]:
    """Make a base model's folder; return its pin."""
    folder = spooled.folder / "demo/bases/gpt2-tiny"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / ".cache").write_text("a tool's own")
    return {"base_model": "demo/bases/gpt2-tiny", "sha256": folder_sha256(folder)}


def version_read(spooled: Spooled) -> ModelVersion:
    """Read the only run's version."""
    (run,) = Sources(load_params(), spooled.folder / ".vestibular/spool").read()
    assert run.version is not None
    return run.version


def test_a_version_holds_all_that_an_answer_needs(spooled: Spooled) -> None:
    """The adapter, what `select` would write of it, and a base that no other machine could find."""
    settings = describable(spooled, base_of(spooled))
    version = version_read(spooled)
    assert version.fields["model/can-answer"] == "yes"
    places = {name: find_file(file) for name, file in version.artifacts.items()}
    assert set(places) == {
        *("adapter_config.json", "adapter_model.safetensors"),
        *("model.json", "base/config.json"),
    }
    model = ModelFile.read(Path(str(places["model.json"])))
    assert model.train == settings["train"]
    assert (model.seed, model.max_new_tokens) == (7, 9)
    assert model.loading.max_length == settings["train"]["max_length"]
    assert (model.before.f1, model.after.f1) == (0.1, 0.5)
    # nothing is written again where nothing has changed
    written = Path(str(places["model.json"])).stat().st_mtime_ns
    assert version_read(spooled) == version
    assert Path(str(places["model.json"])).stat().st_mtime_ns == written


def test_a_base_on_the_hub_is_named_and_not_uploaded(spooled: Spooled) -> None:
    """Everybody finds it there by its commit."""
    describable(spooled, {"base_model": "openai-community/gpt2", "revision": "e" * 40})
    version = version_read(spooled)
    assert version.fields["model/can-answer"] == "yes"
    assert not [name for name in version.artifacts if name.startswith("base/")]
    assert "model.json" in version.artifacts


@pytest.mark.parametrize("how", ["changed", "gone", "unknown settings"])
def test_what_a_version_lacks_is_said(spooled: Spooled, how: str) -> None:
    """The adapter is shown all the same, and no answer is promised."""
    base = base_of(spooled)
    if how == "unknown settings":
        spooled.run("aaaa")
    else:
        describable(spooled, base)
        (spooled.folder / "demo/bases/gpt2-tiny/config.json").write_text('{"other": 1}')
    if how == "gone":
        shutil.rmtree(spooled.folder / "demo")
    version = version_read(spooled)
    said = {"changed": "have changed", "gone": "is gone", "unknown settings": "settings"}[how]
    assert str(version.fields["model/can-answer"]).startswith("no: ")
    assert said in str(version.fields["model/can-answer"])
    assert set(version.artifacts) == {"adapter_config.json", "adapter_model.safetensors"}


def test_the_loss_of_a_version_is_the_mean_over_all_steps(spooled: Spooled) -> None:
    """As it was kept, or from the curve, each of whose points is the mean since the last one."""
    path = spooled.run("aaaa", losses=[4.0])
    point = {"event": "point", "step": 4, "values": {"loss": 2.0}}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    spooled.write("aaaa", path.name, [*lines[:-1], point, lines[-1]])
    fields = version_read(spooled).fields
    assert fields["model/loss"] == (4.0 * 1 + 2.0 * 3) / 4
    assert fields["model/last-loss"] == 2.0
    kept = {"event": "trained", "values": {"mean_loss": 2.25, "steps": 5}}
    spooled.write("aaaa", path.name, [*lines[:-1], point, kept, lines[-1]])
    fields = version_read(spooled).fields
    assert fields["model/loss"] == 2.25
    assert fields["model/last-loss"] == 2.0


def test_epochs_are_a_series_from_the_spool_and_from_the_outputs(spooled: Spooled) -> None:
    """Seconds by the epoch's number; the times of a run without a spool are those of its costs."""
    path = spooled.run("aaaa", f1=None)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    epochs = [{"event": "epoch", "epoch": number, "seconds": 2.5 * number} for number in (1, 2)]
    cost = training_cost(epoch_seconds=(2.5, 5.0)).model_dump(mode="json")
    costs = {"event": "cost", "values": cost}
    spooled.write("aaaa", path.name, [*lines[:-1], *epochs, costs, lines[-1]])
    (run,) = Sources(load_params(), spooled.folder / ".vestibular/spool").read()
    assert values(run, EPOCHS) == {1: 2.5, 2: 5.0}
    assert "finetuning/cost/epoch_seconds" not in run.fields
    assert run.fields["finetuning/cost/seconds"] == cost["seconds"]

    shutil.rmtree(spooled.folder / ".vestibular/spool")
    spooled.win("aaaa", "gpt2-tiny")
    write_cost("aaaa", "train", training_cost(started=START, epoch_seconds=(2.5, 5.0)))
    write_cost("aaaa", "evaluate", exam_cost(ended=START + 60))
    (run,) = Sources(load_params(), spooled.folder / ".vestibular/spool").read()
    assert run.series[EPOCHS] == [Point(1, 2.5, START + 2.5), Point(2, 5.0, START + 7.5)]
    assert (run.started, run.ended) == (START, START + 60)
    assert run.fields["run/started"] == "2026-09-21T14:13:20+00:00"
    assert run.fields["run/ended"] == "2026-09-21T14:14:20+00:00"

    # in a clone a file's time is that of its copy: no time is better than another's
    shutil.rmtree(spooled.folder / ".vestibular/costs")
    (run,) = Sources(load_params(), spooled.folder / ".vestibular/spool").read()
    assert run.state == "finished"
    assert not {"run/started", "run/ended"} & set(run.fields)
