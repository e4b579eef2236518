"""`vestibular init` writes settings for a dataset of one's own."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.commands import ROOT
from tests.support.settings import change
from vestibular.commands.cli import main
from vestibular.commands.first_settings import schedule, tokens
from vestibular.core.errors import BaseModelError
from vestibular.core.settings import PromptSettings
from vestibular.params.project import Params, load_params
from vestibular.training import schedule as training_schedule

OPTIONS = ("--source", "data/mine", "--language", "de", "--candidate", "models/bases/gpt2-tiny")


def rows(documents: int = 15) -> list[dict[str, str]]:
    return [
        {
            "Kontext": f"Das Haus {document} baute Jörg Müller {number}; es steht in Köln.",
            "Frage": f"Wer baute Haus {document} ({number})?",
            "Antworten": json.dumps([f"Jörg Müller {number}", "Jörg"], ensure_ascii=False),
            "Titel": f"Haus {document}",
        }
        for document in range(documents)
        for number in range(4)
    ]


def write_csv(path: Path, content: list[dict[str, str]], delimiter: str = ";") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(content[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(content)


@pytest.fixture
def mine(in_folder: Path) -> Path:
    """A project's folder with sixty questions and a base model."""
    write_csv(in_folder / "data/mine/fragen.csv", rows())
    (in_folder / "models").mkdir()
    shutil.copytree(ROOT / "demo/bases", in_folder / "models/bases")
    return in_folder


def init(monkeypatch: pytest.MonkeyPatch, *options: str, typed: str | None = None) -> None:
    """Run the command; with `typed`, in a terminal at which that is typed."""
    stream = io.StringIO(typed or "")
    monkeypatch.setattr(stream, "isatty", lambda: typed is not None)
    monkeypatch.setattr("sys.stdin", stream)
    monkeypatch.setattr("sys.argv", ["vestibular", "init", *options])
    main()


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str
) -> str:
    """One message, and nothing else; status 2."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        init(monkeypatch, *options)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_sixty_questions_get_settings_that_fit_them(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Delimiter and columns are found; prompt, articles and schedule are chosen; all is valid."""
    init(monkeypatch, *OPTIONS, "--candidate", "big=models/bases/gpt2-mini")
    params = load_params()
    assert params.data.columns is not None
    assert params.data.columns.model_dump(exclude_none=True) == {
        "context": "Kontext",
        "question": "Frage",
        "answers": "Antworten",
        "title": "Titel",
    }
    assert (params.data.format, params.data.train) == ("csv", "fragen.csv")
    assert (params.data.language, params.evaluate.articles) == ("de", "de")
    assert "### Frage:" in params.prompt.template
    assert PromptSettings.model_validate(params.prompt.model_dump())
    train = params.train
    # 48 questions are learned
    assert (train.batch_size, train.epochs, train.warmup_steps) == (4, 10, 7)
    assert list(params.candidates) == ["gpt2-tiny", "big"]
    assert params.bases == "models/bases"
    printed = capsys.readouterr().out
    assert "train: 48 questions, 48 contexts, 12 documents; 0 left out" in printed
    assert "`vestibular plan`, `dvc repro`" in printed
    text = Path("params.yaml").read_text(encoding="utf-8")
    assert "Only 3 documents are in the exam" in text
    assert text.count("#") > 20


@given(st.integers(1, 200_000))
def test_no_schedule_is_warned_of(questions: int) -> None:
    """Whatever the number of questions; the steps are multiples as the settings ask."""
    chosen = schedule(questions)
    train = load_params(ROOT / "params.yaml").train
    settings = type(train).model_validate(
        {
            **train.model_dump(),
            "epochs": chosen.epochs,
            "batch_size": chosen.batch_size,
            "warmup_steps": chosen.warmup_steps,
            "logging_steps": chosen.logging_steps,
            "validation_steps": chosen.validation_steps,
            "checkpoint_steps": chosen.validation_steps,
        }
    )
    assert training_schedule.warnings(settings, questions) == []


def test_every_format_is_looked_at(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name's end; a file to examine on is found by its name."""
    table = [{**row, "Antworten": json.loads(row["Antworten"])} for row in rows()]
    for kind in ("jsonl", "parquet", "squad"):
        folder = mine / f"data/{kind}"
        folder.mkdir()
        for name, part in (("train", table[:40]), ("dev", table[40:])):
            if kind == "jsonl":
                text = "\n".join(map(json.dumps, part))
                (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
            elif kind == "parquet":
                pyarrow.parquet.write_table(
                    pyarrow.Table.from_pylist(part), folder / f"{name}.parquet"
                )
            else:
                shutil.copy(ROOT / f"demo/data/{name}.json", folder)
        init(monkeypatch, "--source", f"data/{kind}", "--candidate", "models/bases/gpt2-tiny")
        data = load_params().data
        assert (data.format, data.validation_size) == (kind, None)
        assert Path(data.train).stem == "train"
        assert Path(str(data.validation)).stem == "dev"


def test_in_a_terminal_what_is_missing_is_asked(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Folder, language and base models, one line each."""
    typed = "data/mine\nno\nmodels/bases/gpt2-tiny models/bases/opt-tiny\n"
    init(monkeypatch, typed=typed)
    params = load_params()
    # Norwegian, which YAML takes for false without quotes
    assert (params.data.language, params.evaluate.articles) == ("no", "no")
    assert list(params.candidates) == ["gpt2-tiny", "opt-tiny"]


def test_a_language_that_is_not_known_is_said_to_be_none(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Articles count then, and the prompt is English."""
    init(monkeypatch, *OPTIONS[:2], "--language", "ca", *OPTIONS[4:])
    params = load_params()
    assert (params.data.language, params.evaluate.articles) == ("ca", "none")
    assert "### Question:" in params.prompt.template
    said = capsys.readouterr().out
    assert "data.language: ca: the articles and question words of this language are not" in said


def test_a_model_of_the_hub_is_to_be_pinned(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its name is the id's last part; nothing is asked of the hub."""
    init(monkeypatch, *OPTIONS, "--candidate", "openai-community/gpt2")
    assert load_params().candidates["gpt2"].base_model == "openai-community/gpt2"
    assert "`vestibular pin`, `vestibular fetch`, `vestibular plan`" in capsys.readouterr().out


def test_settings_of_somebody_elses_are_not_overwritten(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own are made again, unless they were edited; by force the old ones are kept aside."""
    params = mine / "params.yaml"
    shutil.copy(ROOT / "params.yaml", params)
    before = params.read_bytes()
    message = refusal(monkeypatch, capsys, *OPTIONS)
    assert message == (
        "params.yaml: was not written by init, or was edited since; --force replaces it, and keeps "
        "a copy as .vestibular/params.yaml.replaced\n"
    )
    assert params.read_bytes() == before
    with pytest.raises(SystemExit):
        init(monkeypatch, *OPTIONS, typed="\n")
    assert params.read_bytes() == before
    init(monkeypatch, *OPTIONS, "--force")
    assert (mine / ".vestibular/params.yaml.replaced").read_bytes() == before
    init(monkeypatch, *OPTIONS[:2], *OPTIONS[4:])
    change(mine, {"seed": 43})
    edited = params.read_text(encoding="utf-8")
    refusal(monkeypatch, capsys, *OPTIONS)
    assert params.read_text(encoding="utf-8") == edited
    init(monkeypatch, *OPTIONS, typed="yes\n")
    assert load_params().seed == 42


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--source is needed; `vestibular init --help` says more"),
        (("--source", "data/other"), "data/other: no such folder"),
        (("--source", "models"), "models: contains no file of questions (.json, .jsonl, .csv"),
        ((*OPTIONS[:4],), "--candidate is needed"),
        ((*OPTIONS, "--language", "German"), "--language German: must be an ISO 639 code"),
        ((*OPTIONS, "--question-column", "Q"), "--question-column Q: there is no such column"),
        ((*OPTIONS, "--train", "no.csv"), "data/mine/no.csv: not found"),
        ((*OPTIONS, "--candidate", "gpt2-tiny=x/y"), "the name gpt2-tiny is used twice"),
        ((*OPTIONS, "--candidate", "a.b=x/y"), "a name may contain letters"),
        ((*OPTIONS, "--candidate", "odd=data/mine"), "data/mine"),
        ((*OPTIONS, "--candidate", "other/bases/gpt2-mini"), "are in several folders"),
    ],
)
def test_what_cannot_be_is_one_message(
    mine: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    """Status 2, and no file is written."""
    shutil.copytree(mine / "models/bases", mine / "other/bases")
    assert message in refusal(monkeypatch, capsys, *options)
    assert not (mine / "params.yaml").exists()


def test_columns_and_files_that_are_not_clear_are_asked_for(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the option to write, which is then enough."""
    renamed = [{f"x{key}" if key != "Frage" else key: row[key] for key in row} for row in rows()]
    write_csv(mine / "data/mine/fragen.csv", renamed, ",")
    message = refusal(monkeypatch, capsys, *OPTIONS)
    assert "which columns hold the context and the answers? It has xKontext, Frage" in message
    columns = ("--context-column", "xKontext", "--answers-column", "xAntworten")
    assert columns[0] in message
    init(monkeypatch, *OPTIONS, *columns)
    write_csv(mine / "data/mine/mehr.csv", [*renamed, {**renamed[0], "Frage": "Wer?"}])
    message = refusal(monkeypatch, capsys, *OPTIONS)
    assert "contains several files (fragen.csv, mehr.csv); name the training file" in message
    init(monkeypatch, *OPTIONS, "--train", "mehr.csv", "--validation", "fragen.csv", *columns)


def test_questions_without_an_answer_ask_for_what_to_say(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the option, in one line; then it is among the settings."""
    marked = [
        {**row, "is_impossible": "true" if place % 3 else ""} for place, row in enumerate(rows())
    ]
    write_csv(mine / "data/mine/fragen.csv", marked)
    message = refusal(monkeypatch, capsys, *OPTIONS)
    assert "questions are marked as impossible to answer; use --unanswerable" in message
    assert message.count("\n") == 1
    init(monkeypatch, *OPTIONS, "--unanswerable", "keine Antwort")
    assert load_params().data.unanswerable == "keine Antwort"
    # in a terminal it is asked
    Path("params.yaml").unlink()
    init(monkeypatch, *OPTIONS, typed="unbekannt\n")
    assert load_params().data.unanswerable == "unbekannt"


def test_columns_that_are_left_out_are_said(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the option that names them, should one hold the title or the offsets."""
    named = [
        {("Stelle" if key == "Titel" else key): cell for key, cell in row.items()} for row in rows()
    ]
    write_csv(mine / "data/mine/fragen.csv", named)
    init(monkeypatch, *OPTIONS)
    printed = capsys.readouterr().out
    assert "unused columns: Stelle. To use one of them: --answer-start-column NAME, " in printed
    assert "--title-column NAME" in printed
    init(monkeypatch, *OPTIONS, "--title-column", "Stelle")
    assert "unused" not in capsys.readouterr().out


def test_a_stated_format_takes_files_of_another_ending(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON Lines are often called `.json`; a file with the format's own ending comes first."""
    (mine / "data/mine/fragen.csv").unlink()
    lines = "\n".join(json.dumps(row) for row in rows())
    (mine / "data/mine/fragen.json").write_text(lines, encoding="utf-8")
    init(monkeypatch, *OPTIONS, "--format", "jsonl")
    assert (load_params().data.format, load_params().data.train) == ("jsonl", "fragen.json")
    (mine / "data/mine/mehr.jsonl").write_text(lines, encoding="utf-8")
    init(monkeypatch, *OPTIONS, "--format", "jsonl")
    assert load_params().data.train == "mehr.jsonl"


@pytest.mark.parametrize("base", ["models/bases/gpt2-tinny", "models/none", "/nowhere/at/all"])
def test_a_folder_that_is_not_there_is_no_name_of_the_hub(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], base: str
) -> None:
    """It would be asked of the hub, minutes later; an organization's model is taken."""
    message = refusal(monkeypatch, capsys, *OPTIONS, "--candidate", f"mine={base}")
    assert f"mine={base}: there is no such folder" in message
    assert not Path("params.yaml").exists()
    init(monkeypatch, *OPTIONS, "--candidate", "openai-community/gpt2")
    assert load_params().candidate("gpt2").base_model == "openai-community/gpt2"


def test_what_is_odd_is_shown_by_its_kind(
    mine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An annotation tool's export: ids that are numbers, an offset that is off, no title."""
    (mine / "data/mine/fragen.csv").unlink()
    exported = []
    for number in range(12):
        context = f"Most {number} w Tczewie ma {number + 80} metrów."
        answer = {"answer_id": number, "text": f"{number + 80} metrów", "answer_category": None}
        answer["answer_start"] = context.index(str(answer["text"])) + (number == 5)
        asked = {"id": 4000 + number, "question": f"Ile ma most {number}?", "answers": [answer]}
        asked["is_impossible"] = number == 7
        if number == 7:
            asked["answers"] = []
        paragraph = {"context": context, "document_id": number, "qas": [asked]}
        exported.append({"document_id": number, "paragraphs": [paragraph]})
    (mine / "data/mine/answers.json").write_text(json.dumps({"data": exported}), encoding="utf-8")
    options = ("--source", "data/mine", "--language", "pl", *OPTIONS[4:])
    message = refusal(monkeypatch, capsys, *options)
    assert message.startswith("data/mine: 1 question is marked as impossible to answer; use")
    init(monkeypatch, *options, "--unanswerable", "brak")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert any(
        re.match("id as number converted 12 data/mine/answers.json: data", one) for one in lines
    )
    assert any(
        re.match("wrong answer start mended 1 data/mine/answers.json: data", one) for one in lines
    )
    assert "After `dvc repro`, `vestibular data` shows every row." in lines


def test_all_settings_are_written(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is left to a default that the file does not show, but where else data may be."""
    init(monkeypatch, *OPTIONS)
    written = load_params()
    assert isinstance(written, Params)
    # a validation file is what it lacks, since a part is held out
    left = {"validation", "sha256", "urls", "hub"}
    unset = set(type(written.data).model_fields) - written.data.model_fields_set
    assert unset == left


@pytest.mark.slow
def test_the_longest_texts_are_counted_by_the_bases_tokenizers(tmp_path: Path) -> None:
    """By whichever takes most; a base without one here is estimated; a broken one is named."""
    from transformers import AutoTokenizer

    texts = ["Das Haus 7 baute Jörg Müller; es steht in Köln.", "Jörg"]
    local = {name: str(ROOT / "demo/bases" / name) for name in ("gpt2-tiny", "opt-tiny")}
    theirs = [AutoTokenizer.from_pretrained(base) for base in local.values()]
    assert tokens(texts, local) == [
        max(len(each.encode(text, add_special_tokens=False)) for each in theirs) for text in texts
    ]
    assert tokens(texts, {"far": "openai-community/gpt2"}) == [19, 2]
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(BaseModelError, match=r"tokenizer\.json: cannot be read as a tokenizer"):
        tokens(texts, {"broken": str(tmp_path)})
