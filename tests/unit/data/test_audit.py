"""Whatever `prepare` does to the data is a row, and the counts are sums over the rows."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pyarrow
import pyarrow.parquet
import pytest

from vestibular.core.data_audit import AuditRow
from vestibular.core.data_metrics import Converted, Faults, LeftOut, Rows
from vestibular.core.errors import DataError
from vestibular.data.dataset import Dataset, load_dataset
from vestibular.data.findings import refused_rows
from vestibular.data.settings import DataSettings
from vestibular.scoring.normalization import Normalization

COLUMNS = {
    "context": "text",
    "question": "query",
    "answers": "gold",
    "answer_start": "at",
    "id": "key",
    "title": "doc",
    "is_impossible": "none",
}


def row(number: int, **changes: Any) -> dict[str, Any]:
    text = f"The lighthouse number {number} was built by Ada Lovell {number} in 1901."
    return {
        "text": text,
        "query": f"Who built lighthouse {number}?",
        "gold": f"Ada Lovell {number}",
        "at": text.index("Ada"),
        "key": f"k{number}",
        "doc": f"d{number}",
        "none": False,
    } | changes


def load(folder: Path, kind: str, **changes: Any) -> Dataset:
    """The rows in one file, from which a part is held out."""
    values = {
        "source": str(folder),
        "format": kind,
        "train": f"all.{kind}",
        "validation_size": 0.4,
        "unanswerable": "none given",
        "leaks": "report",
        "columns": None if kind == "squad" else COLUMNS,
    }
    settings = DataSettings.model_validate(values | changes)
    return load_dataset(settings, Normalization(), 7)


def write_lines(folder: Path, rows: list[Any]) -> None:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in rows]
    (folder / "all.jsonl").write_text("\n".join(lines), encoding="utf-8")


def write_cells(folder: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> None:
    lines = [delimiter.join(COLUMNS.values())]
    for each in rows:
        cells = (str(each[name]).replace('"', '""') for name in COLUMNS.values())
        lines.append(delimiter.join(f'"{cell}"' for cell in cells))
    (folder / "all.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_squad(folder: Path, asked: list[dict[str, Any]], context: str) -> None:
    documents = [
        {"title": f"d{place}", "paragraphs": [{"context": f"{place} {context}", "qas": [one]}]}
        for place, one in enumerate(asked)
    ]
    (folder / "all.squad").write_text(json.dumps({"data": documents}), encoding="utf-8")


def kinds(dataset: Dataset) -> Counter[str]:
    return Counter(each.kind for each in dataset.audit_rows())


def questions(dataset: Dataset) -> dict[str, Any]:
    return {one.id: one for split in dataset.questions.values() for one in split}


def refusal(folder: Path, kind: str, **changes: Any) -> tuple[str, list[AuditRow]]:
    """What a refused file's message and its rows say."""
    with pytest.raises(DataError) as error:
        load(folder, kind, **changes)
    return str(error.value), refused_rows(error.value)


def test_every_kind_is_a_row_and_every_count_a_sum(tmp_path: Path) -> None:
    """One file with nearly all that can be wrong: rows, counts, and the account of rows."""
    broken = normalize("NFD", "A torre é de João Félix.")
    write_lines(
        tmp_path,
        [
            *(row(number) for number in range(6)),
            row(6, key=31, doc=4.0),
            row(7, at="41"),
            row(8, at=41.0),
            row(9, at="[41]"),
            row(10, gold='["Ada Lovell 10"]'),
            row(11, gold="['Ada Lovell 11']"),
            row(12, none="no"),
            row(13, none=0.0),
            row(14, gold=float("nan"), at=None, none=None),
            "\ufeff" + json.dumps(row(15)),
            row(16, key="k1", doc="d1"),
            row(17, key=None),
            row(18, at=3),
            row(19, gold="Zoe", at=None),
            row(20, gold=["Ada Lovell 20", "\u200b"], at=None),
            row(21, gold="The", text="The ship.", at=0),
            row(22, none=True),
            row(23, gold=None, at=None),
            row(24, gold=None),
            row(25, text=broken, gold="João Félix", at=None),
            row(26, query="\u2060\u00ad"),
            row(27, text="\u200e \ufeff"),
            row(5, key="again"),
            "",
        ],
    )
    dataset = load(tmp_path, "jsonl")
    rows = list(dataset.audit_rows())
    metrics = dataset.metrics()
    expected = {
        "id_as_number": 1,
        "title_as_number": 1,
        "answer_start_as_text": 1,
        "answer_start_as_fraction": 1,
        "answer_start_as_list": 1,
        "answers_as_json": 1,
        "answers_as_python": 1,
        "is_impossible_as_text": 1,
        "is_impossible_as_number": 1,
        "empty_as_nan": 1,
        "byte_order_mark": 1,
        "duplicate_id": 1,
        "missing_id": 1,
        "answer_not_in_context": 1,
        "empty_answer": 1,
        "answer_of_impossible": 1,
        "no_answer_though_possible": 2,
        "start_without_answer": 1,
        "answer_in_other_form": 1,
        "empty_question": 1,
        "empty_context": 1,
        "duplicate_question": 1,
    }
    found = Counter(each.kind for each in rows)
    # offsets of rows whose number has two digits are off by those of the test's own
    assert {kind: found[kind] for kind in expected} == expected
    assert set(found) - set(expected) <= {"wrong_answer_start"}
    for split, counts in metrics.splits().items():
        own = Counter(each.kind for each in rows if each.split == split)
        for part in (counts.left_out, counts.faults, counts.converted):
            for kind, count in part.model_dump().items():
                assert own[kind] == count, kind
        assert counts.rows is not None
        assert counts.rows.read == len(dataset.questions[split]) == counts.questions
    total = [counts.rows for counts in metrics.splits().values() if counts.rows is not None]
    assert sum(each.present for each in total) == 29
    assert sum(each.left_out for each in total) == 2
    for each in rows:
        assert each.file == f"{tmp_path}/all.jsonl"
        assert each.row is not None
        assert each.found or each.kind in ("missing_id", "empty_context", "empty_question")
    by_kind = {each.kind: each for each in rows}
    assert (by_kind["answer_start_as_text"].row, by_kind["answer_start_as_text"].place) == (
        8,
        "column at",
    )
    assert by_kind["answer_start_as_text"].done == "read as 41"


def test_the_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """A line each, of one typed format."""
    write_lines(tmp_path, [*(row(number) for number in range(4)), row(4, key=9, at="7")])
    rows = list(load(tmp_path, "jsonl").audit_rows())
    AuditRow.write_lines(tmp_path / "audit.jsonl", rows)
    assert AuditRow.read_lines(tmp_path / "audit.jsonl") == rows
    assert [each.action for each in rows] == ["converted", "converted", "mended"]


def test_rows_that_do_not_add_up_are_refused() -> None:
    """The format itself says that no row is lost."""
    Rows(present=3, read=2, left_out=1)
    with pytest.raises(ValueError, match="2 rows read and 0 left out are not 3"):
        Rows(present=3, read=2, left_out=0)


def test_no_kind_is_counted_twice() -> None:
    """A kind belongs to one group of counts."""
    groups = (LeftOut.model_fields, Faults.model_fields, Converted.model_fields)
    assert len(set().union(*groups)) == sum(map(len, groups))


def test_squads_other_types_are_read(tmp_path: Path) -> None:
    """Whole numbers for ids, text and fractions for offsets; the place in the file is kept."""
    asked = [
        {"id": place, "question": "Who?", "answers": [{"text": "Ada", "answer_start": start}]}
        for place, start in enumerate(("2", 2.0, "\x1f2 ", 2, "2.0"))
    ]
    write_squad(tmp_path, asked, "Ada built it.")
    dataset = load(tmp_path, "squad")
    assert {one.answer_starts for one in questions(dataset).values()} == {(2,)}
    assert set(questions(dataset)) == set("01234")
    assert kinds(dataset) == {
        "id_as_number": 5,
        "answer_start_as_text": 2,
        "answer_start_as_fraction": 2,
    }
    places = {each.place for each in dataset.audit_rows() if each.row == 2}
    assert places == {
        "data[1].paragraphs[0].qas[0].id",
        "data[1].paragraphs[0].qas[0].answers[0].answer_start",
    }


@pytest.mark.parametrize("start", ["2.5", 2.5, True, "two", [2], None, 1e300])
def test_an_offset_that_is_no_whole_number_is_refused(tmp_path: Path, start: Any) -> None:
    """With the question's number and its place."""
    answers = [{"text": "Ada", "answer_start": start}]
    write_squad(tmp_path, [{"id": "a", "question": "Who?", "answers": answers}] * 2, "Ada.")
    message, rows = refusal(tmp_path, "squad")
    assert "data[0].paragraphs[0].qas[0].answers[0].answer_start: not SQuAD" in message
    assert [(each.row, each.action) for each in rows] == [(1, "refused"), (2, "refused")]


@pytest.mark.parametrize(
    ("cell", "answers"),
    [
        ("['Ada', 'the crew']", ("Ada", "the crew")),
        ("array(['Ada', \"the ship's crew\"], dtype=object)", ("Ada", "the ship's crew")),
        ("['Ada' 'the crew']", ("Ada", "the crew")),
        ("['Ada'\n 'the crew']", ("Ada", "the crew")),
        ("{'answer_start': array([0]), 'text': array(['Ada'], dtype=object)}", ("Ada",)),
        ("[{'text': 'Ada', 'answer_start': np.int64(0)}]", ("Ada",)),
        ("('Ada', 'the crew')", ("Ada", "the crew")),
        ("OrderedDict([('text', ['Ada']), ('answer_start', [0])])", ("Ada",)),
        ("Index(['Ada', 'the crew'], dtype='object')", ("Ada", "the crew")),
        ("set()", ("set()",)),
        ('("Ada" of the crew)', ('("Ada" of the crew)',)),
        ('("Ada")', ('("Ada")',)),
        ("[sic] Ada", ("[sic] Ada",)),
        ("array of lights", ("array of lights",)),
        ("[1901]", ("[1901]",)),
        ("[]", ("none given",)),
        ("array([], dtype=object)", ("none given",)),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_python_printed_is_parsed(
    tmp_path: Path, kind: str, cell: str, answers: tuple[str, ...]
) -> None:
    """And words that happen to stand in brackets are words."""
    rows = [row(number, gold=cell, at="" if kind == "csv" else None) for number in range(3)]
    if kind == "csv":
        write_cells(tmp_path, rows)
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "all.parquet")
    dataset = load(tmp_path, kind)
    assert {one.answers for one in questions(dataset).values()} == {answers}


@pytest.mark.parametrize(
    "cell",
    [
        "['Ada', 'the",
        "{'text': ['Ada'], 'answer_start'",
        "['Ada' ... 'Zoe']",
        "['Ada', open('/etc/passwd')]",
        "['Ada'] + ['Zoe']",
        "['Ada', f'{1}']",
        "{'text': 'a', 'text': 'b'}",
        "array(",
        "deque(['Ada'",
        "OrderedDict([(['Ada'], 'the crew'), f()])",
        "[" + "(" * 3000,
    ],
)
def test_what_python_might_have_printed_is_refused(tmp_path: Path, cell: str) -> None:
    """What looks like a list and cannot be read is never learned, nor run."""
    write_cells(tmp_path, [row(0), row(1, gold=cell, at="")])
    message, rows = refusal(tmp_path, "csv")
    assert message.startswith(f"{tmp_path}/all.csv: line 3: row 2: column gold: ")
    assert [(each.kind, each.row, each.line) for each in rows] == [("wrong_cell", 2, 3)]


def test_numbers_from_pandas_are_read(tmp_path: Path) -> None:
    """A column with gaps becomes one of fractions; empty cells and NaN say nothing."""
    place = row(0)["at"]
    rows = [
        row(0, at=f"{place}.0", none="0.0"),
        row(1, at=f"[{place}]", none="False"),
        row(2, at=f"array([{place}], dtype=int32)", none=""),
        row(3, at="", none="1.0", gold=""),
        row(4, at="nan", none="nan"),
        row(5, at=f"[{place} {place}]", gold='["Ada Lovell 5", "Ada Lovell 5"]', none="TRUE"),
    ]
    write_cells(tmp_path, rows, ";")
    dataset = load(tmp_path, "csv")
    found = questions(dataset)
    assert [found[f"k{number}"].answerable for number in range(6)] == [
        *(True, True, True, False, True, False)
    ]
    assert {found[f"k{number}"].answer_starts for number in range(3)} == {(place,)}
    assert kinds(dataset) == {
        "answer_start_as_fraction": 1,
        "answer_start_as_list": 3,
        "is_impossible_as_number": 2,
        "empty_as_nan": 2,
        "answer_of_impossible": 2,
    }


def test_ids_never_collide(tmp_path: Path) -> None:
    """A suffix is taken that no other question has, before or after it, in either split."""
    names = ["a", "a#3", "a", "a#2", "a", "a", "a#2"]
    write_lines(tmp_path, [row(number, key=name) for number, name in enumerate(names)])
    dataset = load(tmp_path, "jsonl", validation_size=0.1)
    for split in dataset.questions.values():
        assert len({one.id for one in split}) == len(split)
    (tmp_path / "other.jsonl").write_text(json.dumps(row(50)), encoding="utf-8")
    whole = load(tmp_path, "jsonl", validation="other.jsonl", validation_size=None)
    assert [one.id for one in whole.questions["train"]] == [
        *("a", "a#3", "a#4", "a#2", "a#5", "a#6", "a#2#2")
    ]
    assert kinds(whole)["duplicate_id"] == 4


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("all.jsonl", b'{"text": "a", "query": "b", "text": "c"}', "row 1: an object has the key"),
        ("all.jsonl", b'{"text": "a"}\n{"text": "Jo\xe3o"}', "line 2: not UTF-8"),
        ("all.jsonl", b"", "is empty"),
        ("all.jsonl", b"\xef\xbb\xbf\n \n", "is empty"),
        ("all.csv", b"text,query,gold,query,at\n", "line 1: has the column query twice"),
        ("all.csv", b"text,query\n\nJo\xe3o,b\n", "line 3: not UTF-8"),
        ("all.csv", "text,query\n".encode("utf-16"), "is UTF-16"),
        ("all.csv", b"\xef\xbb\xbf", "is empty"),
        ("all.parquet", b"", "is empty"),
        ("all.squad", b'{"data": [], "data": []}', "an object has the key 'data' twice"),
        ("all.squad", b'{"data":\n["\xff"]}', "line 2: not UTF-8"),
        ("all.squad", b"  \n", "is empty"),
        ("all.squad", b'{"data": []}', "contains no question"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(
    tmp_path: Path, name: str, data: bytes, says: str
) -> None:
    """With its name and the line or row."""
    (tmp_path / name).write_bytes(data)
    message, rows = refusal(tmp_path, name.split(".")[1])
    assert message.startswith(f"{tmp_path}/{name}: {says}")
    assert [(each.action, each.file) for each in rows] == [("refused", f"{tmp_path}/{name}")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Jörg baute es", "As Latin-1 it reads 'Jörg'; save it as CSV UTF-8 in a spreadsheet"),
        ("das Café.", "As Latin-1 it reads 'Café.'; save"),
        ("er sagte „Nein“", "As Latin-1 it reads '„Nein“'; save"),
    ],
)
def test_a_latin_1_file_is_told_how_to_be_saved_anew(tmp_path: Path, line: str, said: str) -> None:
    """The word as it is meant, and a command that mends the file."""
    path = tmp_path / "all.csv"
    path.write_bytes(f"text,query,gold\n{line},Wer?,x\n".encode("cp1252"))
    message, _ = refusal(tmp_path, "csv")
    assert "line 2: not UTF-8 text" in message
    assert said in message
    command = message.partition("convert it: ")[2]
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    assert sorted(tmp_path.iterdir()) == [path]
    assert path.read_text(encoding="utf-8").splitlines()[1] == f"{line},Wer?,x"


def test_bytes_that_are_no_latin_1_get_no_such_hint(tmp_path: Path) -> None:
    """A guess that makes no word is not made."""
    (tmp_path / "all.csv").write_bytes(b"text,query\n\x81\xff,b\n")
    assert "Latin-1" not in refusal(tmp_path, "csv")[0]


def test_a_parquet_file_with_a_column_twice_or_bad_text_is_refused(tmp_path: Path) -> None:
    """The row and the column of the text are named."""
    table = pyarrow.Table.from_pylist([row(number) for number in range(3)])
    twice = table.append_column("query", table["query"])
    pyarrow.parquet.write_table(twice, tmp_path / "all.parquet")
    assert "has the column query twice" in refusal(tmp_path, "parquet")[0]
    texts = [b"Ada.", b"Zo\xeb.", b"Ada."]
    ends = pyarrow.array([0, 4, 8, 12], pyarrow.int32()).buffers()[1]
    bad = pyarrow.Array.from_buffers(
        pyarrow.string(), 3, [None, ends, pyarrow.py_buffer(b"".join(texts))]
    )
    place = table.schema.get_field_index("text")
    pyarrow.parquet.write_table(table.set_column(place, "text", bad), tmp_path / "all.parquet")
    message, rows = refusal(tmp_path, "parquet")
    assert f"{tmp_path}/all.parquet: row 2: column text: not UTF-8" in message
    assert [(each.row, each.place) for each in rows] == [(2, "column text")]


def test_csv_faults_name_the_line_on_which_the_row_begins(tmp_path: Path) -> None:
    """Rows may have several lines, and blank lines stand between them."""
    good = '"a\nb\nc",who?,Ada,,k,d,\n'
    text = ",".join(COLUMNS.values()) + f"\n{good}\n{good}\n"
    (tmp_path / "all.csv").write_text(f"{text}x,y\n", encoding="utf-8")
    assert (
        f"{tmp_path}/all.csv: line 10: row 3: has a different number" in refusal(tmp_path, "csv")[0]
    )
    (tmp_path / "all.csv").write_text(f'{text}"open\nand so on\n', encoding="utf-8")
    message, _ = refusal(tmp_path, "csv")
    assert f"{tmp_path}/all.csv: line 10: not CSV: " in message
    assert "the row continues to line 11" in message


def test_two_files_of_one_content_are_refused(tmp_path: Path) -> None:
    """Whatever they are called."""
    for name in ("all", "dev"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row(1)), encoding="utf-8")
    message, rows = refusal(tmp_path, "jsonl", validation="dev.jsonl", validation_size=None)
    assert f"{tmp_path}/dev.jsonl: holds the same bytes as {tmp_path}/all.jsonl" in message
    assert [each.kind for each in rows] == ["one_content"]
    (tmp_path / "dev.jsonl").unlink()
    message, _ = refusal(tmp_path, "jsonl", validation="dev.jsonl", validation_size=None)
    assert f"{tmp_path}/dev.jsonl: not found" in message


def test_all_refused_rows_are_written_though_ten_are_shown(tmp_path: Path) -> None:
    """The message says where the others are."""
    write_lines(tmp_path, [row(number, text=number) for number in range(14)])
    message, rows = refusal(tmp_path, "jsonl")
    assert message.count("\n") == 10
    assert "and 4 more; all are in .vestibular/refused_data.jsonl" in message
    assert [each.row for each in rows] == list(range(1, 15))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_answer_in_another_form_is_located(tmp_path: Path, form: str) -> None:
    """The place is that of the context as it is written; texts stay as they are."""
    context = normalize(form, "한국의 수도, e a fundação é de Conceição Araújo.")
    answer = normalize("NFD" if form == "NFC" else "NFC", "Conceição")
    write_lines(tmp_path, [row(n, text=f"{context} {n}", gold=answer, at=None) for n in range(4)])
    (tmp_path / "other.jsonl").write_text(json.dumps(row(50)), encoding="utf-8")
    dataset = load(tmp_path, "jsonl", validation="other.jsonl", validation_size=None)
    for one in dataset.questions["train"]:
        assert one.context.startswith(context)
        assert one.answers == (answer,)
        stands = one.context[one.answer_starts[0] :]
        assert stands.startswith(normalize(form, "Conceição"))
    assert kinds(dataset) == {"answer_in_other_form": 4}


def test_questions_that_differ_in_their_encoding_alone_are_duplicates(tmp_path: Path) -> None:
    """Composed and decomposed accents are one question, of one document."""
    first = row(0, text="Há um só farol ali.", gold="farol", query="O que há?", at=None, doc=None)
    again = {**first, "key": "z"} | {
        name: normalize("NFD", first[name]) for name in ("text", "query")
    }
    write_lines(tmp_path, [first, again])
    (tmp_path / "other.jsonl").write_text(json.dumps(row(50)), encoding="utf-8")
    dataset = load(tmp_path, "jsonl", validation="other.jsonl", validation_size=None)
    assert kinds(dataset) == {"duplicate_question": 1}
    assert dataset.metrics().train.documents == 1


def test_right_to_left_texts_stay_as_they_are(tmp_path: Path) -> None:
    """With their joiners and direction marks, which are no letters and not nothing."""
    answer = "حرفه\u200cای"  # noqa: RUF001 -- Persian, and no Latin letters
    context = f"\u200f{answer} در شهر\u200e (Madrid)\u202c"
    rows = [row(n, text=f"{context} {n}", gold=answer, at=None) for n in range(4)]
    write_lines(tmp_path, rows)
    dataset = load(tmp_path, "jsonl")
    assert {one.context[:-2] for one in questions(dataset).values()} == {context}
    assert {one.answers for one in questions(dataset).values()} == {(answer,)}
    assert not kinds(dataset)


def test_texts_without_spaces_are_counted(tmp_path: Path) -> None:
    """The metrics say for how many contexts a character is a word."""
    texts = ["東京タワーは高い。", "หอคอยสูง", "The tower is high.", "Tokyo 東京 tower"]
    write_lines(tmp_path, [row(n, text=t, gold=None, at=None) for n, t in enumerate(texts)])
    splits = load(tmp_path, "jsonl").metrics().splits().values()
    assert sum(each.contexts_without_spaces for each in splits) == 2


def test_special_tokens_in_texts_are_written_down(tmp_path: Path) -> None:
    """Once for a context, whoever asks about it, and for each question and answer."""
    text = "The room <|end|> 4 is here."
    write_lines(
        tmp_path,
        [
            row(0, text=text, gold="<|end|> 4", at=None, doc="d"),
            row(1, text=text, gold="here", at=None, doc="d", query="Where is </s>?"),
            row(2),
        ],
    )
    dataset = load(tmp_path, "jsonl")
    dataset.note_special_tokens(frozenset({"</s>", "<|end|>"}))
    rows = [each for each in dataset.audit_rows() if each.kind == "special_token"]
    assert sorted((each.row, each.place, each.found) for each in rows) == [
        (1, "answers", "<|end|>"),
        (1, "context", "<|end|>"),
        (2, "question", "</s>"),
    ]
    assert sum(each.faults.special_token for each in dataset.metrics().splits().values()) == 3


@pytest.mark.parametrize(
    ("gold", "kind"),
    [
        ("Ada Lovell 1|1901", "answers_in_one_text"),
        ("Ada Lovell 1; 1901", "answers_in_one_text"),
        ("Ada Lovell 1|1902", "answer_not_in_context"),
        ("Zoe", "answer_not_in_context"),
        ("lighthouse number 1 was", None),
    ],
)
def test_several_answers_in_one_text_are_named(tmp_path: Path, gold: str, kind: str | None) -> None:
    """Where the context has all parts and not the whole; the row says how a cell holds several."""
    write_cells(tmp_path, [row(0), row(1, gold=gold, at=""), row(2)])
    rows = list(load(tmp_path, "csv").audit_rows())
    assert [each.kind for each in rows] == ([kind] if kind else [])
    if kind == "answers_in_one_text":
        assert '["one", "two"]' in rows[0].done
        assert (rows[0].action, rows[0].row, rows[0].line) == ("kept", 2, 3)


def test_a_text_with_the_separator_that_the_context_has_is_one_answer(tmp_path: Path) -> None:
    """It stands in the context as it is."""
    text = "The sign says A|B, and below it A, then B."
    write_cells(tmp_path, [row(0), row(1, text=text, gold="A|B", at=""), row(2)])
    assert list(load(tmp_path, "csv").audit_rows()) == []


def test_strict_refuses_all_that_is_odd_at_once(tmp_path: Path) -> None:
    """What is left out, mended or kept; what is converted is read as it is meant."""
    good = [row(number, at=f"{row(number)['at']}.0") for number in range(4)]
    write_cells(tmp_path, good)
    assert len(questions(load(tmp_path, "csv", strict=True))) == 4
    bad = [
        row(4, query=" ", at=""),
        row(5, gold="Zoe", at=""),
        row(6, at=0),
        row(7, key="k0"),
        row(8, gold="Ada Lovell 8|1901", at=""),
    ]
    write_cells(tmp_path, [*good, *bad])
    assert len(questions(load(tmp_path, "csv"))) == 8
    with pytest.raises(DataError) as refused:
        load(tmp_path, "csv", strict=True)
    rows = refused_rows(refused.value)
    assert sorted((each.row, each.kind) for each in rows) == [
        (5, "empty_question"),
        (6, "answer_not_in_context"),
        (7, "wrong_answer_start"),
        (8, "duplicate_id"),
        (9, "answers_in_one_text"),
    ]
    message = str(refused.value)
    assert "line 7: row 6: answer not in context: 'Zoe'; correct it, or write" in message
    assert "data.strict: false (kept)" in message
