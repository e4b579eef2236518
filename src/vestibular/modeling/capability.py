"""Which ways of teaching and asking are right for a model's architecture.

That is tried out on a miniature of it (see `proving.py`), not looked up by its name. What is
found depends on the configuration, on the versions of the libraries and on our own code, and on
nothing else: not on precision, quantization or size. It is kept in a file under that hash.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from vestibular.core.errors import BaseModelError
from vestibular.core.files import folder_sha256, write_json
from vestibular.core.logs import silence_libraries
from vestibular.core.work_folder import work_folder

if TYPE_CHECKING:
    from vestibular.modeling.answers import Way
    from vestibular.modeling.targets import Targets

PACKAGES = ("peft", "torch", "transformers")
"""Packages whose versions decide what an architecture can do."""


@dataclass(frozen=True)
class Ways:
    """The fastest ways that are proven for an architecture."""

    training: "Way"
    """Rows of a training step: with a context's questions together, of one question each, or
    one row at a time."""
    exam: "Way"
    """How questions are answered."""
    reason: str
    """Why a faster way is not right; empty if there is none."""
    targets: "Targets"
    """Modules that `target_modules: auto` stands for."""
    refused: str = ""
    """Why the model can be neither trained nor examined; empty if it can."""


def ways(folder: Path) -> Ways:
    """Return the ways that are right for the model whose configuration lies in `folder`.

    Its weights are not read. What was found before is read from `.vestibular/ways`.

    Raises:
        BaseModelError: no way is right: each token sees those after it, or the model cannot be
            run on text alone.
    """
    path = work_folder() / "ways" / f"{_key(folder)}.json"
    try:
        found = Ways(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        silence_libraries()
        # imported here: torch and its friends take seconds
        from vestibular.modeling.models import configuration
        from vestibular.modeling.proving import try_out

        found = try_out(configuration(folder))
        write_json(path, asdict(found))
    if isinstance(found.targets, list):
        found = Ways(**{**asdict(found), "targets": tuple(found.targets)})
    if found.refused:
        raise BaseModelError(f"{folder}: {found.refused}")
    return found


def _key(folder: Path) -> str:
    """Return a hash of all that the answer depends on."""
    everything = {
        "configuration": (folder / "config.json").read_text(encoding="utf-8"),
        "code": folder_sha256(Path(__file__).parent, "*.py"),
        "packages": {name: version(name) for name in PACKAGES},
    }
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()[:16]
