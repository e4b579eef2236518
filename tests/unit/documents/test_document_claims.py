"""What the pages say of the code and its commands is so."""

import ast
import re
import shlex
from argparse import ArgumentParser, _SubParsersAction
from pathlib import Path

import pytest
import yaml

from tests.support.commands import ROOT
from vestibular.commands.cli import parser
from vestibular.core import errors
from vestibular.core.errors import VestibularError
from vestibular.params.project import load_params

PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "_build" not in path.parts
)
OTHER_FILES = ("new-stage.md", "CHANGELOG.md")
"""Pages that name files which are to be made, or were there once."""
PATH = re.compile(r"(src|stages|bench|docs|tests|params|demo|\.ci|\.github)/[\w./-]+")
MODULE = re.compile(r"[\w./-]+\.(py|jinja)")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
BLOCK = re.compile(r"^ *```(?:text)?\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)
QUOTED = re.compile(r"`([^`\n]+)`")


def commands(text: str, program: str) -> list[list[str]]:
    """The words of each command of a program that a page tells to type, in a block or a line."""
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    found = []
    for line in [*lines, *QUOTED.findall(text)]:
        for part in re.split(r"&&|\|", line.split("  #")[0]):
            words = part.strip().removeprefix("HF_HUB_OFFLINE=1 ")
            if words.startswith(f"{program} "):
                try:
                    found.append(shlex.split(words)[1:])
                except ValueError:
                    found.append(words.split()[1:])
    return found


def all_commands(program: str) -> list[tuple[str, list[str]]]:
    """The same of all pages."""
    return [
        (str(page.relative_to(ROOT)), words)
        for page in PAGES
        for words in commands(page.read_text(encoding="utf-8"), program)
    ]


def follow(top: ArgumentParser, words: list[str]) -> tuple[ArgumentParser, list[str]]:
    """The parser of the command that words name, and the words behind it."""
    for action in top._actions:
        if isinstance(action, _SubParsersAction) and words:
            assert words[0] in action.choices, words
            return follow(action.choices[words[0]], words[1:])
    return top, words


def test_commands_of_the_library_exist_with_their_options() -> None:
    """`vestibular` and all that pages write behind it."""
    found = all_commands("vestibular")
    assert len(found) > 50
    for page, words in found:
        if words[0].startswith("-"):
            continue
        command, rest = follow(parser(), words)
        if command.prefix_chars == "\0":
            # a program of its own
            from neptune_server.command import parser as server

            command = server()
        known = {option for action in command._actions for option in action.option_strings}
        options = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert options <= known, (page, words)


def test_targets_of_make_exist() -> None:
    """`make TARGET`."""
    found = all_commands("make")
    assert len(found) > 10
    for page, words in found:
        assert words[0] in TARGETS or "=" in words[0], (page, words)


def test_stages_exist_with_their_candidates() -> None:
    """`dvc repro STAGE@NAME`: of the demo's or of FaQuAD's candidates."""
    candidates = set(load_params(ROOT / "params.yaml").candidates)
    candidates |= set(load_params(ROOT / "params/faquad.yaml").candidates)
    for page, words in all_commands("dvc"):
        if words[0] != "repro":
            continue
        for word in words[1:]:
            stage, at, name = word.partition("@")
            if at:
                assert stage in STAGES, (page, words)
                assert any(name.startswith(each) for each in candidates), (page, words)


def test_settings_that_are_set_are_settings() -> None:
    """`dvc exp run -S KEY=VALUE` names what is in params.yaml; with `+` a candidate's own."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    asked = 0
    for page, words in all_commands("dvc"):
        for place, word in enumerate(words[:-1]):
            if word not in ("-S", "--set-param"):
                continue
            asked += 1
            key = words[place + 1].split("=")[0]
            value = content
            for part in key.lstrip("~+").split("."):
                if key.startswith("+") and part not in value:
                    assert part in content["train"], (page, words)
                    break
                assert part in value, (page, words)
                value = value[part]
    assert asked > 5


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page: Path) -> None:
    """Paths of the source, quoted as code: from the top, within a package, or a module's name."""
    named = QUOTED.findall(page.read_text(encoding="utf-8")) if page.name not in OTHER_FILES else []
    missing = [each for each in named if PATH.fullmatch(each) and not (ROOT / each).exists()]
    modules = [each for each in named if MODULE.fullmatch(each) and not (ROOT / each).exists()]
    missing += [each for each in modules if not PATH.fullmatch(each) and not is_module(each)]
    assert missing == []


def is_module(path: str) -> bool:
    """Whether a module ends with this path, below the folder of the sources or the benches."""
    return any(
        found.as_posix().endswith(f"/{path}")
        for folder in ("src", "stages", "bench", "tests")
        for found in (ROOT / folder).rglob(Path(path).name)
    )


def test_every_error_is_explained() -> None:
    """Each class of error that ends a command is on the page about troubles."""
    text = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    bases = {
        name
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, VestibularError)
    }
    # a package's own kinds, whose base is the common one
    named = bases - {"VestibularError"}
    for path in (ROOT / "src/vestibular").rglob("*.py"):
        named |= set(re.findall(r"^class (\w+)\(VestibularError\):", path.read_text("utf-8"), re.M))
    assert len(named) > 5
    assert [name for name in sorted(named) if f"{name}\n" not in text] == []


def test_the_readme_is_short() -> None:
    """It is read before anything else is decided."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 180


def test_the_readme_shows_the_last_run_of_the_demo() -> None:
    """The same table and sentence that `vestibular leaderboard` prints."""
    from vestibular.selection.leaderboard import Leaderboard, as_text

    board = Leaderboard.read(ROOT / "metrics/leaderboard.json")
    for page in ("README.md", "docs/tutorial/demo.md"):
        assert as_text(board) in (ROOT / page).read_text(encoding="utf-8")
    assert f"{board.reason}." in (ROOT / "README.md").read_text(encoding="utf-8")


def test_python_on_the_pages_is_python() -> None:
    """What is to be copied can be read by the language."""
    for page in PAGES:
        for block in re.findall(
            r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
        ):
            width = len(block) - len(block.lstrip(" "))
            ast.parse("\n".join(line[width:] for line in block.splitlines()))
