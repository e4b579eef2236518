"""The pipeline's stages, one small script each, run as `python -m stages.<stage>`.

A workspace runs its own library. With an editable install a clone, or a workspace of `dvc exp run
--temp`, would otherwise run the library of the installed checkout, while DVC hashes its own. Where
the library is not part of the workspace, DVC hashes files that stand for its packages, and no stage
runs with other packages than those.
"""

import sys
from pathlib import Path
from types import TracebackType


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say of Ctrl-C amid a stage's imports what `exit_on_error` says of it later."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _end

_PROJECT = Path(__file__).parents[1]
if (_PROJECT / "src/vestibular").is_dir():
    sys.path.insert(0, str(_PROJECT / "src"))
else:
    from vestibular.core.installed import refuse_another_library

    refuse_another_library(_PROJECT)
