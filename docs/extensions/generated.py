"""Parts of pages that are made from the code: `<!-- generated: NAME -->` stands for one.

What a page says of settings, files, commands and packages is read from where it is decided, at
every build, so that it cannot grow old.
"""

import re
from collections.abc import Callable
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

from extensions import (
    commands_reference,
    diagrams,
    files_reference,
    packages_table,
    settings_reference,
)

OUTSIDE = re.compile(r"\]\((?=\.\./[^)#]*\.md\))")
"""A link to a page that may lie outside of the documents."""
MARK = re.compile(r"^<!-- generated: ([a-z-]+) -->$", re.MULTILINE)

PARTS: dict[str, Callable[[], str]] = {
    "settings": settings_reference.as_markdown,
    "files": files_reference.as_markdown,
    "commands": commands_reference.as_markdown,
    "packages": packages_table.as_markdown,
    "import-layers": diagrams.import_layers,
    "stage-graph": diagrams.stage_graph,
}


def fill(app: Sphinx, name: str, content: list[str]) -> None:
    """Put the parts in the place of their marks, and make files of the pages outside.

    A link to `../README.md` works where the repository is read. Here it is one to a file, as MyST
    calls it, since the page is none of the site's.

    Raises:
        SphinxError: a mark names a part that is not made.
    """

    def part(mark: re.Match[str]) -> str:
        if mark[1] not in PARTS:
            raise SphinxError(f"{name}: no part is called {mark[1]} ({', '.join(PARTS)})")
        return PARTS[mark[1]]()

    content[0] = MARK.sub(part, content[0])

    def to_file(link: re.Match[str]) -> str:
        target = Path(app.srcdir, name).parent / link.string[link.end() :].split(")")[0]
        inside = target.resolve().is_relative_to(Path(app.srcdir).resolve())
        return link[0] if inside else f"{link[0]}path:"

    content[0] = OUTSIDE.sub(to_file, content[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill each page when it is read."""
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
