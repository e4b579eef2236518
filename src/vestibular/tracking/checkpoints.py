"""Checkpoints that survive a kill.

They lie in `.vestibular/`, which git and DVC ignore: nothing there is a result.
"""

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

from vestibular.core.files import folder_sha256

COMPLETE = "complete"
"""Marker file: the checkpoint beside it was written to its end. Holds the training's seconds."""
PACKAGES = ("accelerate", "bitsandbytes", "peft", "torch", "transformers")
"""Packages whose version decides what a training step computes."""
CODE = ("core", "modeling", "tracking", "training")
"""Packages of this library that the stage `train` depends on, as `dvc.yaml` names them."""
LIBRARY = Path(__file__).parents[1]


def training_key(**inputs: object) -> str:
    """Return a hash of everything that a training depends on, code and packages included.

    A package's version counts without its build (`+cpu`): a run has one name on all machines.
    """
    everything = {
        **inputs,
        "code": {name: folder_sha256(LIBRARY / name, "*.py") for name in CODE},
        "packages": {name: version(name).partition("+")[0] for name in PACKAGES},
    }
    text = json.dumps(everything, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def last_complete(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written to its end; delete the broken ones."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for path in found:
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)
    whole = [path for path in found if path.exists()]
    return whole[-1] if whole else None
