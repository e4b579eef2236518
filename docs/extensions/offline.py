"""A page that loads anything from the network ends the build."""

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

from extensions.loaded import faults


def check(app: Sphinx, failure: Exception | None) -> None:
    """Look through all pages and style sheets of a build.

    Raises:
        SphinxError: one of them loads something.
    """
    if failure is None and (found := faults(Path(app.outdir))):
        raise SphinxError("\n".join(found))


def setup(app: Sphinx) -> dict[str, bool]:
    """Check after each build."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
