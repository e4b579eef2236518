"""Origin of a result: data, base models, settings, machines and packages, as tables.

Nothing here reads the clock, git or the installed packages: equal inputs must give an equal report,
byte for byte. The machines that trained and examined a candidate were recorded with its costs.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from vestibular.core.base_models import Pin
from vestibular.core.costs import CandidateCosts
from vestibular.core.data_metrics import DataMetrics
from vestibular.params.project import Params
from vestibular.selection.result import Selection

Table = dict[str, Any]


def data_table(audit: DataMetrics) -> Table:
    """Return the table of the dataset's splits, from `metrics/data.json`."""
    said = [audit.leaks.sentence()] if audit.leaks.given_away else []
    if between := audit.leaked_between_folds:
        said.append(
            f"Questions of other folds reveal the answers to {between:,} of a fold's questions."
        )
    said += _handled(audit)
    if audit.drawn is not None and audit.drawn.warning is not None:
        said.append(f"{audit.drawn.warning}.")
    return {
        "title": "Data",
        "text": " ".join(said),
        "titles": ["Split", "Documents", "Contexts", "Questions", "SHA-256 of the file"],
        "numbers": [1, 2, 3],
        "rows": [
            [
                name,
                f"{split.documents:,}",
                f"{split.contexts:,}",
                f"{split.questions:,}",
                split.sha256,
            ]
            for name, split in audit.splits().items()
        ],
    }


def _handled(audit: DataMetrics) -> list[str]:
    """Say how much of the source was changed or left out."""
    splits = audit.splits().values()
    left_out = sum(sum(split.left_out.model_dump().values()) for split in splits)
    odd = sum(
        sum({**split.faults.model_dump(), **split.converted.model_dump()}.values())
        for split in splits
    )
    said = []
    if left_out or odd:
        said.append(
            f"{left_out:,} questions of the source were left out, and {odd:,} values or rows were "
            "converted, corrected or kept despite a fault: each is a row of data/audit.jsonl."
        )
    if apart := sum(split.contexts_without_spaces for split in splits):
        said.append(
            f"In {apart:,} contexts, whose script has no spaces, every character counts as a word."
        )
    return said


def bases_table(pins: Mapping[str, Pin], selection: Selection) -> Table:
    """Return the table of the base models with their exact versions."""
    rows = []
    for name, found in selection.candidates.items():
        pin, cost = pins[name], found.cost
        version = f"revision {pin.revision}" if pin.revision else f"SHA-256 {pin.sha256}"
        counts = [f"{cost.total_parameters:,}", f"{cost.trainable_parameters:,}"]
        rows.append([name, *counts, pin.base_model, version])
    return {
        "title": "Base models",
        "text": "",
        "titles": ["Candidate", "Parameters", "Trained", "Base model", "Exact version"],
        "numbers": [1, 2],
        "rows": rows,
    }


def machines_table(costs: Mapping[str, CandidateCosts]) -> Table:
    """Return the table of the devices and package versions used for training and exams."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, cost in costs.items():
        for stage, measured in (("train", cost.train), ("evaluate", cost.evaluate)):
            if measured is None:
                continue
            machine = measured.machine
            for part, version in {"device": machine.device, **machine.packages}.items():
                found.setdefault(part, {}).setdefault(version, []).append(f"{stage}@{name}")
    rows = []
    for part, versions in found.items():
        if len(versions) == 1:
            rows.append([part, *versions])
        else:
            each = (f"{version} ({', '.join(where)})" for version, where in versions.items())
            rows.append([part, "; ".join(each)])
    return {
        "title": "Machine and packages",
        "text": "Used for training and exams" + ("." if rows else ": unknown on this machine."),
        "titles": [],
        "numbers": [],
        "rows": rows,
    }


def settings(params: Params) -> list[tuple[str, str]]:
    """Return all settings by dotted key; for a candidate only its own."""
    # where stages were computed does not change a result
    content = params.model_dump(mode="json", exclude={"scatter"})
    shared = dict(_flat(content["train"], ""))
    candidates = content.pop("candidates")
    rows = list(_flat(content, ""))
    for name, candidate in candidates.items():
        # an option of the candidate alone is not among the shared ones
        own = [
            (key, value) for key, value in _flat(candidate["train"], "") if shared.get(key) != value
        ]
        rows += [(f"candidates.{name}.base_model", candidate["base_model"])]
        if candidate["revision"] is not None:
            rows += [(f"candidates.{name}.revision", candidate["revision"])]
        rows += [(f"candidates.{name}.{key}", value) for key, value in own]
    return rows


def _flat(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield prefix + key, text
