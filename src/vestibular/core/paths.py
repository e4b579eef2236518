"""Paths of all files, relative to the project's top folder."""

from pathlib import Path

PARAMS = Path("params.yaml")

PREPARED = Path("data/prepared")
REPEATS = Path("data/repeats")
"""One file per repeat: its seed, and the questions that it holds out."""
BASE_EXAM = Path("data/base_exam.jsonl")
"""Questions for the untouched bases: those of validation, or all if there are folds."""
PINS = Path("data/bases")
DATA_AUDIT = Path("data/audit.jsonl")
"""The audit of the data, one finding per row."""
REFUSED_DATA = "refused_data.jsonl"
"""In the work folder: the rows for which the last `prepare` refused the data."""

ADAPTERS = Path("models/adapters")
TRAINING_FILE = "training.json"
"""In an adapter's folder: the record of the training."""
REPEAT_ADAPTERS = Path("models/repeats")
PRODUCTION = Path("models/production")
MODEL_FILE = "model.json"
"""In the production folder: base, prompt, scores, data and settings."""
CARD_FILE = "README.md"
"""In the production folder: the model card."""
REFUSAL_FILE = "refusal.json"
"""In the production folder, if it holds no model: the reason."""
BASE_FOLDER = "base"
"""In the production folder: a copy of the base model if that is a local folder."""

DATA_METRICS = Path("metrics/data.json")
BASE_PREDICTIONS = Path("metrics/bases")
"""Answers of the untouched bases, and the other results of their exam."""
CURVES = Path("metrics/curves")
SCORES = Path("metrics/exam")
PREDICTIONS = Path("metrics/predictions")
DETAILS = Path("metrics/details")
REPEAT_PREDICTIONS = Path("metrics/repeats")
WINNER = Path("metrics/winner.json")
SELECTION = Path("metrics/selection.json")
LEADERBOARD = Path("metrics/leaderboard.json")
REPORT = Path("metrics/report.html")
CHARTS = Path("metrics/charts")
COSTS = Path("metrics/costs.json")
