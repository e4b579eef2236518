"""The initial files of a project, as this library has them."""

import configparser
import io
import re
from pathlib import Path

from vestibular.core.errors import DataError
from vestibular.core.installed import CODE, LIBRARY, in_checkout
from vestibular.scaffold.contents import DEMO, MAINTAINED, STARTED, found

GRAPH = "dvc.yaml"
CONFIG = ".dvc/config"
README = "README.md"
SETTINGS = "params.yaml"
CODE_HERE = "vars: [{code: src/vestibular}]"
"""The line of the repository's `dvc.yaml` that differs in a project."""
CODE_THERE = f"vars: [{{code: {CODE}}}]"


def maintained_files() -> dict[str, str]:
    """Return the texts that `vestibular upgrade` maintains, by path in a project."""
    root = _root()
    texts = {name: (root / name).read_text(encoding="utf-8") for name in found(root, MAINTAINED)}
    if texts[GRAPH].count(CODE_HERE) != 1:
        raise DataError(f"{root / GRAPH}: has no line `{CODE_HERE}`; install the library again")
    texts[GRAPH] = texts[GRAPH].replace(CODE_HERE, CODE_THERE)
    return texts


def started_files(demo: bool) -> dict[str, bytes]:
    """Return the files that belong to the user from the start, by path in a project."""
    root = _root()
    names = [*found(root, STARTED), *(found(root, DEMO) if demo else ())]
    contents = {name: (root / name).read_bytes() for name in names}
    contents[CONFIG] = _without_remotes(contents[CONFIG].decode()).encode()
    here = Path(__file__).parent
    contents[README] = (here / "project.md").read_bytes()
    if not demo:
        # DVC does not read dvc.yaml without it
        contents[SETTINGS] = (here / "first_params.yaml").read_bytes()
    return contents


def packages_of(graph: str) -> list[str]:
    """Return the library's packages named in a project's `dvc.yaml`."""
    return sorted(set(re.findall(r"\$\{code\}/([A-Za-z_]\w*)", graph)))


def _root() -> Path:
    return LIBRARY.parents[1] if in_checkout() else Path(__file__).parent / "template"


def _without_remotes(text: str) -> str:
    """Return DVC's configuration without the remotes of the library's own repository."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_string(text)
    settings.remove_option("core", "remote")
    for section in settings.sections():
        if section.startswith("'remote"):
            settings.remove_section(section)
    written = io.StringIO()
    settings.write(written)
    return written.getvalue().rstrip("\n") + "\n"
