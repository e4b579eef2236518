"""Datasets in every format: the same questions, divided by document, looked through for leaks."""

import csv
import itertools
import json
import re
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibular.core.errors import DataError
from vestibular.core.files import file_sha256
from vestibular.core.questions import Question
from vestibular.data.audit import audit
from vestibular.data.dataset import load_dataset
from vestibular.data.folds import count_leaks_between, deal_folds, plan_repeats
from vestibular.data.leaks import find_leaks
from vestibular.data.settings import DataSettings
from vestibular.data.sources import SourceAnswer, SourceQuestion
from vestibular.data.splits import split_by_document
from vestibular.data.squad import read_squad
from vestibular.scoring.normalization import Normalization

COLUMNS = {
    "id": "nome",
    "title": "documento",
    "context": "texto",
    "question": "pergunta",
    "answers": "respostas",
}
ROWS: list[dict[str, Any]] = [
    {
        "nome": f"{place}",
        "documento": "Curso; de Física" if place < 3 else "Museu",
        "texto": 'Ana dirige o "curso".\nBia, o museu.' if place % 2 else "Caio dirige o museu.",
        "pergunta": f"Quem dirige, {place}?",
        "respostas": []
        if place == 4
        else [{"text": "Ana", "answer_start": 0}] * (1 + place % 2)
        if place % 2
        else [{"text": "Caio", "answer_start": 0}],
    }
    for place in range(6)
]


def settings(folder: Path, kind: str, **changes: Any) -> DataSettings:
    """Settings for a folder, with a validation file of one question."""
    suffix = {"squad": "json"}.get(kind, kind)
    other = folder / f"other.{suffix}"
    names = (changes.get("columns") or COLUMNS).values()
    if kind == "squad":
        write_squad(other, "1.1", ROWS[:1])
    else:
        write_table(other, [{**dict.fromkeys(names), **ROWS[0]}])
    values: dict[str, Any] = {
        "source": str(folder),
        "format": kind,
        "train": f"train.{suffix}",
        "validation": f"other.{suffix}",
        "unanswerable": "sem resposta",
        "leaks": "report",
        "columns": None if kind == "squad" else COLUMNS,
    }
    return DataSettings.model_validate({**values, **changes})


def write_squad(path: Path, version: str, rows: list[dict[str, Any]] = ROWS) -> None:
    data: list[dict[str, Any]] = []
    for row in rows:
        if not data or data[-1]["title"] != row["documento"]:
            data.append({"title": row["documento"], "paragraphs": []})
        asked = {"id": row["nome"], "question": row["pergunta"], "answers": row["respostas"]}
        if version == "v2.0":
            asked |= {"is_impossible": not row["respostas"], "plausible_answers": []}
        data[-1]["paragraphs"].append({"context": row["texto"], "qas": [asked]})
    path.write_text(json.dumps({"version": version, "data": data}), encoding="utf-8")


def write_table(path: Path, rows: list[dict[str, Any]] = ROWS) -> None:
    if path.suffix == ".jsonl":
        path.write_text("\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    elif path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
            writer.writeheader()
            writer.writerows({**row, "respostas": json.dumps(row["respostas"])} for row in rows)


def prepared(found: DataSettings) -> list[dict[str, Any]]:
    return [
        asdict(question) for question in load_dataset(found, Normalization(), 42).questions["train"]
    ]


def test_every_format_gives_the_same_questions(tmp_path: Path) -> None:
    """SQuAD v1.1, v2.0, JSON Lines, CSV and Parquet differ in nothing but their bytes."""
    write_squad(tmp_path / "train.json", "1.1")
    expected = prepared(settings(tmp_path, "squad"))
    assert [row["answerable"] for row in expected] == [True] * 4 + [False, True]
    assert expected[1]["answers"] == ("Ana", "Ana")
    assert expected[4]["answers"] == ("sem resposta",)
    write_squad(tmp_path / "train.json", "v2.0")
    assert prepared(settings(tmp_path, "squad")) == expected
    for kind in ("jsonl", "csv", "parquet"):
        write_table(tmp_path / f"train.{kind}")
        assert prepared(settings(tmp_path, kind)) == expected


def test_the_hubs_squad_columns_and_plain_texts_are_understood(tmp_path: Path) -> None:
    """Answers as two lists (the hub's SQuAD), as texts, and offsets in a column of their own."""
    rows = [{**row, "respostas": ["Ana"] if n % 2 else ["Caio"]} for n, row in enumerate(ROWS)]
    write_table(tmp_path / "train.jsonl", rows)
    expected = prepared(settings(tmp_path, "jsonl"))
    lists = [{**row, "respostas": {"text": row["respostas"], "answer_start": [0]}} for row in rows]
    write_table(tmp_path / "train.parquet", lists)
    assert prepared(settings(tmp_path, "parquet")) == expected
    plain = [{**row, "respostas": row["respostas"][0], "onde": [0]} for row in rows]
    write_table(tmp_path / "train.jsonl", plain)
    columns = {**COLUMNS, "answer_start": "onde"}
    assert prepared(settings(tmp_path, "jsonl", columns=columns)) == expected


def test_a_source_without_offsets_has_no_wrong_ones(tmp_path: Path) -> None:
    """An answer is looked up in its context; only an offset that is stated can be wrong."""
    rows = [{**row, "respostas": "dirige"} for row in ROWS]
    write_table(tmp_path / "train.jsonl", rows)
    found = load_dataset(settings(tmp_path, "jsonl"), Normalization(), 42)
    assert found.metrics().train.faults.wrong_answer_start == 0
    assert [question.answer_starts for question in found.questions["train"][:2]] == [(5,), (4,)]


@pytest.mark.parametrize("answer", ["[1999]", "[1]", "[sic]", "[null]", "{x"])
def test_an_answer_in_brackets_is_a_text(tmp_path: Path, answer: str) -> None:
    """Only lists of texts or objects are lists of answers, whatever else is JSON."""
    write_table(tmp_path / "train.jsonl", [{**row, "respostas": answer} for row in ROWS])
    found = load_dataset(settings(tmp_path, "jsonl"), Normalization(), 42)
    assert {question.answers for question in found.questions["train"]} == {(answer,)}


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_missing_column_is_named(tmp_path: Path, kind: str) -> None:
    """The message says which one, which there are, and where to name the right one."""
    write_table(tmp_path / f"train.{kind}")
    columns = {**COLUMNS, "context": "contexto"}
    with pytest.raises(DataError) as error:
        load_dataset(settings(tmp_path, kind, columns=columns), Normalization(), 42)
    assert "has no column contexto (it has" in str(error.value)
    assert "texto" in str(error.value)
    assert "data.columns" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texto": None}, "row 2: column texto: is missing"),
        ({"texto": 3}, "row 2: column texto: must be text, not a number"),
        ({"respostas": 3}, 'row 2: column respostas: must be text, not a number; write "3"'),
        ({"respostas": [3]}, "row 2: column respostas: an answer must be text, or an object"),
        (
            {"respostas": {"text": ["a", "b"], "answer_start": [0]}},
            "row 2: column respostas: has 2 texts but 1 answer_start",
        ),
        (
            {"respostas": [{"text": "a", "answer_start": "zero"}]},
            "row 2: column respostas: answer_start must be a whole number",
        ),
    ],
)
def test_a_bad_cell_is_placed(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """File, row and column are named."""
    rows = [ROWS[0], {**ROWS[1], **change}]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(DataError) as error:
        load_dataset(settings(tmp_path, "jsonl"), Normalization(), 42)
    assert str(error.value).startswith(f"{tmp_path}/train.jsonl: {message}")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train.jsonl", "{}\n{", "row 2: not JSON"),
        ("train.jsonl", "[1]", "row 1: must be a JSON object"),
        (
            "train.csv",
            "nome,documento,texto,pergunta,respostas\n1,2",
            "row 1: has a different number",
        ),
        ("train.csv", 'nome,documento,texto,pergunta,respostas\n"1', "not CSV"),
        ("train.parquet", "PAR", "not Parquet"),
    ],
)
def test_a_broken_table_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    """What is not of the format is refused at its place."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_dataset(settings(tmp_path, name.split(".")[1]), Normalization(), 42)


def test_the_wrong_file_is_refused_by_its_hash(tmp_path: Path) -> None:
    """A file that is not the one that was meant is not used."""
    write_squad(tmp_path / "train.json", "1.1")
    right = file_sha256(tmp_path / "train.json")
    load_dataset(settings(tmp_path, "squad", sha256={"train": right}), Normalization(), 42)
    with pytest.raises(DataError, match=r"is not the expected file.*data\.sha256\.train"):
        load_dataset(settings(tmp_path, "squad", sha256={"train": "0" * 64}), Normalization(), 42)


def test_a_file_that_could_be_fetched_says_so(tmp_path: Path) -> None:
    """The message says what to download and how."""
    urls = {"train": "https://example.org/train.json", "validation": "https://example.org/dev"}
    with pytest.raises(DataError, match=r"vestibular fetch.*https://example\.org/train\.json"):
        load_dataset(settings(tmp_path, "squad", urls=urls), Normalization(), 42)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60), st.floats(0.05, 0.9))
def test_no_document_is_in_both_splits(documents: list[int], size: float) -> None:
    """Whole documents are held out, at least the fraction asked for, whatever the order."""
    records = [
        SourceQuestion(str(n), f"d{name}", f"c{n}", "q", (SourceAnswer("a", None),), False)
        for n, name in enumerate(documents)
    ]
    if len(set(documents)) < 2:
        with pytest.raises(DataError, match="one document"):
            split_by_document(records, size, 1)
        return
    train, validation = split_by_document(records, size, 1)
    ours = {record.title for record in validation}
    assert not ours & {record.title for record in train}
    assert len(train) + len(validation) == len(records)
    assert train
    assert len(validation) >= size * len(records) or len({r.title for r in train}) == 1
    _, again = split_by_document(records[::-1], size, 1)
    assert {record.title for record in again} == ours


def test_a_split_is_drawn_where_there_is_none(tmp_path: Path) -> None:
    """One file serves for both splits; another seed draws another split."""
    rows = [
        {**ROWS[0], "nome": str(n), "documento": f"d{n}", "texto": f"Caio dirige {n}."}
        for n in range(40)
    ]
    write_table(tmp_path / "train.jsonl", rows)
    whole = settings(tmp_path, "jsonl", validation=None, validation_size=0.25)
    found = {seed: load_dataset(whole, Normalization(), seed).questions for seed in (1, 2)}
    assert [len(found[1][split]) for split in ("train", "validation")] == [30, 10]
    assert found[1] != found[2]
    assert found[1] == load_dataset(whole, Normalization(), 1).questions


def test_a_drawn_split_far_from_what_was_asked_warns(tmp_path: Path) -> None:
    """One document holds most of the questions, and documents are held out whole."""
    rows = [
        {
            **ROWS[0],
            "nome": str(n),
            "documento": "big" if n < 36 else f"d{n}",
            "texto": f"Caio {n}.",
        }
        for n in range(40)
    ]
    write_table(tmp_path / "train.jsonl", rows)
    whole = settings(tmp_path, "jsonl", validation=None, validation_size=0.1)
    drawn = [load_dataset(whole, Normalization(), seed).drawn for seed in range(12)]
    shares = {each.share for each in drawn}
    assert len(shares) > 1
    for each in drawn:
        assert each.asked == 0.1
        assert (each.warning is None) == (0.05 <= each.share <= 0.15)
    assert any(each.warning and "10% was requested, but 9" in each.warning for each in drawn)
    given = settings(tmp_path, "jsonl")
    assert load_dataset(given, Normalization(), 1).drawn is None


def test_texts_that_overlap_are_on_one_side_of_a_drawn_split(tmp_path: Path) -> None:
    """Under another title, too."""
    rows = [
        {**ROWS[0], "nome": str(n), "documento": f"d{n}", "texto": f"{LONG} {n % 5 * 'x '}"}
        for n in range(6)
    ] + [{**ROWS[0], "nome": "z", "documento": "z", "texto": "Caio dirige."}]
    write_table(tmp_path / "train.jsonl", rows)
    whole = settings(tmp_path, "jsonl", validation=None, validation_size=0.3)
    for seed in range(6):
        found = load_dataset(whole, Normalization(), seed).questions
        assert {len(found["train"]), len(found["validation"])} == {1, 6}


def question(name: str, context: str, text: str, answer: str) -> Question:
    return Question(name, name, context, text, (answer,), (-1,))


LONG = "um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze"


def test_leaks_by_hand() -> None:
    """Half of the 8-grams in one training context, or the same question with the same answer."""
    train = [
        question("t1", LONG, "Quem dirige o museu do centro?", "Ana"),
        question("t2", "nada disso", "Qual é a cor da bandeira do estado?", "Azul"),
        question("t3", "nada disso", "Onde fica o museu nacional de belas artes?", "Rio"),
    ]
    validation = [
        question("v1", LONG.upper() + "! e mais", "Algo?", "x"),
        question("v2", " ".join(LONG.split()[:9]) + " e sete palavras novas vêm aqui", "E?", "x"),
        question("v3", "outro", "Qual é a cor da bandeira do estado?!", "azul."),
        question("v4", "outro", "Onde fica o museu nacional de belas artes?", "São Paulo"),
        question("v5", "outro texto", "Nada de igual?", "x"),
    ]
    leaks = find_leaks(train, validation)
    assert {validation[place].id for place in leaks.validation} == {"v1", "v3"}
    assert {train[place].id for place in leaks.train} == {"t1", "t2"}
    assert leaks.as_metrics(0).model_dump(exclude={"version"}) == {
        "questions": 5,
        "contexts": 4,
        "overlapping_contexts": 1,
        "questions_on_overlapping_contexts": 1,
        "nearly_equal_questions": 2,
        "clean_questions": 3,
        "dropped_from_train": 0,
    }


def test_faquads_own_split_leaks(faquad: Path) -> None:
    """12 of 38 validation contexts overlap by half or more, touching 14 of 63 questions."""
    splits = [
        audit(read_squad(faquad / f"{name}.json").records, faquad, None, Normalization())[0]
        for name in ("train", "dev")
    ]
    found = find_leaks(*splits).as_metrics(0).model_dump()
    assert (found["overlapping_contexts"], found["contexts"]) == (12, 38)
    assert (found["questions_on_overlapping_contexts"], found["questions"]) == (14, 63)


def test_no_context_of_faquad_is_in_two_folds_nor_a_half_of_one(faquad: Path) -> None:
    """78 of 900 questions were given away by other folds when titles alone were joined."""
    questions = [
        question
        for name in ("train", "dev")
        for question in audit(
            read_squad(faquad / f"{name}.json").records, faquad, None, Normalization("squad", "pt")
        )[0]
    ]
    folds = deal_folds(questions, 5)
    assert sorted(Counter(folds).values()) == [180] * 5
    fold_of = {one.context: fold for one, fold in zip(questions, folds, strict=True)}

    def grams(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[start : start + 8]) for start in range(max(1, len(words) - 7))}

    known = {context: grams(context) for context in fold_of}
    overlapping = 0
    for one, other in itertools.combinations(known, 2):
        shared = len(known[one] & known[other])
        if shared >= 0.5 * min(len(known[one]), len(known[other])):
            overlapping += 1
            assert fold_of[one] == fold_of[other]
    assert overlapping > 10
    names = [f"fold-{number}" for number in range(1, 6)]
    splits = {"train": questions[:837], "validation": questions[837:]}
    repeats = plan_repeats(splits, names, [], 1)
    assert count_leaks_between(repeats, "fail") == 0


def test_leaks_between_folds_are_counted_or_refused() -> None:
    """The same question with the same answer about another text; flags are the fold's."""
    asked = "Qual é a cor da bandeira do estado?"
    questions = [
        question("a", "um texto", asked, "Azul"),
        question("b", "outro texto", asked, "Azul"),
        question("c", "mais um", "Quem?", "Ana"),
    ]
    splits = {"train": questions[:1], "validation": questions[1:]}
    repeats = plan_repeats(splits, ["fold-1", "fold-2", "fold-3"], ["seed-7"], 1)
    assert [repeat.held_out and repeat.held_out.leaked for repeat in repeats.values()] == [
        *((0,), (0,), (), None)
    ]
    assert count_leaks_between(repeats, "report") == 2
    with pytest.raises(
        DataError, match="questions of other folds reveal the answers to 2 questions"
    ):
        count_leaks_between(repeats, "fail")


def test_what_becomes_of_leaks(tmp_path: Path) -> None:
    """Reported and marked, dropped from training until none is left, or refused."""
    write_squad(tmp_path / "train.json", "1.1")
    dev = {"context": ROWS[1]["texto"], "qas": [{"id": "v", "question": "Um?", "answers": []}]}
    dev["qas"][0]["answers"] = [{"text": "Bia", "answer_start": 22}]
    clean = {"context": "Outro.", "qas": [{"id": "w", "question": "Dois?", "answers": []}]}
    clean["qas"][0]["answers"] = [{"text": "Outro", "answer_start": 0}]
    (tmp_path / "dev.json").write_text(
        json.dumps({"data": [{"title": "x", "paragraphs": [dev, clean]}]}), encoding="utf-8"
    )
    files = settings(tmp_path, "squad", validation="dev.json")
    reported = load_dataset(files, Normalization(), 42)
    assert [question.leaked for question in reported.questions["validation"]] == [True, False]
    assert reported.leaks.dropped_from_train == 0
    dropped = load_dataset(
        files.model_copy(update={"leaks": "drop_from_train"}), Normalization(), 42
    )
    assert {question.context for question in dropped.questions["train"]} == {ROWS[0]["texto"]}
    assert not any(question.leaked for question in dropped.questions["validation"])
    assert dropped.leaks.dropped_from_train == 3
    with pytest.raises(DataError, match=r"reveal 1 of 2 validation answers"):
        load_dataset(files.model_copy(update={"leaks": "fail"}), Normalization(), 42)
