"""The command line and the light ends of the stages."""

import json
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT, environment, run
from tests.support.patience import FOREVER
from tests.support.settings import change
from vestibular.commands.cli import main, parser

HEAVY = ("torch", "transformers", "peft", "datasets", "evaluate", "dvc", "neptune", "gto", "mlflow")


@pytest.mark.parametrize(
    "code",
    [
        "from vestibular.commands.cli import main, parser; parser().format_help()",
        "import stages.select",
        "import stages.prepare",
        "import stages.train",
        "import stages.evaluate",
        "import stages.evaluate_base",
    ],
)
def test_light_commands_import_nothing_heavy(code: str) -> None:
    """Help, errors and `select` start without torch and its friends."""
    check = f"import sys; {code}; print([name for name in {HEAVY} if name in sys.modules])"
    assert run(ROOT, sys.executable, "-c", check).stdout == "[]\n"


@pytest.mark.parametrize("command", [[], ["neptune-server"]], ids=str)
def test_the_commands_program_explains_itself(command: list[str]) -> None:
    """`--help` of the program, and of the one that it becomes."""
    said = run(ROOT, sys.executable, "-m", "vestibular", *command, "--help").stdout
    assert " ".join(["usage: vestibular", *command]) in said


@pytest.mark.parametrize("command", [[], ["registry"]], ids=str)
def test_a_program_without_a_command_prints_its_help(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever types the name alone asks what there is, and that is no fault."""
    monkeypatch.setattr("sys.argv", ["vestibular", *command])
    main()
    said = capsys.readouterr()
    assert said.out.startswith(" ".join(["usage: vestibular", *command]))
    assert ("promote" if command else "leaderboard") in said.out
    assert said.err == ""


def test_the_leaderboard_ends_with_the_report(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So `make demo` does; where no report was made, none is named."""
    board = {"version": 2, "promoted": False, "winner": None, "reason": "r", "notes": []}
    board |= {"candidates": {}, "reference_points": {}}
    (in_folder / "metrics").mkdir()
    (in_folder / "metrics/leaderboard.json").write_text(json.dumps(board))
    monkeypatch.setattr("sys.argv", ["vestibular", "leaderboard"])
    main()
    assert "report" not in capsys.readouterr().out
    report = in_folder / "metrics/report.html"
    report.touch()
    main()
    assert capsys.readouterr().out.rstrip().endswith(report.as_uri())


def test_the_report_is_found_without_drawing_it() -> None:
    """`vestibular report` reads the page, and does not import what draws its charts."""
    check = "import sys, vestibular.report.page; print('vl_convert' in sys.modules)"
    assert run(ROOT, sys.executable, "-c", check).stdout == "False\n"


@pytest.mark.parametrize(
    "command",
    [
        *("answer", "compare", "fetch", "leaderboard", "mirror", "pin", "plan", "registry"),
        *("registry download", "registry history", "registry list", "registry promote"),
        *("registry register", "registry rollback", "report", "verify"),
    ],
)
def test_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself in a sentence or more."""
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*command.split(), "--help"])
    assert ended.value.code == 0
    usage, _, explanation = capsys.readouterr().out.partition("\n\n")
    assert usage.startswith(f"usage: vestibular {command} ")
    assert explanation.split("\n\n")[0].endswith(".")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["vestibular", "answer", "--context", "absent.txt", "Quem?"], "absent.txt: no such file"),
        (["vestibular", "answer", "--context", "empty.txt", "Quem?"], "empty.txt: is empty"),
        (["vestibular", "answer", "--context", "mark.txt", "Quem?"], "mark.txt: is empty"),
        (["vestibular", "answer", "--context", "-", " "], "the question is empty"),
        (["vestibular", "answer", "--context", "-", "\ufeff\u200b"], "the question is empty"),
        (["vestibular", "answer", "--context", "latin.txt", "Quem?"], "latin.txt: not UTF-8"),
        (["vestibular", "answer", "--context", "-", "--model", "m", "Quem?"], "m/model.json"),
        (
            ["vestibular", "answer", "--context", "-", "--model", "no", "Q"],
            "no: contains no model: x",
        ),
        (["vestibular", "leaderboard"], "metrics/leaderboard.json: not found"),
        (["vestibular", "report"], "metrics/report.html: not found"),
        (["stages.prepare"], "demo/data/train.json: not found"),
        (["stages.train", "absent"], "candidates.absent: no such candidate"),
        (["stages.train", "opt-tiny"], "data/bases/opt-tiny.json: not found"),
        (["stages.evaluate", "absent"], "candidates.absent: no such candidate"),
        (["stages.evaluate_base", "absent"], "candidates.absent: no such candidate"),
        (["stages.evaluate_base", "opt-tiny"], "data/bases/opt-tiny.json: not found"),
        (["stages.train", "opt-tiny", "fold-1"], "data/repeats/fold-1.json: not found"),
        (["stages.select"], "models/adapters/gpt2-tiny/training.json: not found"),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, command: list[str], message: str
) -> None:
    """No traceback; the line says where, what, and mostly what to do."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    shutil.copytree(ROOT / "demo/bases", tmp_path / "demo/bases")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "mark.txt").write_text(" \n", encoding="utf-8-sig")
    (tmp_path / "no").mkdir()
    (tmp_path / "no/refusal.json").write_text('{"reason": "x"}', encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes("ação".encode("latin-1"))
    result = run(tmp_path, sys.executable, "-m", *command, status=2, text="Ana dirige.")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["stages.train"], "the following arguments are required: candidate"),
        (["stages.evaluate", "opt-tiny", "fold"], "fold: must be fold-N or seed-N"),
        (["stages.evaluate_base", "opt-tiny", "fold-1"], "unrecognized arguments: fold-1"),
    ],
    ids=" ".join,
)
def test_a_stage_shows_how_it_is_called(tmp_path: Path, command: list[str], message: str) -> None:
    """As every command does: its usage, the fault, exit status 2."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    result = run(tmp_path, sys.executable, "-m", *command, status=2)
    usage, fault = result.stderr.splitlines()
    assert usage.startswith(f"usage: python -m {command[0]} [-h] candidate")
    assert message in fault
    assert result.stdout == ""


LOCKED = """
import sys; from pathlib import Path
from vestibular.core.errors import exit_on_error
from vestibular.core.work_folder import exclusive_lock

@exit_on_error
def main() -> None:
    with exclusive_lock(Path("locks/x"), "the training of x", wait=sys.argv[1] == "wait"):
        print("in", flush=True)
        input()

main()
"""


def locked(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process that holds, or waits for, a lock."""
    return subprocess.Popen(
        [sys.executable, "-c", LOCKED, *arguments],
        cwd=folder,
        env={**environment(), "PYTHONPATH": str(ROOT / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_training_under_way_is_not_disturbed(tmp_path: Path) -> None:
    """A second process waits while the first lives, says for whom, and goes on when it ends."""
    first = locked(tmp_path, "wait")
    assert first.stdout is not None
    assert first.stdout.readline() == "in\n"
    second = locked(tmp_path, "wait")
    assert second.stderr is not None
    assert second.stdout is not None
    assert second.stderr.readline() == (
        f"the training of x is already running in process {first.pid}; waiting for it to "
        f"end (if it is left over from a killed run, end it with `kill {first.pid}`)\n"
    )
    # it has not been let in
    assert select.select([second.stdout], [], [], 1.0)[0] == []
    assert second.poll() is None
    first.communicate("\n", timeout=FOREVER)
    assert second.stdout.readline() == "in\n"
    # a third one is told of the second
    third = locked(tmp_path, "wait")
    assert third.stderr is not None
    assert third.stdout is not None
    assert f"already running in process {second.pid};" in third.stderr.readline()
    second.kill()
    second.communicate(timeout=FOREVER)
    assert third.stdout.readline() == "in\n"
    _, errors = third.communicate("\n", timeout=FOREVER)
    assert (third.returncode, errors) == (0, "")


def test_who_will_not_wait_is_refused(tmp_path: Path) -> None:
    """In one line and with exit status 2, and let in when the first is killed."""
    first = locked(tmp_path, "wait")
    assert first.stdout is not None
    assert first.stdout.readline() == "in\n"
    refused = locked(tmp_path, "no")
    said, errors = refused.communicate("\n", timeout=FOREVER)
    assert (refused.returncode, said) == (2, "")
    assert errors == (
        f"the training of x is already running in process {first.pid}; if it is left over from a "
        f"killed run, end it with `kill {first.pid}`\n"
    )
    first.kill()
    first.communicate(timeout=FOREVER)
    let_in = locked(tmp_path, "no")
    assert let_in.communicate("\n", timeout=FOREVER) == ("in\n", "")
    assert let_in.returncode == 0


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ("import no_such_package", "a package is missing: No module named 'no_such_package'"),
        ("raise ImportError('Wrapper requires the timm library')", "missing: Wrapper requires the"),
        ("import vestibular.no_such_module", "ModuleNotFoundError"),
        ("from json import no_such_name", "ImportError: cannot import name"),
    ],
)
def test_a_missing_package_is_one_line(tmp_path: Path, failure: str, said: str) -> None:
    """Unless it is one of ours, or lacks a name: those are defects, and keep their traceback."""
    script = (
        "from vestibular.core.errors import exit_on_error\n"
        f"@exit_on_error\ndef main():\n    {failure}\nmain()\n"
    )
    defect = "Error" in said
    result = run(tmp_path, sys.executable, "-c", script, status=1 if defect else 2)
    assert said in result.stderr
    assert ("Traceback" in result.stderr) == defect


def test_an_argument_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    """A terminal that writes Latin-1 sends bytes that nobody could print later."""
    command = (sys.executable, "-m", "vestibular", "answer", "--context", "-", b"quest\xe3o")
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, input="x"
    )
    assert result.returncode == 2
    assert result.stderr.startswith("quest\N{REPLACEMENT CHARACTER}o: not UTF-8; ")
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", b"x" * 5000, "is cut off or damaged"),
        ("tokenizer.json", b"{}", "the tokenizer cannot be loaded"),
        ("config.json", b"[]", "config.json: must be a JSON object"),
        ("config.json", "+layer", "the weights lack"),
    ],
)
def test_a_broken_base_is_refused_before_training(
    tmp_path: Path, name: str, content: bytes | str, message: str
) -> None:
    """Broken files, and weights that do not fill the model, end in one line."""
    for folder in ("stages", "demo/bases", "demo/data"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    path = tmp_path / "demo/bases/gpt2-tiny" / name
    if content == "+layer":
        text = path.read_text(encoding="utf-8")
        assert '"n_layer": 4' in text
        content = text.replace('"n_layer": 4', '"n_layer": 5').encode()
    assert isinstance(content, bytes)
    path.write_bytes(content)
    result = run(tmp_path, sys.executable, "-m", "stages.prepare", status=2)
    assert "demo/bases/gpt2-tiny" in result.stderr
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_mistake_in_one_candidates_adapter_is_refused_before_training(tmp_path: Path) -> None:
    """An option that peft has not, or that works on no such model, by the candidate's name."""
    for folder in ("stages", "demo/bases", "demo/data"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    adapters = {
        "gpt2-tiny": {"options": {"use_doraa": True}},
        "gpt2-mini": {"options": {"bias": "foo"}},
        "opt-tiny": {"target_modules": ["c_attn"]},
    }
    change(tmp_path, {f"candidates.{name}.lora": lora for name, lora in adapters.items()})
    said = run(tmp_path, sys.executable, "-m", "stages.prepare", status=2).stderr
    assert "params.yaml: candidates.gpt2-tiny: train.lora.options: use_doraa: peft's" in said
    assert "params.yaml: candidates.gpt2-mini: train.lora" in said
    assert "demo/bases/opt-tiny" in said
    assert "c_attn" in said
    assert "Traceback" not in said


def test_no_room_for_a_prompt_is_seen_before_training(tmp_path: Path) -> None:
    """Answers that may be longer than the model are refused in `prepare`."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    shutil.copytree(ROOT / "demo/bases", tmp_path / "demo/bases")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    change(tmp_path, {"evaluate.max_new_tokens": 9999})
    result = run(tmp_path, sys.executable, "-m", "stages.prepare", status=2)
    assert "evaluate.max_new_tokens: 9999 leaves no room" in result.stderr


def test_options_of_dvc_come_to_experiments_in_their_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example of the command's own help among them; other commands refuse what they lack."""
    given = ["--sort-by", "f1", "--sort-order", "desc", "-A"]
    came: list[list[str]] = []
    monkeypatch.setattr(
        "vestibular.commands.cli.run_experiments", lambda each: came.append(each.options)
    )
    monkeypatch.setattr("sys.argv", ["vestibular", "experiments", *given])
    main()
    assert came == [given]
    monkeypatch.setattr("sys.argv", ["vestibular", "leaderboard", "--sort-by", "f1"])
    with pytest.raises(SystemExit):
        main()
    assert "unrecognized arguments: --sort-by f1" in capsys.readouterr().err
