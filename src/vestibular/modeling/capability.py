"""Ways of training and asking that are correct for a model's architecture.

They are tried out on a miniature of the architecture (see `proving.py`), not looked up by name. The
result depends only on the configuration, the versions of the libraries and our own code, not on
precision, quantization or size. It is cached in a file named by a hash of these.
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
"""Packages whose versions decide what an architecture supports."""


@dataclass(frozen=True)
class Ways:
    """The fastest ways proven correct for an architecture."""

    training: "Way"
    """Rows of a training step: all questions of a context together, one question each, or one row
    at a time."""
    exam: "Way"
    """How questions are answered."""
    reason: str
    """Why a faster way is not correct; empty if there is none."""
    targets: "Targets"
    """Modules selected by `target_modules: auto`."""
    refused: str = ""
    """Why the model can be neither trained nor examined; empty if it can be."""


def ways(folder: Path) -> Ways:
    """Return the ways that are correct for the model configured in `folder`.

    The weights are not read. Earlier results are cached in `.vestibular/ways`.

    Raises:
        BaseModelError: no way is correct: each token sees later ones, or the model cannot be run on
            text alone.
    """
    path = work_folder() / "ways" / f"{_key(folder)}.json"
    try:
        found = Ways(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        silence_libraries()
        # imported here: importing torch takes seconds
        from vestibular.modeling.models import load_configuration
        from vestibular.modeling.proving import try_out

        found = try_out(load_configuration(folder))
        write_json(path, asdict(found))
    if isinstance(found.targets, list):
        found = Ways(**{**asdict(found), "targets": tuple(found.targets)})
    if found.refused:
        raise BaseModelError(f"{folder}: {found.refused}")
    return found


def _key(folder: Path) -> str:
    """Return a hash of everything the result depends on."""
    everything = {
        "configuration": (folder / "config.json").read_text(encoding="utf-8"),
        "code": folder_sha256(Path(__file__).parent, "*.py"),
        "packages": {name: version(name) for name in PACKAGES},
    }
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()[:16]
