"""The model version of a run: its description in a service's registry, and its files.

A version's files are those that `vestibular answer --model DIR` reads: the adapter or the whole
model, `model.json`, and the base model if it is a local folder.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vestibular.core.base_models import Pin, locate
from vestibular.core.errors import VestibularError
from vestibular.core.model_file import Loading, ModelFile, PinnedVersion
from vestibular.core.paths import BASE_FOLDER, MODEL_FILE
from vestibular.core.work_folder import work_folder
from vestibular.mirror.files import as_file, folder_mark
from vestibular.mirror.records import File, ModelVersion, Point, RunRecord, Stage, Value
from vestibular.mirror.spools import SERIES

ADAPTER = "finetuning/adapter/"
YES = "yes"


def version_of(run: RunRecord, stage: Stage, registered: str) -> ModelVersion | None:
    """Return the model version of a run; None before the run has been examined.

    Args:
        run: the run, under its original names.
        stage: stage of the version.
        registered: its name in the registry; empty if it has none.
    """
    files = {
        name.removeprefix(ADAPTER): file
        for name, file in run.files.items()
        if name.startswith(ADAPTER)
    }
    if "evaluation/after/exact_match" not in run.fields or not files:
        return None
    can_answer = YES
    try:
        files |= _what_else_answers(run)
    except VestibularError as error:
        can_answer = f"no: {error}"
    renamed = {
        "model/candidate": run.candidate,
        "model/run": run.id,
        "model/model-name": run.fields.get("parameters/base_model"),
        "model/registered": registered or None,
        "model/exact-match": run.fields.get("evaluation/after/exact_match"),
        "model/f1": run.fields.get("evaluation/after/f1"),
        "model/exact-match-before": run.fields.get("evaluation/before/exact_match"),
        "model/f1-before": run.fields.get("evaluation/before/f1"),
        "model/parameters": run.fields.get("evaluation/parameters/total"),
        "model/trainable-parameters": run.fields.get("evaluation/parameters/trainable"),
        "model/loss": _mean_loss(run),
        "model/last-loss": _last(run, SERIES["loss"]),
        "model/validation-loss": _last(run, SERIES["validation_loss"]),
        "model/can-answer": can_answer,
    }
    fields: dict[str, Value] = {name: value for name, value in renamed.items() if value is not None}
    return ModelVersion(fields, files, stage)


def _mean_loss(run: RunRecord) -> float | None:
    """Return the mean of all steps' training losses.

    An older run has it only in its curve, whose points are means since the previous point.
    """
    kept = run.fields.get("finetuning/mean_loss")
    if isinstance(kept, float):
        return kept
    points = run.series.get(SERIES["loss"], [])
    starts = [Point(0, 0.0, 0.0), *points]
    total = sum(
        point.value * (point.step - start.step)
        for start, point in zip(starts, points, strict=False)
    )
    return total / points[-1].step if points and points[-1].step else None


def _last(run: RunRecord, name: str) -> float | None:
    points = run.series.get(name)
    return points[-1].value if points else None


def _what_else_answers(run: RunRecord) -> dict[str, File]:
    """Return the files for an answer besides the adapter's, by their names in the version.

    Raises:
        VestibularError: the run's settings are unknown, or its base is missing or has changed.
    """
    model = _description(run)
    path = work_folder() / "mirror" / "models" / f"{run.id}.json"
    if not path.exists() or path.read_text(encoding="utf-8") != model.to_text():
        model.write(path)
    found = {MODEL_FILE: as_file(path)}
    pin = model.base.pin
    if pin.sha256 is not None and model.loading.method == "lora":
        found |= _base_files(pin)
    return found


def _description(run: RunRecord) -> ModelFile:
    """Return the description that `select` would give the run's model.

    Raises:
        VestibularError: the spool lacks some settings, and the current ones are not the run's.
    """
    training, exam = run.settings.get("finetuning", {}), run.settings.get("evaluation", {})
    try:
        return ModelFile(
            candidate=run.candidate,
            base=PinnedVersion(**run.base),
            loading=Loading(**_known(training["train"], Loading)),
            prompt=training["prompt"],
            max_new_tokens=exam["evaluate"]["max_new_tokens"],
            window_overlap=exam["evaluate"]["window_overlap"],
            unanswerable=exam["data"].get("unanswerable"),
            seed=training["seed"],
            train=training["train"],
            before=_scores(run, "before"),
            after=_scores(run, "after"),
            data={},
        )
    except (KeyError, TypeError, ValueError):
        raise VestibularError(
            f"{MODEL_FILE}: some settings of the run are unknown; neither its spool nor "
            "params.yaml has them"
        ) from None


def _known(values: Mapping[str, Any], group: type[Loading]) -> dict[str, Any]:
    return {name: values[name] for name in group.model_fields if name in values}


def _scores(run: RunRecord, when: str) -> Any:
    prefix = f"evaluation/{when}"
    return {"em": run.fields[f"{prefix}/exact_match"], "f1": run.fields[f"{prefix}/f1"]}


def _base_files(pin: Pin) -> dict[str, File]:
    """Return the files of a local base model, which no other machine could find.

    Raises:
        VestibularError: they are missing or have changed.
    """
    folder = Path(pin.base_model)
    if not folder.is_dir() or folder_mark(folder) != pin.sha256:
        # raises the same message as in the stages
        locate(pin)
    names = {path.relative_to(folder): path for path in sorted(folder.rglob("*"))}
    return {
        f"{BASE_FOLDER}/{name.as_posix()}": as_file(path)
        for name, path in names.items()
        # hidden files are not part of the content: its hash skips them
        if path.is_file() and not any(part.startswith(".") for part in name.parts)
    }
