"""The two scores of an answer, and what they are called."""

from typing import Literal

Metric = Literal["exact_match", "f1"]

METRICS: dict[Metric, str] = {"exact_match": "EM", "f1": "F1"}
"""Name in code, and the label in tables."""
