"""What is known of a language: its name, its articles, its question words, a prompt's headings.

All of it is in `languages.json`, which names its sources. Codes are ISO 639's (`pt`).
"""

import functools
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

NONE = "none"
"""In the place of a language: articles count."""


@dataclass(frozen=True)
class Language:
    """One language."""

    name: str
    """In English."""
    prompt: tuple[str, str, str]
    """Context, question and answer, as the headings of a prompt."""
    words: tuple[str, ...]
    """Articles that are words of their own."""
    elided: tuple[str, ...]
    """Articles as they stand before an apostrophe, such as `l`."""
    prefixes: tuple[str, ...]
    """Articles that are the beginning of a word."""
    question_words: dict[str, list[str]]
    """Groups of question words, in the order in which they are shown: name, forms."""
    particles: bool
    """Whether something may follow a question word without a space, in a script with spaces."""

    @property
    def has_articles(self) -> bool:
        """Whether there is anything to leave out."""
        return bool(self.words or self.elided or self.prefixes)


@functools.cache
def _content() -> dict[str, Any]:
    text = files("vestibular.scoring").joinpath("languages.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


@functools.cache
def languages() -> dict[str, Language]:
    """Return all languages by their codes."""
    return {
        code: Language(
            name=one["name"],
            prompt=tuple(one["prompt"]),
            words=tuple(one["articles"].get("words", ())),
            elided=tuple(one["articles"].get("elided", ())),
            prefixes=tuple(one["articles"].get("prefixes", ())),
            question_words=one["question_words"],
            particles=one.get("particles", False),
        )
        for code, one in _content()["languages"].items()
    }


def usual_columns() -> dict[str, list[str]]:
    """Return what people call a table's columns, in lower case, by what they hold."""
    return _content()["columns"]  # type: ignore[no-any-return]


def known_to(rules: str) -> tuple[str, ...]:
    """Return what may stand for a language whose articles do not count, by SQuAD's or MLQA's rules.

    MLQA's know seven languages, and each has its own; SQuAD's know all, and `none`.
    """
    return tuple(_content()["mlqa"]) if rules == "mlqa" else (*languages(), NONE)


@functools.cache
def articles_pattern(rules: str, code: str) -> str | None:
    """Return a regular expression for the articles that are left once punctuation is; or None.

    Raises:
        KeyError: the rules do not know the language.
    """
    if code not in known_to(rules):
        raise KeyError(code)
    if code == NONE:
        return None
    language = languages()[code]
    if language.prefixes:
        prefix = "|".join(language.prefixes)
        # MLQA's script drops these letters wherever they stand
        return prefix if rules == "mlqa" else rf"\b(?:{prefix})(?=\w\w)"
    return rf"\b(?:{'|'.join(language.words)})\b" if language.words else None


@functools.cache
def elisions_pattern(rules: str, code: str) -> str | None:
    """Return a regular expression for the articles that end in an apostrophe; or None."""
    if rules == "mlqa" or code == NONE or not languages()[code].elided:
        return None
    return rf"\b(?:{'|'.join(languages()[code].elided)})['\u2019](?=\w)"


def advice(language: str | None, rules: str, articles: str) -> str | None:
    """Say where the questions' language and the articles that do not count differ; or None.

    Args:
        language: code of `data.language`; None if it is not said.
        rules: `squad` or `mlqa`.
        articles: the setting `evaluate.articles`.
    """
    if language is None or articles == language:
        return None
    found = languages().get(language)
    if found is None:
        done = "articles count" if articles == NONE else f"`{articles}`'s do not count: write none"
        return (
            f"data.language: {language}: its articles and question words are not known "
            f"({', '.join(languages())} are); {done}, and the report has no results by question "
            "word"
        )
    if language not in known_to(rules) or (articles == NONE and not found.has_articles):
        return None
    return (
        f"evaluate.articles: {articles}, and data.language is {language}: write {language}, "
        f"for {found.name}"
    )
