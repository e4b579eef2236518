"""Answers to a table of questions: a file that grows, and that is gone on with."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from vestibular.commands.answer_file import write_answers
from vestibular.core.errors import DataError
from vestibular.data.settings import Columns
from vestibular.data.tables import Asked, read_asked

ASKED = [Asked(f"Texto {number}.\u2028Fim.", f"Onde fica {number}?") for number in range(5)]


class Model:
    """Answers with the question's last word, and stops after some."""

    def __init__(self, most: int = 99) -> None:
        self.most = most
        self.asked: list[str] = []

    def __call__(self, asked: Iterable[tuple[str, str]]) -> Iterator[str]:
        """Answer one after the other."""
        for _, question in asked:
            if len(self.asked) == self.most:
                raise KeyboardInterrupt
            self.asked.append(question)
            yield question.rpartition(" ")[2]


def test_an_id_stands_beside_its_answer(tmp_path: Path) -> None:
    """Whoever asked can find the row again; the file is gone on with."""
    path = tmp_path / "answers.jsonl"
    asked = [Asked("Texto.", "Onde?", "q7"), Asked("Texto.", "Quem?")]
    write_answers(path, asked[:1], "m", Model())
    write_answers(path, asked, "m", Model())
    first, second = map(json.loads, path.read_text().splitlines())
    assert (first["row"], first["id"]) == (1, "q7")
    assert "id" not in second


def answers(path: Path) -> list[str]:
    return [json.loads(line)["answer"] for line in path.read_text().split("\n")[:-1]]


def test_a_file_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    """What is answered is not asked again; a line that a kill has cut is."""
    path = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        write_answers(path, ASKED, "m", Model(most=3))
    assert answers(path) == ["0?", "1?", "2?"]
    path.write_bytes(path.read_bytes()[:-9])
    model = Model()
    write_answers(path, ASKED, "m", model)
    assert answers(path) == ["0?", "1?", "2?", "3?", "4?"]
    assert model.asked == [each.question for each in ASKED[2:]]
    whole = path.read_bytes()
    write_answers(path, ASKED, "m", Model(most=0))
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        (ASKED, "another"),
        ([*ASKED[:1], Asked("Outro texto.", ASKED[1].question), *ASKED[2:]], "m"),
        (ASKED[:3], "m"),
    ],
)
def test_answers_of_another_model_or_to_others_are_left_alone(
    tmp_path: Path, asked: list[Asked], model: str
) -> None:
    """So is a file that is not ours, whole or cut off."""
    path = tmp_path / "answers.jsonl"
    write_answers(path, ASKED, "m", Model())
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"line \d: not the answer of this model"):
        write_answers(path, asked, model, Model())
    assert path.read_bytes() == before
    for text in ("my notes", "my\nnotes\n", "[]\n", "{}\n"):
        path.write_text(text)
        with pytest.raises(DataError, match=r"answers\.jsonl"):
            write_answers(path, asked, model, Model())
        assert path.read_text() == text


def test_tables_of_each_kind_are_read_alike(tmp_path: Path) -> None:
    """By the end of their names; what is no question is named with its row."""
    rows = [("Olá; tudo", "Quem?"), ('Diz "sim"', "Onde?")]
    lines = [json.dumps({"question": question, "context": text}) for text, question in rows]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "a.csv").write_text(
        'id;context;question\n1;"Olá; tudo";Quem?\n2;"Diz ""sim""";Onde?\n', encoding="utf-8"
    )
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"context": [row[0] for row in rows], "question": ["Quem?", "Onde?"]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        assert [(each.context, each.question) for each in read_asked(tmp_path / name)] == rows
    assert [each.id for each in read_asked(tmp_path / "a.csv")] == ["1", "2"]
    assert read_asked(tmp_path / "a.jsonl")[0].id == ""
    # a dataset of one's own has columns of its own
    (tmp_path / "c.tsv").write_text("Frage\tNr\tText\nWer?\t7\tEr.\n", encoding="utf-8")
    columns = Columns(context="Text", question="Frage", answers="Antwort", id="Nr")
    assert read_asked(tmp_path / "c.tsv", columns) == [("Er.", "Wer?", "7")]
    with pytest.raises(DataError, match=r"c.tsv: line 1: has no column context, question"):
        read_asked(tmp_path / "c.tsv")
    (tmp_path / "b.csv").write_text("context,question\nSim.,Quem?\nSim.,\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"b.csv: line 3: row 2: column question"):
        read_asked(tmp_path / "b.csv")
    with pytest.raises(DataError, match=r"ends in \.jsonl, \.csv"):
        read_asked(tmp_path / "b.txt")
