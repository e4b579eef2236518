"""The two scores of an answer, and their names."""

from typing import Literal

Metric = Literal["exact_match", "f1"]

METRICS: dict[Metric, str] = {"exact_match": "EM", "f1": "F1"}
"""Names in code, with their labels in tables."""
METRIC_NAMES: dict[Metric, str] = {"exact_match": "exact match", "f1": "F1"}
"""Their names in sentences."""
