"""Facts about languages: name, articles, question words, and the headings of a prompt.

All are in `languages.json`, which names its sources. Codes are ISO 639's (`pt`).
"""

import functools
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

NONE = "none"
"""In place of a language: articles count."""


@dataclass(frozen=True)
class Language:
    """One language."""

    name: str
    """English name."""
    prompt: tuple[str, str, str]
    """Headings of a prompt: context, question and answer."""
    words: tuple[str, ...]
    """Articles that are words."""
    elided: tuple[str, ...]
    """Articles before an apostrophe, such as `l`."""
    prefixes: tuple[str, ...]
    """Articles that are prefixes of a word."""
    question_words: dict[str, list[str]]
    """Groups of question words in display order: name and forms."""
    particles: bool
    """Whether a particle may follow a question word without a space, in a script with spaces."""

    @property
    def has_articles(self) -> bool:
        """Whether there are articles to drop."""
        return bool(self.words or self.elided or self.prefixes)


@functools.cache
def _content() -> dict[str, Any]:
    text = files("vestibular.scoring").joinpath("languages.json").read_text(encoding="utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


@functools.cache
def languages() -> dict[str, Language]:
    """Return all languages by code."""
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
    """Return common names of a table's columns, in lower case, by content."""
    return _content()["columns"]  # type: ignore[no-any-return]


def known_to(rules: str) -> tuple[str, ...]:
    """Return the languages whose articles SQuAD's or MLQA's rules can drop.

    MLQA's rules know seven languages; SQuAD's know all, and `none`.
    """
    return tuple(_content()["mlqa"]) if rules == "mlqa" else (*languages(), NONE)


@functools.cache
def articles_pattern(rules: str, code: str) -> str | None:
    """Return a regular expression for the articles left once punctuation is gone; or None.

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
        # MLQA's script drops these letters everywhere
        return prefix if rules == "mlqa" else rf"\b(?:{prefix})(?=\w\w)"
    return rf"\b(?:{'|'.join(language.words)})\b" if language.words else None


@functools.cache
def elisions_pattern(rules: str, code: str) -> str | None:
    """Return a regular expression for articles that end in an apostrophe; or None."""
    if rules == "mlqa" or code == NONE or not languages()[code].elided:
        return None
    return rf"\b(?:{'|'.join(languages()[code].elided)})['\u2019](?=\w)"


def advice(language: str | None, rules: str, articles: str) -> str | None:
    """Return a warning if the articles that are dropped do not fit the questions' language.

    Args:
        language: code of `data.language`; None if not set.
        rules: `squad` or `mlqa`.
        articles: the setting `evaluate.articles`.
    """
    if language is None or articles == language:
        return None
    found = languages().get(language)
    if found is None:
        done = (
            "articles count in scoring"
            if articles == NONE
            else f"the articles of `{articles}` are dropped: write none"
        )
        return (
            f"data.language: {language}: the articles and question words of this language are not "
            f"known ({', '.join(languages())} are); {done}, and the report has no results by "
            "question word"
        )
    if language not in known_to(rules) or (articles == NONE and not found.has_articles):
        return None
    return (
        f"evaluate.articles: {articles}, but data.language is {language}: write {language}, for "
        f"{found.name}"
    )
