"""Damage data files and settings at random, and check that each is read or properly refused.

python -m bench.fuzz --inputs 100000

Every input is a valid SQuAD, JSON Lines, CSV, Parquet or settings file of which a few values or
bytes were changed. An input passes if it is read with all rows accounted for, or refused with one
of our messages. A traceback is a failure, and is printed with the seed that reproduces it. The
result goes to `results/fuzz.json`.
"""

import argparse
import contextlib
import copy
import csv
import io
import json
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow
import pyarrow.parquet
from tqdm import tqdm

from bench.machine import load, machine
from vestibular.core.errors import VestibularError
from vestibular.core.files import write_json
from vestibular.data.dataset import load_dataset
from vestibular.data.settings import DataSettings
from vestibular.params.project import load_params
from vestibular.scoring.normalization import Normalization

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "bench" / "results" / "fuzz.json"
QUESTIONS = 6
COLUMNS = {
    "id": "nome",
    "title": "documento",
    "context": "texto",
    "question": "pergunta",
    "answers": "respostas",
    "answer_start": "onde",
    "is_impossible": "impossível",
}
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 19, 2**63, 10**400, 1.0, 19.0, 0.5, 1e300),
    *(float("nan"), float("inf"), "", " ", "\u200b", "\ufeff", "0", "19", "19.0", "nan", "NaN"),
    *(
        "true",
        "False",
        "não",
        "[",
        "{",
        "[]",
        "{}",
        "[19]",
        "[1.0, null]",
        "['Ana 1']",
        '["Ana 1"]',
    ),
    *("array(['Ana 1'], dtype=object)", "array([19])", "[19 20]", "['a' 'b']", "[" * 2000),
    *("{'text': ['Ana 1'], 'answer_start': array([19])}", "{'text': [", "(", "('Ana', 'Bia')"),
    *('{"text": "Ana", "text": "Bia"}', "__import__('os').abort()", "\ud800", "a\0b", "x" * 9000),
    *(
        "</s>",
        "東京タワー",
        "दिल्ली",
        "e\u0301",
        "é",
        "\u202eAna",
        [],
        {},
        [[]],
        [{}],
        [None],
        [19.0],
    ),
    *(["Ana 1"], {"text": "Ana 1"}, {"text": ["Ana 1"], "answer_start": [0]}, {"text": [1]}),
    *([{"text": "Ana 1", "answer_start": "0"}], {"text": ["a"], "answer_start": 3}, b"bytes"),
)
"""Replacements of values."""
BYTES = (
    *(
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\xe3",
        b"\xef\xbb\xbf",
    ),
    *(b"{", b"}", b"[", b"]", b"\\", b"\\ud800", b"\\u0000", b"NaN", b"null", b"true", b"1e999"),
    *(
        b"-",
        b":",
        b" ",
        b"  ",
        b"\xe2\x80\xa8",
        b"9" * 5000,
        b"[" * 5000,
        b'{"a":' * 3000,
        b"#",
        b"&a",
    ),
    *(b"*a", b"!!python/object:os.system", b"<<: *a", b"0x1", b"1_000", b"2001-01-01", b"|", b">"),
)
"""Replacements of bytes."""


def questions() -> list[dict[str, Any]]:
    """Return the rows of a valid table."""
    rows = []
    for place in range(QUESTIONS):
        context = f"O programa P{place} começou em {1990 + place}; é dirigido por Ana {place}."
        answer = f"Ana {place}"
        rows.append(
            {
                "nome": f"q{place}",
                "documento": f"d{place}",
                "texto": context,
                "pergunta": f"Quem dirige o programa P{place}?",
                "respostas": [answer],
                "onde": [context.index(answer)],
                "impossível": False,
            }
        )
    return rows


def squad(rows: list[dict[str, Any]]) -> Any:
    """Return the content of a SQuAD file."""
    return {
        "version": "2.0",
        "data": [
            {
                "title": row["documento"],
                "paragraphs": [
                    {
                        "context": row["texto"],
                        "qas": [
                            {
                                "id": row["nome"],
                                "question": row["pergunta"],
                                "is_impossible": row["impossível"],
                                "answers": [
                                    {"text": text, "answer_start": start}
                                    for text, start in zip(
                                        row["respostas"], row["onde"], strict=True
                                    )
                                ],
                            }
                        ],
                    }
                ],
            }
            for row in rows
        ],
    }


def damage(content: Any, draw: random.Random) -> Any:
    """Replace, remove, repeat or rename a value somewhere in a JSON value, in place."""
    place = content
    while isinstance(place, dict | list) and place:
        keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw.choice(keys)
        if isinstance(place[key], dict | list) and place[key] and draw.random() < 0.9:
            place = place[key]
            continue
        chance = draw.random()
        if chance < 0.7:
            place[key] = copy.deepcopy(draw.choice(VALUES))
        elif chance < 0.85:
            del place[key]
        elif isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        else:
            place[draw.choice(["", "id", "text", "texto", "data", str(key).upper()])] = (
                copy.deepcopy(place[key])
            )
        break
    return content


def damaged_bytes(data: bytes, draw: random.Random) -> bytes:
    """Insert, remove, repeat or flip bytes somewhere."""
    for _ in range(draw.choice((0, 0, 1, 1, 2, 5))):
        start = draw.randrange(len(data) + 1)
        end = min(len(data), start + draw.choice((0, 1, 1, 2, 10, 100, 5000)))
        middle = draw.choice(
            (
                draw.choice(BYTES),
                b"",
                data[start:end] * 2,
                bytes(draw.randrange(256) for _ in range(min(8, end - start))),
            )
        )
        data = data[:start] + middle + data[end:]
    return data


def _json(value: Any, draw: random.Random, indent: int | None = None) -> bytes:
    text = json.dumps(value, ensure_ascii=draw.random() < 0.5, default=str, indent=indent)
    return text.encode("utf-8", "surrogatepass")


def make_squad(draw: random.Random) -> bytes:
    """Return a damaged SQuAD file."""
    content = squad(questions())
    for _ in range(draw.randrange(4)):
        damage(content, draw)
    return damaged_bytes(_json(content, draw, draw.choice((None, 1))), draw)


def _rows(draw: random.Random) -> list[Any]:
    rows: list[Any] = questions()
    for _ in range(draw.randrange(4)):
        damage(rows, draw)
    return rows


def make_jsonl(draw: random.Random) -> bytes:
    """Return damaged JSON Lines."""
    return damaged_bytes(b"\n".join(_json(row, draw) for row in _rows(draw)), draw)


def make_csv(draw: random.Random) -> bytes:
    """Return a damaged CSV file."""
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=draw.choice(",;\t"), lineterminator=draw.choice(("\n", "\r\n"))
    )
    writer.writerow(COLUMNS.values())
    as_json = draw.random() < 0.5
    for row in _rows(draw):
        cells = row.values() if isinstance(row, dict) else [row]
        writer.writerow(
            [
                json.dumps(cell, default=str) if as_json and isinstance(cell, list | dict) else cell
                for cell in cells
            ]
        )
    return damaged_bytes(out.getvalue().encode("utf-8", "surrogatepass"), draw)


def make_parquet(draw: random.Random) -> bytes:
    """Return a damaged Parquet file; values that Parquet cannot hold become text."""
    rows = [row for row in _rows(draw) if isinstance(row, dict)]
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pyarrow.array(values)
        except (pyarrow.ArrowException, ValueError, TypeError, OverflowError):
            columns[name] = pyarrow.array([ascii(value) for value in values])
    if columns and draw.random() < 0.1:
        columns[draw.choice(list(columns))] = pyarrow.array([b"Jo\xe3o"] * len(rows))
    out = io.BytesIO()
    try:
        table = pyarrow.table(columns)
        pyarrow.parquet.write_table(table, out, compression=draw.choice(("none", "snappy")))
    except (pyarrow.ArrowException, ValueError):
        return b"PAR1"
    return damaged_bytes(out.getvalue(), draw) if draw.random() < 0.7 else out.getvalue()


def make_settings(draw: random.Random) -> bytes:
    """Return damaged settings."""
    return damaged_bytes((ROOT / "params.yaml").read_bytes(), draw)


MAKERS: dict[str, Callable[[random.Random], bytes]] = {
    "squad": make_squad,
    "jsonl": make_jsonl,
    "csv": make_csv,
    "parquet": make_parquet,
    "params": make_settings,
}


def read(kind: str, data: bytes, folder: Path, draw: random.Random) -> str:
    """Read a file as `prepare` does; return `read` or `refused`.

    Raises:
        ValueError: some rows are not accounted for; any other exception is a failure too.
    """
    path = folder / f"input.{kind}"
    path.write_bytes(data)
    try:
        if kind == "params":
            load_params(path)
            return "read"
        settings = DataSettings.model_validate(
            {
                "source": str(folder),
                "format": kind,
                "train": path.name,
                "validation_size": 0.5,
                "unanswerable": draw.choice((None, "sem resposta")),
                "leaks": draw.choice(("report", "drop_from_train", "fail")),
                "columns": None if kind == "squad" else COLUMNS,
            }
        )
        dataset = load_dataset(settings, Normalization(), 42)
        metrics = dataset.metrics()
    except VestibularError as error:
        if not str(error).strip():
            raise ValueError("an error message is empty") from error
        return "refused"
    counts = Counter((row.split, row.kind) for row in dataset.audit_rows())
    for split, found in metrics.splits().items():
        if found.rows is None or found.rows.read != len(dataset.questions[split]):
            raise ValueError(f"{split}: the number of questions is not the number of rows read")
        sums = {**found.left_out.model_dump(), **found.faults.model_dump()}
        for name, count in {**sums, **found.converted.model_dump()}.items():
            if counts[split, name] != count:
                raise ValueError(f"{split}: {name} is {count}, not {counts[split, name]}")
    return "read"


def check(seed: int, folder: Path) -> tuple[str, str]:
    """Make the input of a seed and read it; return its kind and the outcome."""
    draw = random.Random(seed)
    kind = draw.choice(list(MAKERS))
    return kind, read(kind, MAKERS[kind](draw), folder, draw)


def main() -> None:
    """Read the requested number of inputs, and count the outcomes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--inputs", type=int, default=100_000, help="number of inputs (default: %(default)s)"
    )
    parser.add_argument("--first", type=int, default=0, help="first seed (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    failures = 0
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        seeds = range(arguments.first, arguments.first + arguments.inputs)
        for seed in tqdm(seeds, desc="inputs", mininterval=10, disable=None):
            try:
                # capture the readers' output, to find tracebacks that they print
                with contextlib.redirect_stderr(io.StringIO()) as said:
                    counts[check(seed, Path(folder))] += 1
                if "Traceback" in said.getvalue():
                    raise ValueError(said.getvalue())
            except Exception:
                failures += 1
                print(f"seed {seed}:\n{traceback.format_exc(limit=-6)}", flush=True)
    seconds = time.monotonic() - start
    for (kind, outcome), count in sorted(counts.items()):
        print(f"{kind:8} {outcome:8} {count:7,}")
    print(
        f"{failures} tracebacks or unaccounted rows in {arguments.inputs:,} inputs, {seconds:.0f} s"
    )
    result = {
        "machine": machine(),
        "load": load(),
        "first_seed": arguments.first,
        "inputs": arguments.inputs,
        "failures": failures,
        "seconds": round(seconds),
        "outcomes": {
            kind: {outcome: counts[kind, outcome] for outcome in ("read", "refused")}
            for kind in MAKERS
        },
    }
    write_json(arguments.output, result)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
