"""`vestibular data` shows what was found in the data, and where."""

from pathlib import Path

import pytest

from vestibular.commands.cli import main
from vestibular.core.data_audit import AuditRow

DOUBLED = [
    AuditRow(
        split="train",
        kind="duplicate_question",
        action="kept",
        file="data/mine/train.csv",
        row=row,
        line=row + 1,
        found=f"Quem dirige\n o programa {row}?" + " sim" * 40,
        done="learned twice",
    )
    for row in (3, 7)
]
MOVED = AuditRow(
    split=None,
    kind="offset",
    action="mended",
    file="data/mine/dev.json",
    place="data[0].paragraphs[2].qas[1].answers[0]",
    found="007",
    done="moved to 19",
)


def data(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr("sys.argv", ["vestibular", "data", *options])
    main()


@pytest.fixture
def audited(in_folder: Path) -> Path:
    """A folder whose data has been audited."""
    path = Path("data/audit.jsonl")
    AuditRow.write_lines(path, [*DOUBLED, MOVED])
    return path


def test_a_line_a_kind_says_how_many_and_where_first(
    audited: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was found, what became of it, and how to see the rest."""
    data(monkeypatch)
    _, doubled, moved, _, rest = capsys.readouterr().out.splitlines()
    assert " ".join(doubled.split()) == (
        "duplicate question kept 2 data/mine/train.csv: line 4: row 3 learned twice"
    )
    assert moved.split()[:3] == ["offset", "mended", "1"]
    assert "data/mine/dev.json: data[0].paragraphs[2].qas[1].answers[0]" in moved
    assert "vestibular data --kind KIND" in rest


def test_every_row_of_a_kind_is_one_line(
    audited: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut where it is long, quoted as it stands; an unknown kind is named with those there are."""
    data(monkeypatch, "--kind", "duplicate question")
    _, first, second = capsys.readouterr().out.splitlines()
    assert "line 4: row 3" in first
    assert "Quem dirige o programa 3?" in first
    assert "…" in second
    data(monkeypatch, "--all")
    assert "  007  " in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        data(monkeypatch, "--kind", "leak")
    assert ended.value.code == 2
    assert "no rows of kind leak (duplicate_question, offset)" in capsys.readouterr().err


def test_a_refusal_is_shown_until_prepare_goes_through(
    audited: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is newer than the audit; without either, what to do is said."""
    refused = Path(".vestibular/refused_data.jsonl")
    row = MOVED.model_copy(update={"action": "refused", "done": "refused: no number"})
    AuditRow.write_lines(refused, [row])
    data(monkeypatch)
    assert "refused: no number" in capsys.readouterr().out
    refused.unlink()
    audited.write_text("", encoding="utf-8")
    data(monkeypatch)
    assert capsys.readouterr().out == "Every row was read as it is.\n"
    audited.unlink()
    with pytest.raises(SystemExit):
        data(monkeypatch)
    assert "dvc repro prepare" in capsys.readouterr().err
