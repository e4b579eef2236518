"""Facts about look-alike things, and the texts that state them."""

import random
from dataclasses import dataclass
from pathlib import Path

import yaml
from names import NameMaker

# Words that may stand in the names of two entities of one text without making them look alike.
_SMALL_WORDS = frozenset(["de", "do", "da", "o", "a"])


@dataclass(frozen=True)
class Attribute:
    """One thing that can be said of an entity.

    Attributes:
        value: Kind of value, drawn by `NameMaker.make`.
        label: Short name of the attribute in records.
        statements: Sentences with `{entity}` before `{value}`.
        questions: Questions with `{entity}`, answered by the value.
    """

    value: str
    label: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class EntityKind:
    """A kind of entity: course, module, request, programme or unit.

    Attributes:
        name: The kind's name, which `NameMaker.make` also takes.
        noun: Its Portuguese noun.
        attributes: What can be said of it, by name.
    """

    name: str
    noun: str
    attributes: dict[str, Attribute]


@dataclass(frozen=True)
class Fact:
    """An entity has a value for an attribute."""

    kind: EntityKind
    attribute: Attribute
    entity: str
    value: str

    def question(self, generator: random.Random) -> str:
        """Asks for the value in one of the attribute's wordings."""
        return capitalised(
            generator.choice(self.attribute.questions).replace("{entity}", self.entity)
        )

    def statement(self, wording: int) -> tuple[str, int]:
        """States the fact.

        Args:
            wording: Index of the statement among the attribute's.

        Returns:
            The sentence, and the position of the value's first character in it.
        """
        sentence = self.attribute.statements[wording].replace("{entity}", self.entity)
        return capitalised(sentence.replace("{value}", self.value)), sentence.index("{value}")


@dataclass(frozen=True)
class StatedFact:
    """A fact as it stands in a text.

    Attributes:
        fact: The fact.
        wording: Index of the statement used.
        start: Position of the value's first character in the text.
    """

    fact: Fact
    wording: int
    start: int


def capitalised(text: str) -> str:
    """Puts the first letter in upper case and leaves the others as they are."""
    return text[:1].upper() + text[1:]


def load_kinds(path: Path) -> list[EntityKind]:
    """Reads the entity kinds from a file like `facts.yaml`."""
    kinds = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        EntityKind(
            name=name,
            noun=kind["noun"],
            attributes={
                attribute: Attribute(
                    value=fields["value"],
                    label=fields["label"],
                    statements=tuple(fields["statements"]),
                    questions=tuple(fields["questions"]),
                )
                for attribute, fields in kind["attributes"].items()
            },
        )
        for name, kind in kinds.items()
    ]


def make_facts(kind: EntityKind, entities: int, attributes: int, names: NameMaker) -> list[Fact]:
    """Invents facts that can be told apart only by entity and attribute together.

    Args:
        kind: Kind of all entities.
        entities: Number of entities; no two share a distinguishing word.
        attributes: Number of attributes stated of each entity.
        names: Source of names and values; no value comes twice.

    Returns:
        `entities * attributes` facts, entity by entity.
    """
    entity_names: list[str] = []
    while len(entity_names) < entities:
        candidate = names.make(kind.name)
        if not any(_distinguishing(candidate) & _distinguishing(name) for name in entity_names):
            entity_names.append(candidate)
    chosen = names.random.sample(list(kind.attributes.values()), attributes)
    used = set(entity_names)
    facts = []
    for entity in entity_names:
        for attribute in chosen:
            value = names.make(attribute.value)
            while value in used:
                value = names.make(attribute.value)
            used.add(value)
            facts.append(Fact(kind, attribute, entity, value))
    return facts


def state(
    facts: list[Fact], generator: random.Random, filler: str | None = None
) -> tuple[str, list[StatedFact]]:
    """Writes a paragraph that states every fact once.

    Args:
        facts: What to state; shuffled, sorted by attribute or left in order, by chance.
        generator: Source of chance.
        filler: A sentence without facts, put somewhere between the others.

    Returns:
        The paragraph and the facts in the order in which they stand in it.
    """
    ordered = list(facts)
    arrangement = generator.random()
    if arrangement < 0.5:
        generator.shuffle(ordered)
    elif arrangement < 0.75:
        ordered.sort(key=lambda fact: fact.attribute.label)
    filler_position = generator.randint(0, len(ordered)) if filler else -1
    text = ""
    stated = []
    for position, fact in enumerate(ordered):
        if position == filler_position:
            text += f"{filler} "
        wording = generator.randrange(len(fact.attribute.statements))
        sentence, value_start = fact.statement(wording)
        stated.append(StatedFact(fact, wording, len(text) + value_start))
        text += f"{sentence} "
    if filler_position == len(ordered):
        text += f"{filler} "
    return text.rstrip(), stated


def _distinguishing(name: str) -> set[str]:
    return set(name.lower().split()) - _SMALL_WORDS
