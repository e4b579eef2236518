"""What the site makes from code names all of it, in the code's own words."""

import inspect
import sys
from collections.abc import Iterator

import yaml
from pydantic import BaseModel, ConfigDict

from tests.support.commands import ROOT
from vestibular.core.settings import Settings
from vestibular.params.project import Params

sys.path.insert(0, str(ROOT / "docs"))

from extensions import (
    commands_reference,
    diagrams,
    files_reference,
    packages_table,
    settings_reference,
)
from extensions import project as own_files
from extensions.schemas import docstrings


def keys(values: object, place: str = "") -> Iterator[str]:
    """The dotted keys of a settings file."""
    if not isinstance(values, dict) or not values:
        yield place
        return
    for name, value in values.items():
        yield from keys(value, f"{place}.{name}" if place else str(name))


def test_every_setting_of_the_demo_has_an_entry() -> None:
    """Each key of params.yaml, a candidate's under any name."""
    text = settings_reference.as_markdown()
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    candidates = content.pop("candidates")
    content["candidates"] = {"<name>": next(iter(candidates.values()))}
    for key in keys(content):
        # a group without any setting of its own has a heading
        assert f"```{{confval}} {key}\n" in text or f"# {key}\n" in text, key


def groups(model: type[BaseModel]) -> set[type[BaseModel]]:
    """All groups of settings, those of one candidate's stages left out."""
    return {each for one in model.__subclasses__() for each in ({one} | groups(one))}


class Described(BaseModel):
    """A group whose fields pydantic itself describes."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    first: int
    """One line."""
    plain: int
    second: str = "x"
    """Two lines,
    of which the second is indented."""


class Inherited(Described):
    """One that redefines a field."""

    first: int = 1
    """Another line."""


def test_docstrings_are_read_as_pydantic_reads_them() -> None:
    """Of a group's own fields and of those that it inherits."""
    for group in (Described, Inherited):
        theirs = {name: field.description for name, field in group.model_fields.items()}
        assert dict(docstrings(group)) == {name: said for name, said in theirs.items() if said}
    assert dict(docstrings(Inherited))["first"] == "Another line."


def test_every_docstring_of_a_setting_is_there() -> None:
    """As it stands in the code, for all that params.yaml may hold."""
    text = " ".join(settings_reference.as_markdown().split())
    named = set(Params.model_json_schema()["$defs"])
    seen = 0
    for group in groups(Settings):
        if group.__name__ not in named or group.__name__ == "Candidate":
            continue
        said = dict(docstrings(group))
        assert set(said) <= set(group.model_fields)
        for name, words in said.items():
            assert " ".join(words.split()) in text, (group.__name__, name)
            seen += 1
    assert seen > 50


def test_ranges_are_said() -> None:
    """As they are checked."""
    text = settings_reference.as_markdown()
    assert ":type: number (at least 0, below 1)" in text.split("confval} train.lora.dropout")[1]
    assert ":type: `lora` or `full`" in text.split("confval} train.method")[1]
    assert ":default: none" in text.split("confval} candidates.<name>.revision")[1]


def test_every_file_format_has_a_section() -> None:
    """Each format that the source defines, by its fields' docstrings."""
    text = files_reference.as_markdown()
    defined = {
        line.split("(")[0].removeprefix("class ")
        for path in (ROOT / "src/vestibular").rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("class ") and line.endswith("(FileFormat):")
    }
    internal = {"Counted"}
    assert len(defined) > 10
    for name in defined - internal:
        assert f": `{name}` in `" in text, name
    assert "| `answer` | text | The model's answer. |" in text
    assert "| `title` | text | Document of the context; empty if the source names none. |" in text


def test_every_command_has_its_help() -> None:
    """With the options of the server, which is a program of its own."""
    text = commands_reference.as_markdown()
    for name in ("answer", "registry promote", "mirror", "neptune-server"):
        assert f"## vestibular {name}\n" in text
    assert "--call-seconds" in text
    assert "--new-token" in text


def test_the_packages_are_the_contracts() -> None:
    """Each package of the library stands in the contract, in the table and in the picture."""
    packages = {path.parent.name for path in (ROOT / "src/vestibular").glob("*/__init__.py")}
    assert {name for line in own_files.layers() for name in line} == packages
    table, picture = packages_table.as_markdown(), diagrams.import_layers()
    for name in packages:
        assert f"| `{name}` |" in table
        assert f">{name}</text>" in picture


def test_the_stages_are_joined_by_what_they_write_and_read() -> None:
    """As `dvc dag --collapse-foreach-matrix` shows them."""
    assert set(own_files.edges()) >= {
        ("prepare", "train"),
        ("train", "evaluate"),
        ("evaluate_base", "evaluate"),
        ("train_repeat", "evaluate_repeat"),
        ("evaluate", "select"),
    }
    assert not any(writer == "select" for writer, _ in own_files.edges())
    picture = diagrams.stage_graph()
    for name in own_files.stages():
        assert f">{name}</text>" in picture
    # a blank line would end it for Markdown
    assert "\n\n" not in picture.strip()


def test_an_edit_of_the_report_runs_select_again_alone() -> None:
    """The table's last column is the graph's."""
    (row,) = [line for line in packages_table.as_markdown().splitlines() if "| `report` |" in line]
    assert row.endswith("| `select` |")
    assert inspect.cleandoc(own_files.first_sentence("report")) in row
