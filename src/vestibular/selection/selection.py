"""What the choice is made from, how it is shown, and what goes into production.

Nothing here imports torch.
"""

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vestibular.core.base_models import Pin
from vestibular.core.errors import DataError
from vestibular.core.files import (
    file_sha256,
    read_json,
    read_json_lines,
    to_json,
    whole_folder,
    write_table,
)
from vestibular.core.layout import (
    ADAPTERS,
    BASE_FOLDER,
    CARD_FILE,
    CHARTS,
    CURVES,
    DETAILS,
    EVALUATE_COSTS,
    MODEL_FILE,
    PREDICTIONS,
    PRODUCTION,
    REFUSAL_FILE,
    SCORES,
    TRAIN_COSTS,
    TRAINING_FILE,
)
from vestibular.core.params import Params
from vestibular.core.runs import Run, read_folds
from vestibular.report.figures import METRICS
from vestibular.scoring.scoring import mean

WHEN = ("before", "after")


def read_results(candidates: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read what the stages before found out about each candidate.

    Files of candidates that are no longer named may still lie there; they do not count.

    Returns:
        for each candidate its `scores`, `cost`, loss `curve` (rows of text), the `rows` of its
        predictions, other views of them (`details`), and the number of contexts that had to be
        `shortened` in training or cut into windows in validation.

    Raises:
        DataError: a candidate has not been trained or evaluated.
    """
    results = {}
    for name in candidates:
        scores = SCORES / f"{name}.json"
        trained = ADAPTERS / name / TRAINING_FILE
        for path, stage in ((trained, "train"), (scores, "evaluate")):
            if not path.exists():
                raise DataError(f"{path}: not found; run `dvc repro {stage}@{name}` first")
        training = read_json(trained)
        predictions = read_json_lines(PREDICTIONS / f"{name}.jsonl")
        with (CURVES / f"{name}.tsv").open(encoding="utf-8", newline="") as file:
            curve = list(csv.DictReader(file, delimiter="\t"))
        results[name] = {
            "scores": read_json(scores),
            "details": read_json(DETAILS / f"{name}.json"),
            "cost": {
                "train": read_json(TRAIN_COSTS / f"{name}.json"),
                "evaluate": read_json(EVALUATE_COSTS / f"{name}.json"),
            },
            "curve": curve,
            "rows": predictions,
            "shortened": {
                "train": training["shortened"],
                "validation": sum(row["windows"] > 1 for row in predictions),
            },
        }
    return results


def read_out_of_fold(candidates: Sequence[str], folds: Sequence[int]) -> dict[str, list[Any]]:
    """Return each candidate's answers to all questions, in `read_folds`' order.

    Raises:
        DataError: a fold has not been evaluated.
    """
    _, fold_of = read_folds()
    found: dict[str, list[Any]] = {}
    for name in candidates:
        waiting = {fold: iter(_read_rows(Run(name, fold=fold))) for fold in folds}
        found[name] = [next(waiting[fold], {"question": None}) for fold in fold_of]
    return found


def read_seeds(candidates: Sequence[str], params: Params) -> dict[str, dict[str, Any]]:
    """Return each candidate's mean scores by seed; nothing where there is but one seed.

    Raises:
        DataError: a seed has not been evaluated.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in candidates:
        runs = {params.seed: Run(name)}
        runs |= {seed: Run(name, seed=seed) for seed in params.train.seeds}
        rows = {seed: _read_rows(run) for seed, run in runs.items()} if len(runs) > 1 else {}
        found[name] = {
            str(seed): {metric: mean([row["after"][metric] for row in each]) for metric in METRICS}
            for seed, each in rows.items()
        }
    return found


def _read_rows(run: Run) -> list[dict[str, Any]]:
    if not run.predictions.exists():
        raise DataError(
            f"{run.predictions}: not found; run `dvc repro {run.stage('evaluate')}` first"
        )
    return read_json_lines(run.predictions)


def leaderboard(found: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of all candidates, by rank, from what `verdict` found.

    `before` and `after` are plain numbers, for `dvc metrics`; `intervals` are about `after`.
    """
    return {
        "promoted": found["promoted"],
        "winner": found["winner"],
        "reason": found["reason"],
        "candidates": {
            name: {
                "rank": row["rank"],
                "status": row["status"],
                "before": {metric: row["before"][metric]["value"] for metric in METRICS},
                "after": {metric: row["scores"][metric]["value"] for metric in METRICS},
                "intervals": _intervals(row["scores"]),
                "parameters": results[name]["scores"]["parameters"],
                "shortened": results[name]["shortened"],
                "details": results[name]["details"],
            }
            for name, row in found["candidates"].items()
        },
        "reference_points": {
            name: {
                **{metric: point["scores"][metric]["value"] for metric in METRICS},
                "intervals": _intervals(point["scores"]),
            }
            for name, point in found["reference_points"].items()
        },
    }


def _intervals(scores: Mapping[str, Any]) -> dict[str, list[float]]:
    return {metric: [scores[metric]["low"], scores[metric]["high"]] for metric in METRICS}


def as_text(board: Mapping[str, Any]) -> str:
    """Lay the leaderboard out for a terminal, the reference points below the candidates."""
    table = [["", "candidate"]]
    for label in METRICS.values():
        table[0] += [f"{label} before", f"{label} after", "95 % interval"]
    table[0] += ["parameters", "trained", "status"]
    for name, row in board["candidates"].items():
        line = [str(row["rank"]), name]
        for metric in METRICS:
            low, high = row["intervals"][metric]
            line += [f"{row['before'][metric]:.3f}", f"{row['after'][metric]:.3f}"]
            line.append(f"{low:.3f} - {high:.3f}")
        parameters = row["parameters"]
        share = parameters["trainable"] / parameters["total"]
        line += [f"{parameters['total']:,}", f"{share:.2%}", row["status"].replace("_", " ")]
        table.append(line)
    for name, point in board["reference_points"].items():
        line = ["", name.replace("_", " ")]
        for metric in METRICS:
            low, high = point["intervals"][metric]
            line += ["", f"{point[metric]:.3f}", f"{low:.3f} - {high:.3f}"]
        table.append([*line, "", "", "reference"])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    last = len(widths) - 1
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 1, last) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )


def write_charts(order: Sequence[str], results: Mapping[str, Any]) -> None:
    """Write the tables behind the two charts: all loss curves, and scores before and after."""
    write_table(
        CHARTS / "loss.tsv",
        ["candidate", "series", "epoch", "loss"],
        (
            (name, series, row["epoch"], row[column])
            for name in order
            for series, column in (("training", "loss"), ("validation", "validation_loss"))
            for row in results[name]["curve"]
            if row[column]
        ),
    )
    write_table(
        CHARTS / "scores.tsv",
        ["candidate", "metric", "when", "score"],
        (
            (name, label, when, results[name]["scores"][when][metric])
            for name in order
            for metric, label in METRICS.items()
            for when in WHEN
        ),
    )


def write_production(
    name: str, params: Params, pin: Pin, scores: Any, data: Path, card: str
) -> None:
    """Put the winner into `models/production`: all that is needed to answer, and its card.

    A base model from the hub is named by its commit; one from a local folder is copied, since
    no other machine could find it.
    """
    with whole_folder(PRODUCTION) as folder:
        shutil.copytree(ADAPTERS / name, folder, dirs_exist_ok=True)
        if pin.sha256 is not None and params.candidate(name).train.method == "lora":
            hidden = shutil.ignore_patterns(".*")
            shutil.copytree(pin.base_model, folder / BASE_FOLDER, ignore=hidden)
        description = {
            "candidate": name,
            "base": pin.as_json(),
            "prompt": params.prompt.model_dump(mode="json"),
            "max_new_tokens": params.evaluate.max_new_tokens,
            "window_overlap": params.evaluate.window_overlap,
            "unanswerable": params.data.unanswerable,
            "train": params.candidate(name).train.model_dump(mode="json"),
            "seed": params.seed,
            "scores": {when: scores[when] for when in WHEN},
            "data": {path.name: file_sha256(path) for path in sorted(data.glob("*.jsonl"))},
        }
        (folder / MODEL_FILE).write_text(to_json(description), encoding="utf-8")
        (folder / CARD_FILE).write_text(card, encoding="utf-8")


def write_refusal(reason: str) -> None:
    """Leave in `models/production` nothing but the word that no model is there, and why.

    The folder is an output of the stage, so it must be there; a model of an earlier run must
    not, or it would pass for this one's.
    """
    with whole_folder(PRODUCTION) as folder:
        (folder / REFUSAL_FILE).write_text(to_json({"reason": reason}), encoding="utf-8")
