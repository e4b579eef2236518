"""Sixty German questions about fifteen short invented texts, like a user's first own dataset.

The CSV file has semicolons, umlauts, several answers in a cell, and four typical faulty rows: two
answers in one text, a question without words, a question asked twice, and an answer that is not in
the text.
"""

import csv
import json
import random
from dataclasses import dataclass
from pathlib import Path

TEXTS = 15
FIRST_NAMES = (
    "Jörg",
    "Käthe",
    "Günter",
    "Änne",
    "Björn",
    "Ursula",
    "Götz",
    "Sören",
    "Grete",
    "Ömer",
)
LAST_NAMES = (
    "Müller",
    "Schröder",
    "Weiß",
    "Köhler",
    "Jäger",
    "Groß",
    "Böhm",
    "Krüger",
    "Vogt",
    "Kühn",
)
PLACES = (
    "Köln",
    "Würzburg",
    "Gießen",
    "Lübeck",
    "Göttingen",
    "Tübingen",
    "Fürth",
    "Münster",
    "Jülich",
)
NAMES = (
    "Birkenhof",
    "Grünau",
    "Möwe",
    "Sonnenblick",
    "Eichengrund",
    "Nordwind",
    "Lindenweg",
    "Seebär",
)
KINDS = ("Verein", "Museum", "Theater", "Labor", "Garten")
HEADER = ("Text", "Frage", "Antworten", "Titel")


@dataclass(frozen=True)
class Row:
    """A question with its text."""

    text: str
    question: str
    answers: tuple[str, ...]
    title: str


def questions(seed: int) -> list[Row]:
    """Return sixty valid questions; another seed gives other people, places and years."""
    draw = random.Random(seed)
    names = draw.sample([(kind, name) for kind in KINDS for name in NAMES], TEXTS)
    rows = []
    for kind, name in names:
        first, last = draw.choice(FIRST_NAMES), draw.choice(LAST_NAMES)
        place, year = draw.choice(PLACES), str(draw.randint(1850, 2020))
        members = str(draw.randint(12, 980))
        what = f"{kind} {name}"
        text = (
            f"{what} wurde im Jahr {year} von {first} {last} gegründet. {what} liegt in {place}. "
            f"Dort arbeiten heute {members} Menschen."
        )
        for question, answers in (
            (f"Wer hat {what} gegründet?", (f"{first} {last}", last)),
            (f"Wann wurde {what} gegründet?", (year, f"im Jahr {year}")),
            (f"Wo liegt {what}?", (place, f"in {place}")),
            (f"Wie viele Menschen arbeiten in {what}?", (members, f"{members} Menschen")),
        ):
            rows.append(Row(text, question, answers, what))
    return rows


def write_table(path: Path, seed: int) -> None:
    """Write the questions, including the faulty rows, to a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(HEADER)
        for number, row in enumerate(questions(seed)):
            answers = json.dumps(row.answers, ensure_ascii=False)
            question = row.question
            if number == 8:
                answers = " | ".join(row.answers)
            elif number == 22:
                question = " "
            elif number == 31:
                answers = "steht nicht im Text"
            writer.writerow((row.text, question, answers, row.title))
            if number == 44:
                writer.writerow((row.text, question, answers, row.title))
