"""Next steps after a run, as commands for this project."""

from pathlib import Path

from vestibular.core.errors import ParamsError
from vestibular.core.paths import PARAMS
from vestibular.core.yaml_files import read_yaml
from vestibular.params.project import load_params
from vestibular.selection.leaderboard import Leaderboard


def next_steps(board: Leaderboard, path: Path = PARAMS) -> str:
    """Return commands with their purpose, one per line, indented by two.

    Args:
        board: the leaderboard of the last run.
        path: the current settings file.
    """
    steps = [("dvc plots show", "see the curves and scores")]
    try:
        steps.append((f"dvc exp run -S {variant(board, path)}", "try a variant"))
    except ParamsError:
        # the board is shown even if the settings have become invalid since the last run
        steps.append(("vestibular plan", "find out what is wrong in the settings"))
    if board.promoted:
        steps.insert(0, ('vestibular answer --context FILE "question"', "ask the model"))
    steps.append(("vestibular experiments", "compare the variants"))
    width = max(len(command) for command, _ in steps)
    return "\n".join(f"  {command.ljust(width)}    {what}" for command, what in steps)


def variant(board: Leaderboard, path: Path) -> str:
    """Return a setting worth trying, in DVC's syntax: twice the learning rate.

    It is the best candidate's own learning rate if it has one, and else that of all.

    Raises:
        ParamsError: the settings cannot be read.
    """
    params, written = load_params(path), read_yaml(path)
    best = next((name for name in board.candidates if name in params.candidates), None)
    if best is not None and "learning_rate" in written["candidates"][best]:
        own = params.candidate(best).train.learning_rate
        return f"candidates.{best}.learning_rate={_twice(own)}"
    return f"train.learning_rate={_twice(params.train.learning_rate)}"


def _twice(rate: float) -> str:
    """Return twice a rate in common notation: 2e-4, or 2e-2 for 0.02."""
    digits, _, power = f"{2 * rate:.2e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
