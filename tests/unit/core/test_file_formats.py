"""Files between stages: what is written is read, and what is damaged or newer is refused."""

import importlib
import json
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue
from pydantic.fields import FieldInfo

from tests.support.commands import ROOT
from tests.support.results import answered, exam_details
from vestibular.commands.manifest import read_description
from vestibular.core.costs import Costs
from vestibular.core.data_metrics import Rows
from vestibular.core.errors import BaseModelError, DataError
from vestibular.core.exam_results import AnsweredQuestion, ExamDetails, Scores
from vestibular.core.file_formats import FileFormat, Part
from vestibular.core.model_file import Loading
from vestibular.core.training_record import TrainingRecord
from vestibular.params.project import load_params


def formats() -> list[type[FileFormat]]:
    """Every format of the library, whichever module it is in."""
    sources = ROOT / "src"
    for path in sorted((sources / "vestibular").rglob("*.py")):
        if "(FileFormat)" in path.read_text(encoding="utf-8"):
            importlib.import_module(".".join(path.relative_to(sources).with_suffix("").parts))
    found: list[type[FileFormat]] = []
    waiting = [FileFormat]
    while waiting:
        below = waiting.pop().__subclasses__()
        found += [each for each in below if each.__module__.startswith("vestibular.")]
        waiting += below
    return sorted(found, key=lambda each: each.__name__)


FORMATS = formats()
every_format = pytest.mark.parametrize("model", FORMATS, ids=lambda model: model.__name__)
# one folder serves all examples; the largest formats take their time to be drawn
drawn = settings(
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
    max_examples=20,
    deadline=None,
)

PARAMS = load_params(ROOT / "params.yaml")
SETTINGS = {type(group): group for group in (PARAMS.prompt, PARAMS.select)}
"""Settings that files hold: with the checks of their own that they have, the demo's."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=5,
)


def of_type(annotation: Any, field: FieldInfo | None = None) -> st.SearchStrategy[Any]:
    """Values that a field may have, as Python holds them."""
    kind, parts = get_origin(annotation), get_args(annotation)
    limits = {
        name: getattr(limit, name)
        for limit in (field.metadata if field else ())
        for name in ("ge", "le", "min_length")
        if hasattr(limit, name)
    }
    least = limits.get("min_length", 0)
    if annotation in (JsonValue, Any):
        return JSON
    if kind in (Union, UnionType):
        return st.one_of([of_type(part, field) for part in parts])
    if kind is Literal:
        return st.sampled_from(parts)
    if kind is dict:
        return st.dictionaries(st.text(), of_type(parts[1]), min_size=least, max_size=2)
    if kind in (tuple, list):
        return st.lists(of_type(parts[0]), min_size=least, max_size=2).map(kind)
    if annotation in SETTINGS:
        return st.just(SETTINGS[annotation])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return content_of(annotation)
    between = {"min_value": limits.get("ge"), "max_value": limits.get("le")}
    if annotation is float:
        return st.floats(allow_nan=False, allow_infinity=False, **between)
    if annotation is int:
        return st.integers(**between)
    return {str: st.text(min_size=least), bool: st.booleans(), NoneType: st.none()}[annotation]


@cache
def content_of(model: type[Part]) -> st.SearchStrategy[Any]:
    """Contents of a file, or of a group within it."""
    fields = {
        name: of_type(field.annotation, field)
        for name, field in model.model_fields.items()
        if name != "version"
    }
    if model is Rows:
        # the account has to add up
        return st.tuples(st.integers(), st.integers()).map(
            lambda counts: Rows(present=sum(counts), read=counts[0], left_out=counts[1])
        )
    return st.fixed_dictionaries(fields).map(lambda values: model(**values))


def required(model: type[FileFormat]) -> list[str]:
    """The keys, as the file has them, that it must have."""
    return [
        field.alias or name for name, field in model.model_fields.items() if field.is_required()
    ]


@cache
def example(model: type[FileFormat]) -> FileFormat:
    """One file, always the same."""
    found: list[FileFormat] = []

    @settings(drawn, max_examples=1, derandomize=True, database=None)
    @given(content_of(model))
    def draw(content: FileFormat) -> None:
        found.append(content)

    draw()
    return found[0]


def refused(model: type[FileFormat], path: Path) -> str:
    """The one line that a file is refused with."""
    with pytest.raises(DataError) as error:
        model.read(path)
    assert "\n" not in str(error.value)
    assert f"`{model.MADE_BY}`" in str(error.value)
    return str(error.value)


def test_the_formats_are_found() -> None:
    """By their base class: whoever adds one has it tested here."""
    names = {model.__name__ for model in FORMATS}
    assert names >= {
        *("AnsweredQuestion", "Costs", "ExamCost", "ExamDetails", "ModelFile", "PinnedBase"),
        *("Refusal", "Repeat", "ScoresFile", "TrainingCost", "TrainingRecord", "WinnerFile"),
    }


@every_format
@drawn
@given(data=st.data())
def test_what_is_written_is_read(in_folder: Path, model: type[FileFormat], data: Any) -> None:
    """Whatever the content; equal contents have equal bytes, and no half-written file is left."""
    content = data.draw(content_of(model))
    path = Path("folder/file.json")
    content.write(path)
    assert model.read(path) == content
    assert path.read_text(encoding="utf-8") == content.to_text()
    assert [each.name for each in path.parent.iterdir()] == ["file.json"]
    again = model.read(path)
    assert again.to_text() == content.to_text()


@every_format
@drawn
@given(data=st.data())
def test_lines_that_are_written_are_read(
    in_folder: Path, model: type[FileFormat], data: Any
) -> None:
    """In their order, a line each, whatever separators the texts hold."""
    rows = data.draw(st.lists(content_of(model), max_size=2))
    path = Path("folder/file.jsonl")
    model.write_lines(path, rows)
    assert model.read_lines(path) == rows
    assert path.read_bytes().count(b"\n") == len(rows)


@every_format
def test_a_version_is_written_where_it_is_not_the_first(
    in_folder: Path, model: type[FileFormat], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the top, where a reader of any version looks; without one a file is of version 1."""
    content = example(model)
    written = json.loads(content.to_text())
    path = Path("x.json")
    brought_up: list[int] = []

    def upgrade(older: dict[str, Any], version: int) -> dict[str, Any]:
        brought_up.append(version)
        return older

    monkeypatch.setattr(model, "upgrade", upgrade)
    if model.VERSION > 1:
        assert next(iter(written.items())) == ("version", model.VERSION)
        del written["version"]
        path.write_text(json.dumps(written), encoding="utf-8")
    else:
        assert "version" not in written
        path.write_text(json.dumps({"version": 1, **written}), encoding="utf-8")
    assert model.read(path) == content
    assert brought_up == ([1] if model.VERSION > 1 else [])


@every_format
@pytest.mark.parametrize("version", [99, "2", None, 1.5])
def test_a_file_of_a_newer_version_is_refused(
    in_folder: Path, model: type[FileFormat], version: Any
) -> None:
    """In one line, which says what this Vestibular reads, whatever else is in the file."""
    path = Path("x.json")
    for content in ({"new": 1}, json.loads(example(model).to_text())):
        path.write_text(json.dumps({**content, "version": version}), encoding="utf-8")
        said = refused(model, path)
        assert said.startswith(
            f"x.json: is of version {version}, but this Vestibular reads only up to"
        )
        assert f" {model.VERSION}; use the Vestibular that wrote it" in said
    with pytest.raises(DataError, match=r"^rows\.jsonl:1: is of version 99"):
        write_rows(Path("rows.jsonl"), [{"version": 99}])
        model.read_lines(Path("rows.jsonl"))


def write_rows(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


@every_format
def test_a_file_that_is_missing_is_named(in_folder: Path, model: type[FileFormat]) -> None:
    """With the command that makes it."""
    assert refused(model, Path("x.json")) == f"x.json: not found; run `{model.MADE_BY}` first"
    with pytest.raises(DataError, match=r"^x\.jsonl: not found; run `"):
        model.read_lines(Path("x.jsonl"))


@every_format
def test_a_file_cut_short_is_refused(in_folder: Path, model: type[FileFormat]) -> None:
    """Wherever it was cut, by its path."""
    path = Path("x.json")
    text = example(model).to_text().rstrip("\n")
    for end in range(0, len(text), max(1, len(text) // 40)):
        path.write_text(text[:end], encoding="utf-8")
        with pytest.raises(DataError, match=r"^x\.json: not JSON: "):
            model.read(path)


@every_format
@pytest.mark.parametrize("content", [[], "text", 3, None])
def test_something_else_than_an_object_is_refused(
    in_folder: Path, model: type[FileFormat], content: Any
) -> None:
    """A list, a text, a number, nothing."""
    path = Path("x.json")
    path.write_text(json.dumps(content), encoding="utf-8")
    assert refused(model, path).startswith("x.json: must contain a JSON object; run `")


@every_format
def test_a_fault_is_named_with_its_place(in_folder: Path, model: type[FileFormat]) -> None:
    """A key that is missing, one too many, and a value of another kind."""
    path = Path("x.json")
    written = json.loads(example(model).to_text())
    for key in required(model):
        without = {name: value for name, value in written.items() if name != key}
        path.write_text(json.dumps(without), encoding="utf-8")
        assert refused(model, path).startswith(f"x.json: {key}: field required; it is a result: ")
        path.write_text(json.dumps({**written, key: [["?"]]}), encoding="utf-8")
        assert refused(model, path).startswith(f"x.json: {key}")
    path.write_text(json.dumps({**written, "odd": 1}), encoding="utf-8")
    assert refused(model, path).startswith("x.json: odd: extra inputs are not permitted; ")


def test_a_fault_within_a_group_has_its_whole_place(in_folder: Path) -> None:
    """Keys and places down to the value, and scores keep to their range."""
    path = Path("x.json")
    written = json.loads(exam_details().to_text())
    for scores, place in (({"em": 0.5}, "scores.f1"), ({"em": 1.5, "f1": 0.5}, "scores.em")):
        path.write_text(json.dumps({**written, "scores": scores}), encoding="utf-8")
        assert refused(ExamDetails, path).startswith(f"x.json: {place}: ")
    row = json.loads(answered().to_text())
    path.write_text(json.dumps({**row, "references": ["a", 3]}), encoding="utf-8")
    assert refused(AnsweredQuestion, path).startswith("x.json: references.1: ")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{", "not JSON: "),
        (b"", "not JSON: "),
        (b"<<<<<<< HEAD", "not JSON: "),
        (b'{"id": "\xe7"}', "not JSON: 'utf-8' codec"),
        (b"[]", "must contain a JSON object"),
        (b'{"version": 2, "id": "q"}', "title: field required"),
        (b'{"version": 3}', "is of version 3, but this Vestibular reads only up to 2"),
        (b'{"id": "q"}', "cannot be read as a file of version 1 ('after')"),
    ],
)
def test_a_fault_in_a_line_is_named_with_its_number(
    in_folder: Path, line: bytes, fault: str
) -> None:
    """Counted from 1, as an editor does."""
    path = Path("metrics/predictions/x.jsonl")
    AnsweredQuestion.write_lines(path, [answered(id=str(number)) for number in range(3)])
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], line, *lines[2:]]))
    with pytest.raises(DataError) as error:
        AnsweredQuestion.read_lines(path)
    assert str(error.value).startswith(f"metrics/predictions/x.jsonl:3: {fault}")
    assert "\n" not in str(error.value)
    assert "run `dvc repro`" in str(error.value)


def test_a_disk_that_is_full_leaves_the_old_file(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is whole or as it was."""
    path = Path("x.jsonl")
    AnsweredQuestion.write_lines(path, [answered(id="old")])

    def rows() -> Any:
        yield answered(id="new")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        AnsweredQuestion.write_lines(path, rows())
    assert [row.id for row in AnsweredQuestion.read_lines(path)] == ["old"]
    assert [each.name for each in in_folder.iterdir()] == ["x.jsonl"]


# As the writers of version 1 made them, before the base had an exam of its own.

PREDICTIONS_1 = (
    '{"id": "dev-1-0", "title": "Programa Aurora", "context": "5a2b9c", "question": "Quem dirige '
    'o programa Aurora?", "references": ["Ana Prado", "por Ana Prado"], "windows": 2, "leaked": '
    'true, "before": {"answer": "o o o", "exact_match": 0.0, "f1": 0.0}, "after": {"answer": '
    '"Ana Prado", "exact_match": 1.0, "f1": 1.0}}\n'
    '{"id": "dev-1-1", "title": "Programa Aurora", "context": "5a2b9c", "question": "Onde fica?", '
    '"references": ["em Belém"], "windows": 1, "leaked": false, "before": {"answer": "", '
    '"exact_match": 0.0, "f1": 0.0}, "after": {"answer": "Belém", "exact_match": 0.0, "f1": '
    "0.666667}}\n"
)
TRAINING_1 = """{
  "questions": 768,
  "shortened": 3,
  "steps": 48,
  "batching": "shared_context",
  "max_tokens_per_batch": 4096,
  "gradient_checkpointing": false,
  "run": "0123456789abcdef"
}
"""
MODEL_1 = """{
  "candidate": "gpt2-mini",
  "base": {
    "base_model": "demo/bases/gpt2-mini",
    "sha256": "5f0c6b8e"
  },
  "prompt": {
    "template": "Contexto: {context}\\nQuestão: {question}\\nResposta:",
    "answer_prefix": " ",
    "chat": false
  },
  "max_new_tokens": 32,
  "window_overlap": 0.25,
  "unanswerable": null,
  "train": {
    "method": "lora",
    "quantization": "8bit",
    "precision": "auto",
    "loss": "answer",
    "batching": "shared_context",
    "epochs": 1,
    "batch_size": 16,
    "max_tokens_per_batch": 4096,
    "max_length": 512,
    "learning_rate": 0.01,
    "schedule": "linear",
    "warmup_steps": 10,
    "weight_decay": 0.0,
    "max_gradient_norm": 1.0,
    "gradient_checkpointing": false,
    "logging_steps": 5,
    "validation_steps": 20,
    "checkpoint_steps": 50,
    "lora": {
      "r": 8,
      "alpha": 16,
      "dropout": 0.1,
      "target_modules": "auto",
      "options": {}
    },
    "seeds": []
  },
  "seed": 42,
  "scores": {
    "before": {
      "exact_match": 0.0,
      "f1": 0.002381
    },
    "after": {
      "exact_match": 0.714286,
      "f1": 0.802381
    }
  },
  "data": {
    "train.jsonl": "aa",
    "validation.jsonl": "bb"
  }
}
"""
DETAILS_1 = """{
  "before": {"published_exact_match": 0.0, "published_f1": 0.0, "clean_exact_match": null,
    "clean_f1": null},
  "after": {"published_exact_match": 0.5, "published_f1": 0.6, "clean_exact_match": null,
    "clean_f1": null},
  "questions": 63,
  "clean_questions": 0,
  "windowed_questions": 0,
  "windows": 63
}
"""


def test_answers_of_version_1_are_read(in_folder: Path) -> None:
    """The fine-tuned model's, which a row held beside the untouched base's."""
    path = Path("x.jsonl")
    path.write_text(PREDICTIONS_1, encoding="utf-8")
    first, second = AnsweredQuestion.read_lines(path)
    assert first == AnsweredQuestion(
        version=2,
        id="dev-1-0",
        title="Programa Aurora",
        context="5a2b9c",
        question="Quem dirige o programa Aurora?",
        references=("Ana Prado", "por Ana Prado"),
        windows=2,
        leaked=True,
        answer="Ana Prado",
        exact_match=1.0,
        f1=1.0,
    )
    assert (second.answer, second.exact_match, second.f1) == ("Belém", 0.0, 0.666667)
    # and written as this version writes them
    AnsweredQuestion.write_lines(path, [first, second])
    assert path.read_text(encoding="utf-8").startswith('{"version": 2, "id": "dev-1-0", ')
    assert "before" not in path.read_text(encoding="utf-8")
    assert AnsweredQuestion.read_lines(path) == [first, second]


def test_a_training_of_version_1_is_read(in_folder: Path) -> None:
    """It kept no mean loss; an adapter from before runs had names has none."""
    path = Path("training.json")
    path.write_text(TRAINING_1, encoding="utf-8")
    found = TrainingRecord.read(path)
    assert (found.questions, found.shortened, found.run) == (768, 3, "0123456789abcdef")
    content = json.loads(TRAINING_1)
    assert found.mean_loss is None
    # a run's name was a hash of its settings then
    assert found.settings == found.run
    assert content.items() <= json.loads(found.to_text()).items()
    del content["run"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert TrainingRecord.read(path).run == ""


def test_a_model_of_version_1_is_read(in_folder: Path) -> None:
    """How it is loaded is taken out of its training's settings, which stay for the record."""
    path = Path("models/production/model.json")
    path.parent.mkdir(parents=True)
    path.write_text(MODEL_1, encoding="utf-8")
    found = read_description(path.parent)
    assert found.loading == Loading(
        method="lora", quantization="8bit", precision="auto", max_length=512
    )
    assert (found.candidate, found.seed, found.window_overlap) == ("gpt2-mini", 42, 0.25)
    assert found.prompt.template.endswith("Resposta:")
    assert found.base.pin.as_json() == {
        "base_model": "demo/bases/gpt2-mini",
        "sha256": "5f0c6b8e",
    }
    assert found.before == Scores(exact_match=0.0, f1=0.002381)
    assert found.after == Scores(exact_match=0.714286, f1=0.802381)
    assert found.train["lora"] == {
        "r": 8,
        "alpha": 16,
        "dropout": 0.1,
        "target_modules": "auto",
        "options": {},
    }
    assert found.data == {"train.jsonl": "aa", "validation.jsonl": "bb"}
    found.write(path)
    assert read_description(path.parent) == found


@pytest.mark.parametrize("key", ["scores", "train", "prompt", "base", "candidate"])
def test_a_model_of_version_1_that_lacks_something_is_refused(in_folder: Path, key: str) -> None:
    """In one line that says how to get the file back."""
    content = json.loads(MODEL_1)
    del content[key]
    path = Path("model.json")
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BaseModelError, match=rf"^model\.json: .*{key}.*dvc checkout") as error:
        read_description(Path())
    assert "\n" not in str(error.value)


def test_details_of_version_1_are_refused(in_folder: Path) -> None:
    """They lack the costs that the choice rests on: the exam is to be made again."""
    path = Path("metrics/details/x.json")
    path.parent.mkdir(parents=True)
    path.write_text(DETAILS_1, encoding="utf-8")
    assert "cannot be read as a file of version 1" in refused(ExamDetails, path)


def test_costs_of_version_1_tell_of_no_run(in_folder: Path) -> None:
    """They named none, so that nothing says whose they are."""
    path = Path("metrics/costs.json")
    path.parent.mkdir(parents=True)
    path.write_text('{"gpt2-tiny": {"train": {"seconds": 9.9}}}', encoding="utf-8")
    assert Costs.read(path).candidates == {}
