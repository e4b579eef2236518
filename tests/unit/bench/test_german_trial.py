"""Sixty questions of one's own, in German: what the user is told, and what is never chosen."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from bench.german_questions import questions, write_table
from bench.german_trial import DEMO_BASES, RANDOM, make_project
from tests.support.commands import ROOT, run
from vestibular.scoring.normalization import Normalization

SEEDS = 2


def test_the_questions_are_sound_but_for_four() -> None:
    """Fifteen short texts with four questions each, whose answers all stand in their text."""
    rows = questions(1)
    assert len(rows) == 60
    assert len({row.text for row in rows}) == 15
    assert all(answer in row.text for row in rows for answer in row.answers)
    assert any("ö" in row.text for row in rows)
    assert questions(1) == rows != questions(2)
    assert all(Normalization("squad", "de").text(row.answers[0]) for row in rows)


@pytest.mark.slow
def test_the_user_is_told_about_data_size_and_steps(tmp_path: Path) -> None:
    """With the demo's settings, as whoever writes the data's part alone; with `init`'s no more."""
    make_project(tmp_path, 1)
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    head, _, rest = text.partition("data:\n")
    _, _, tail = rest.partition("prompt:\n")
    data = (
        "data:\n  source: data/mine\n  format: csv\n  train: fragen.csv\n  validation_size: 0.2\n"
        "  columns: {context: Text, question: Frage, answers: Antworten, title: Titel}\n"
        "  unanswerable: null\n  leaks: report\n  language: de\n\nprompt:\n"
    )
    settings = (head + data + tail).replace("demo/bases", "models/bases")
    settings = settings.replace("models/bases/opt-tiny", f"models/bases/{RANDOM}")
    (tmp_path / "params.yaml").write_text(settings, encoding="utf-8")
    prepare = (sys.executable, "-m", "stages.prepare")
    said = run(tmp_path, *prepare).stdout
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for told in (
        "answers in one text kept 1 data/mine/fragen.csv: line 10: row 9: ",
        "empty question left out 1 data/mine/fragen.csv: line 24: row 23 left out",
        "answer not in context kept 1 data/mine/fragen.csv: line 33: row 32 kept",
        "duplicate question kept 1 data/mine/fragen.csv: line 47: row 46 kept",
    ):
        assert any(line.startswith(told.partition(": row")[0]) for line in lines), said
    assert 'kept; several are a JSON list: ["one", "two"]' in said
    assert "`vestibular data` shows every row." in said
    # three steps, and ten of warm-up; articles of another language
    assert re.search(
        r"gpt2-tiny: train\.warmup_steps: 10, but the training has only [23] steps \(4\d", said
    )
    assert re.search(r"train\.batch_size: 16 of 4\d questions make [23] steps per epoch", said)
    assert "evaluate.articles: pt, but data.language is de: write de, for German" in said
    refused = run(
        tmp_path,
        *(sys.executable, "-c", "from vestibular.commands.cli import main; main()", "init"),
        *("--source", "data/mine", "--language", "de", "--candidate", "models/bases/gpt2-tiny"),
        status=2,
    )
    assert "params.yaml: was not written by init" in refused.stderr
    found = run(
        tmp_path,
        *(sys.executable, "-m", "vestibular", "init", "--source", "data/mine", "--language", "de"),
        *("--candidate", "models/bases/gpt2-tiny", "--force"),
    ).stdout
    assert re.search(
        r"validation: 1\d questions, [34] contexts, [34] documents; [01] left out", found
    )
    said = run(tmp_path, *prepare).stdout
    assert "warmup_steps" not in said
    assert "batch_size" not in said
    assert "articles" not in said


@pytest.mark.slow
@pytest.mark.long
def test_a_random_model_is_last_and_never_promoted(tmp_path: Path) -> None:
    """In each of a few seeds; the command goes on where it was, up to twenty."""
    command = (sys.executable, "-m", "bench.german_trial", "--folder", str(tmp_path))
    printed = run(ROOT, *command, "--seeds", "1").stdout
    assert "random model last in 1 of 1 seeds, promoted in 0" in printed
    before = (tmp_path / "results.jsonl").read_text(encoding="utf-8")
    printed = run(ROOT, *command, "--seeds", str(SEEDS)).stdout
    assert f"random model last in {SEEDS} of {SEEDS} seeds, promoted in 0" in printed
    assert (tmp_path / "results.jsonl").read_text(encoding="utf-8").startswith(before)
    assert len(re.findall(r"^seed \d: F1 ", printed, re.MULTILINE)) == SEEDS
    for seed in range(SEEDS):
        log = (tmp_path / f"seed-{seed}/log").read_text(encoding="utf-8")
        # the choice speaks up: few documents, and what to type
        assert re.search(r"There are only [34] documents: every interval is based on few\.", log)
        assert "dvc exp run -S 'repeats=[fold-1,fold-2" in log
        assert not re.search(rf"^{RANDOM} is promoted", log, re.MULTILINE)
        assert {*DEMO_BASES, RANDOM} == {
            path.stem for path in (tmp_path / f"seed-{seed}/metrics/exam").glob("*.json")
        }


def test_the_generator_writes_what_people_write(tmp_path: Path) -> None:
    """Semicolons, quotes around JSON, and the rows that are not sound."""
    write_table(tmp_path / "a.csv", 3)
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "Text;Frage;Antworten;Titel"
    assert len(lines) == 1 + 60 + 1
    assert '"[""' in lines[1]
    assert " | " in lines[9]
