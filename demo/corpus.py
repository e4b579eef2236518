"""Plain documents for pre-training: facts, then the same facts once more in other words.

Predicting the second part well takes looking the first part up, which is what a model needs in
order to answer questions about a text. None of the documents is laid out like the prompt with
which the models are fine-tuned later.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from facts import EntityKind, Fact, StatedFact, capitalised, make_facts, state
from names import NameMaker
from settings import CorpusSettings

_SHAPES = ((2, 2), (2, 2), (2, 3), (3, 1), (3, 2), (2, 2), (3, 2), (4, 1))
_SMALL_SHAPES = ((2, 1), (3, 1), (2, 1), (2, 2))
_SUMMARIES = (
    "Em resumo:",
    "Como foi dito:",
    "Em outras palavras:",
    "Repetindo:",
    "Assim:",
    "Portanto:",
    "O texto informa que:",
)
_FILLERS = (
    "A {university} publicou o edital deste ano.",
    "Estas são regras da {university}.",
    "O regulamento da {university} foi aprovado.",
    "As informações valem para todos os alunos.",
    "O calendário pode mudar sem aviso.",
    "Outras regras estão no manual do aluno.",
)
_HEADINGS = (
    "",
    "",
    "",
    "Texto: ",
    "### Texto: ",
    "Leia o texto abaixo. ",
    "Considere o contexto a seguir. ",
    "Responda com base no texto. ",
    "## Informações:\n",
    "Dado o edital:\n\n",
    "Contexto da prova: ",
)
# What stands before a question, before its answer and after it.
_CATECHISMS = (
    ("", " ", "."),
    ("", " ", "."),
    ("Pergunta: ", " Resposta: ", "."),
    ("P: ", " R: ", "."),
    ("Questão: ", " ", "."),
    ("- ", "\n- ", ".\n"),
    ("### ", "\n", ".\n"),
    ("Pergunta: ", "\nSolução: ", ".\n"),
    ("Dúvida: ", "\n### Retorno: ", "\n"),
    ("## Item:\n", "\n\n## Gabarito: ", "\n\n"),
    ("Aluno: ", "\nSecretaria: ", ".\n"),
)
_LIST_KINDS = ("person", "place", "module", "programme")
_KEY_KINDS = ("programme", "module", "course", "place", "request")
_VALUE_KINDS = ("person", "number", "duration", "date", "campus", "room", "year")


@dataclass
class Document:
    """A text and what is worth learning in it.

    Attributes:
        text: The text so far.
        repeats_from: Position where the text begins to repeat itself.
        lookups: Spans `(start, end)` that can be copied from the text before.
    """

    text: str = ""
    repeats_from: int = 0
    lookups: list[tuple[int, int]] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Appends text that nothing foretells."""
        self.text += text

    def add_lookup(self, text: str) -> None:
        """Appends text that stands in the document already."""
        self.lookups.append((len(self.text), len(self.text) + len(text)))
        self.text += text


class Corpus:
    """Draws pre-training documents."""

    def __init__(self, settings: CorpusSettings, kinds: list[EntityKind], names: NameMaker) -> None:
        """Keeps what the documents are made of.

        Args:
            settings: Shares of the document types.
            kinds: Entity kinds that the documents are about.
            names: Source of names and of chance.
        """
        self._settings = settings
        self._kinds = kinds
        self._names = names
        self._random: random.Random = names.random

    def draw(self, progress: float) -> Document:
        """Draws a document that suits the stage of the training.

        Args:
            progress: Fraction in [0, 1] of the optimizer steps that are done.
        """
        settings = self._settings
        if progress < settings.lists_until:
            return self.draw_list()
        if progress < settings.pairs_until:
            return self.draw_pairs()
        if self._random.random() < settings.drill_share:
            return self._random.choice((self.draw_list, self.draw_pairs))()
        small = progress < settings.small_until
        return self.draw_text(_SMALL_SHAPES if small else _SHAPES)

    def draw_list(self) -> Document:
        """Lists a few names twice, in another order the second time."""
        make: Callable[[], str]
        kind = self._random.choice((*_LIST_KINDS, None))
        make = self._names.invented if kind is None else lambda: self._names.make(kind)
        items = [make() for _ in range(self._random.randint(2, 5))]
        separator = self._random.choice((", ", "; ", " / ", ". "))
        document = Document(separator.join(items) + ".\n")
        document.repeats_from = len(document.text) - 1
        self._random.shuffle(items)
        for number, item in enumerate(items):
            first, _, rest = item.partition(" ")
            document.add((separator if number else "") + first)
            if rest:
                document.add_lookup(f" {rest}")
        document.add(".")
        return document

    def draw_pairs(self) -> Document:
        """Gives a few names a value each, and repeats the pairs in another order."""
        key_kind = self._random.choice(_KEY_KINDS)
        value_kind = self._random.choice(_VALUE_KINDS)
        pairs: dict[str, str] = {}
        for _ in range(self._random.randint(2, 4)):
            key = capitalised(self._names.make(key_kind))
            value = self._names.make(value_kind)
            if value not in pairs.values():
                pairs.setdefault(key, value)
        document = Document(" ".join(f"{key}: {value}." for key, value in pairs.items()) + "\n")
        document.repeats_from = len(document.text) - 1
        shuffled = list(pairs.items())
        self._random.shuffle(shuffled)
        for number, (key, value) in enumerate(shuffled):
            document.add((" " if number else "") + f"{key}: ")
            document.add_lookup(value)
            document.add(".")
        return document

    def draw_text(self, shapes: tuple[tuple[int, int], ...] = _SHAPES) -> Document:
        """States facts and states them again in another form.

        Args:
            shapes: Numbers of entities and attributes to choose from.
        """
        kind = self._random.choice(self._kinds)
        facts = make_facts(kind, *self._random.choice(shapes), self._names)
        filler = None
        if self._random.random() < 0.3:
            filler = self._random.choice(_FILLERS).format(university=self._names.university())
        text, stated = state(facts, self._random, filler)
        self._random.shuffle(stated)
        form = self._random.random()
        for share, restate in (
            (self._settings.record_share, self._as_record),
            (self._settings.dialogue_share, self._as_dialogue),
            (self._settings.catechism_share, self._as_catechism),
        ):
            if form < share:
                return restate(text, stated)
            form -= share
        return self._as_summary(text, stated)

    def _as_record(self, text: str, stated: list[StatedFact]) -> Document:
        document = Document(text, len(text))
        by_entity: dict[str, list[Fact]] = {}
        for item in stated:
            by_entity.setdefault(item.fact.entity, []).append(item.fact)
        for number, facts in enumerate(by_entity.values()):
            document.add(" " if number else "\n")
            document.add(f"{capitalised(facts[0].kind.noun)} {_without_article(facts[0])}:")
            for position, fact in enumerate(facts):
                document.add(f" {fact.attribute.label}: ")
                document.add_lookup(fact.value)
                document.add(";" if position < len(facts) - 1 else ".")
        return document

    def _as_dialogue(self, text: str, stated: list[StatedFact]) -> Document:
        document = Document(text, len(text))
        for number, item in enumerate(stated):
            document.add((" " if number else "\n") + item.fact.question(self._random))
            self._add_statement(document, item.fact)
        return document

    def _as_catechism(self, text: str, stated: list[StatedFact]) -> Document:
        text = self._random.choice(_HEADINGS) + text
        before, between, after = self._random.choice(_CATECHISMS)
        document = Document(text + "\n", len(text))
        for number, item in enumerate(stated):
            document.add(" " if number and not after.endswith("\n") else "")
            document.add(before + item.fact.question(self._random) + between)
            document.add_lookup(item.fact.value)
            document.add(after if number < len(stated) - 1 else after.rstrip())
        return document

    def _as_summary(self, text: str, stated: list[StatedFact]) -> Document:
        document = Document(f"{text}\n{self._random.choice(_SUMMARIES)}", len(text))
        for item in stated:
            self._add_statement(document, item.fact, item.wording)
        return document

    def _add_statement(self, document: Document, fact: Fact, avoided: int | None = None) -> None:
        wordings = [
            wording for wording in range(len(fact.attribute.statements)) if wording != avoided
        ]
        sentence, value_start = fact.statement(self._random.choice(wordings))
        document.add(f" {sentence[:value_start]}")
        document.add_lookup(fact.value)
        document.add(sentence[value_start + len(fact.value) :])


def _without_article(fact: Fact) -> str:
    """Drops the article with which requests and units are named."""
    if fact.kind.name in ("request", "unit"):
        return fact.entity.partition(" ")[2]
    return fact.entity
