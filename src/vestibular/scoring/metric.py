"""Loads the metric by the `evaluate` library, from its folder beside this module."""

from pathlib import Path
from typing import Any

import evaluate

FOLDER = Path(__file__).parent / "squad_metric"
"""The metric: a folder with a script of the same name, as the library loads one."""


def load_metric(rules: str) -> Any:
    """Load the metric; nothing is asked of a network.

    Args:
        rules: the language whose articles do not count by SQuAD's rules (`pt`, `squad-en`), or
            MLQA's rules in a language (`mlqa-de`).

    Returns:
        an `evaluate.Metric` whose `compute` takes answers and lists of references.

    Raises:
        ValueError: there are no such rules.
    """
    return evaluate.load(str(FOLDER), config_name=rules, keep_in_memory=True)
