"""The pipeline's stages, one small script each, run as `python -m stages.<stage>`.

A workspace runs its own library. With an editable install a clone, or a workspace of `dvc exp run
--temp`, would otherwise run the library of the installed checkout, while DVC hashes its own.
"""

import sys
from pathlib import Path

_SOURCES = Path(__file__).parents[1] / "src"
if _SOURCES.is_dir():
    sys.path.insert(0, str(_SOURCES))
