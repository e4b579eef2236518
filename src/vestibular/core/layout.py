"""Where everything lies, relative to the project's top folder."""

from pathlib import Path

PARAMS = Path("params.yaml")

PREPARED = Path("data/prepared")
PINS = Path("data/bases")
FOLDS = Path("data/folds.json")
"""The fold of every question, those of training before those of validation; 0 for none."""

ADAPTERS = Path("models/adapters")
TRAINING_FILE = "training.json"
"""In an adapter's folder: what the training was about."""
FOLD_ADAPTERS = Path("models/folds")
SEED_ADAPTERS = Path("models/seeds")
PRODUCTION = Path("models/production")
MODEL_FILE = "model.json"
"""In the production folder: base, prompt, scores, data and settings."""
CARD_FILE = "README.md"
"""In the production folder: the model card."""
REFUSAL_FILE = "refusal.json"
"""In the production folder, alone there: why no model is."""
BASE_FOLDER = "base"
"""In the production folder: the base model, if it came from a local folder."""

DATA_METRICS = Path("metrics/data.json")
CURVES = Path("metrics/curves")
SCORES = Path("metrics/candidates")
PREDICTIONS = Path("metrics/predictions")
DETAILS = Path("metrics/details")
FOLD_PREDICTIONS = Path("metrics/folds")
SEED_PREDICTIONS = Path("metrics/seeds")
SELECTION = Path("metrics/selection.json")
LEADERBOARD = Path("metrics/leaderboard.json")
REPORT = Path("metrics/report.html")
CHARTS = Path("metrics/charts")
TRAIN_COSTS = Path("metrics/cost/train")
EVALUATE_COSTS = Path("metrics/cost/evaluate")
COSTS = Path("metrics/cost/candidates.json")
