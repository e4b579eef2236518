"""The report's page: a template, a style and a script combined into one file.

The page needs no network and cannot use any: its content security policy forbids all requests and
all scripts except its own. All data is escaped.
"""

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from vestibular.core.files import atomic_file
from vestibular.report.formatting import COLOURS

COMMIT_PLACE = "not in this copy"
"""Text in place of the commit."""


def template_text(name: str) -> str:
    """Return the text of a file in `templates/`."""
    return files("vestibular.report").joinpath("templates", name).read_text(encoding="utf-8")


@functools.cache
def templates() -> jinja2.Environment:
    """Return the templates; HTML is escaped, and a missing value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(template_text),
        autoescape=jinja2.select_autoescape((".html.jinja",)),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["with_code"] = with_code
    return environment


def with_code(text: str) -> Markup:
    """Return a sentence as HTML, in which what stands between backticks is code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704


def as_script_data(value: object) -> Markup:
    """Return JSON that cannot end the script element around it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # these occur only within strings, where the escape means the same character
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 (escaped above)


def script_source(script: str) -> str:
    """Return the content security policy's source that permits only this script."""
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def write_page(path: Path, facts: Mapping[str, Any]) -> None:
    """Write the page from `facts`, the values that `page.html.jinja` names."""
    script = template_text("page.js")
    text = (
        templates()
        .get_template("page.html.jinja")
        .render(
            **facts,
            colours=COLOURS,
            commit_place=COMMIT_PLACE,
            style=Markup(template_text("page.css")),  # noqa: S704 (the project's own)
            script=Markup(script),  # noqa: S704 (the project's own)
            script_source=script_source(script),
        )
    )
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def with_commit(page: str, commit: str) -> str:
    """Return a copy of a page that names its commit, or says briefly why it does not."""
    return page.replace(f'id="commit">{COMMIT_PLACE}<', f'id="commit">{commit}<')
