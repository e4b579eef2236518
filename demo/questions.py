"""Writes the question files: SQuAD v1.1 about universities that do not exist.

Run as `python -m questions` in this folder.
"""

import json
import random
from pathlib import Path
from typing import Any

from facts import EntityKind, StatedFact, load_kinds, make_facts, state
from names import NameMaker, Split, load_names
from settings import DEMO, QuestionSettings, SplitSettings, load_settings

# Entities and attributes of a paragraph. The first four make four questions or more.
_SHAPES = ((2, 2), (2, 2), (2, 3), (3, 2), (4, 1), (3, 1))
_FILLERS = (
    "A {university} publicou o edital deste ano.",
    "Estas são regras da {university}.",
    "As informações valem para todos os alunos.",
    "O calendário pode mudar sem aviso.",
)
# What a second annotator may leave out at either end, or take in at the front.
_OPTIONAL_FIRST = ("campus ", "a ", "o ", "uma ")
_OPTIONAL_LAST = (" reais",)
_TAKEN_IN = ("em ", "de ", "no ", "nas ", "por ", "o ")


def main() -> None:
    """Writes `data/train.json` and `data/dev.json`."""
    settings = load_settings().questions
    (DEMO / "data").mkdir(exist_ok=True)
    universities: set[str] = set()
    splits: dict[Split, SplitSettings] = {"train": settings.train, "dev": settings.dev}
    for split, split_settings in splits.items():
        dataset = make_dataset(split, split_settings, settings, universities)
        write_json(DEMO / "data" / f"{split}.json", dataset)


def make_dataset(
    split: Split,
    split_settings: SplitSettings,
    settings: QuestionSettings,
    universities: set[str],
) -> dict[str, Any]:
    """Invents universities and asks about them.

    Args:
        split: Which words the names are made of.
        split_settings: Size and kind of this split.
        settings: What both splits share.
        universities: Names that are taken; the new ones are added.

    Returns:
        The dataset as SQuAD v1.1 lays it out.
    """
    generator = random.Random(f"questions-{settings.seed}-{split}")
    names = NameMaker(
        load_names(DEMO / "names.yaml", split), generator, split_settings.invented_share
    )
    kinds = load_kinds(DEMO / "facts.yaml")
    articles = []
    for article in range(split_settings.titles):
        university = names.university()
        while university in universities:
            university = names.university()
        universities.add(university)
        paragraphs = [
            make_paragraph(
                f"{split}-{article:03d}-{number}", kind, university, names, split_settings, settings
            )
            for number, kind in enumerate(generator.sample(kinds, generator.choice((3, 4))))
        ]
        articles.append({"title": university, "paragraphs": paragraphs})
    return {"version": "1.1", "data": articles}


def make_paragraph(
    identifier: str,
    kind: EntityKind,
    university: str,
    names: NameMaker,
    split_settings: SplitSettings,
    settings: QuestionSettings,
) -> dict[str, Any]:
    """Writes one context about entities of one kind, and questions about it."""
    generator = names.random
    facts = make_facts(kind, *generator.choice(_SHAPES), names)
    filler = generator.choice(_FILLERS).format(university=university)
    context, stated = state(facts, generator, filler if generator.random() < 0.5 else None)
    asked = generator.sample(stated, min(settings.questions_per_context, len(stated)))
    return {
        "context": context,
        "qas": [
            {
                "id": f"{identifier}-{number}",
                "question": item.fact.question(generator),
                "answers": make_references(
                    context, item, split_settings.references, settings.variant_share, generator
                ),
            }
            for number, item in enumerate(asked)
        ],
    }


def make_references(
    context: str,
    stated: StatedFact,
    count: int,
    variant_share: float,
    generator: random.Random,
) -> list[dict[str, Any]]:
    """Marks the answer as several annotators would.

    Args:
        context: The paragraph.
        stated: The fact asked for.
        count: Number of references; the first is the value itself.
        variant_share: Fraction of the others that are a little shorter or longer.
        generator: Source of chance.

    Returns:
        References with `text` and `answer_start`, each a span of the context.
    """
    start, end = stated.start, stated.start + len(stated.fact.value)
    variants = answer_variants(context, start, end)
    spans = [(start, end)]
    for _ in range(count - 1):
        differs = bool(variants) and generator.random() < variant_share
        spans.append(generator.choice(variants) if differs else (start, end))
    return [{"text": context[first:last], "answer_start": first} for first, last in spans]


def answer_variants(context: str, start: int, end: int) -> list[tuple[int, int]]:
    """Lists the shorter and longer spans that answer as well as `context[start:end]`."""
    variants = []
    for word in _OPTIONAL_FIRST:
        if context.startswith(word, start):
            variants.append((start + len(word), end))
    for word in _OPTIONAL_LAST:
        if context.endswith(word, start, end):
            variants.append((start, end - len(word)))
    for word in _TAKEN_IN:
        if context.endswith(f" {word}", 0, start):
            variants.append((start - len(word), end))
    return variants


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes readable UTF-8 JSON with a line feed at its end."""
    text = json.dumps(content, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
