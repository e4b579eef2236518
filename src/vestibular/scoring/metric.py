"""Loading of the metric with the `evaluate` library, from the folder next to this module."""

from pathlib import Path
from typing import Any

import evaluate

FOLDER = Path(__file__).parent / "squad_metric"
"""Folder of the metric, with a script of the same name, as the library expects."""


def load_metric(rules: str) -> Any:
    """Load the metric, without network access.

    Args:
        rules: the language whose articles are dropped by SQuAD's rules (`pt`, `squad-en`), or
            MLQA's rules for a language (`mlqa-de`).

    Returns:
        an `evaluate.Metric` whose `compute` takes answers and lists of references.

    Raises:
        ValueError: there are no such rules.
    """
    return evaluate.load(str(FOLDER), config_name=rules, keep_in_memory=True)
