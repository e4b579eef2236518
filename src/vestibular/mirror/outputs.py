"""Runs read from what DVC tracks, and their models' stages read from the registry.

The workspace suffices: a fresh clone after `dvc pull` has no spool, but its runs have the same
names.
"""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vestibular.core.base_models import read_pin
from vestibular.core.cost_files import gather_costs
from vestibular.core.errors import NoRepositoryError
from vestibular.core.exam_results import ExamDetails, as_run_fields
from vestibular.core.paths import (
    ADAPTERS,
    CURVES,
    DETAILS,
    PINS,
    PREDICTIONS,
    PREPARED,
    PRODUCTION,
    REFUSAL_FILE,
    TRAINING_FILE,
)
from vestibular.core.training_record import TrainingRecord
from vestibular.core.trials import training_inputs
from vestibular.mirror.differing import differing_settings
from vestibular.mirror.files import as_file, folder_mark
from vestibular.mirror.naming import flatten, safe_names
from vestibular.mirror.records import RunRecord, Stage
from vestibular.mirror.spools import (
    EPOCHS,
    RUN_SETTINGS,
    SERIES,
    Spools,
    add_point,
    measured,
    timestamp,
)
from vestibular.mirror.versions import version_of
from vestibular.params.project import Params
from vestibular.registry.registry import Registry
from vestibular.registry.tags import versions_in
from vestibular.tracking.spool import run_id

STAGES: Mapping[str, Stage] = {
    "production": "production",
    "staging": "staging",
    "archived": "archived",
}
"""Stages of the registry that services have too; any other stage becomes `none` there."""


_Parts = tuple[RunRecord, RunRecord | None, tuple[Stage, str], str]
"""Parts of a run: from the spool, or else from the outputs; from the outputs; stage and registered
version; differing settings."""


class Sources:
    """All sources of the mirror, read again in each round."""

    def __init__(self, params: Params, spool: Path) -> None:
        self._params = params
        self._spools = Spools(spool)
        self._known: dict[str, tuple[_Parts, RunRecord]] = {}
        self.production: str | None = None
        """The run in production at the last read; empty if there is none, None if unknown: nothing
        has been chosen here, or the choice has not been pulled."""

    def read(self) -> list[RunRecord]:
        """Return all runs, the oldest first, under names that services accept.

        An unchanged run is the same object as in the previous round, with its cached hashes.
        """
        spooled = self._spools.read()
        runs = (_from_outputs(candidate, self._params) for candidate in self._params.candidates)
        found = {run.id: run for run in runs if run is not None}
        first = {**found, **spooled}
        stages, self.production = _stages(self._params.registry.artifact)
        differing = differing_settings(
            _with_settings(first[name], found.get(name)) for name in first
        )
        before, self._known = self._known, {}
        for name in first:
            stage = stages.get(name, ("none", ""))
            parts = (first[name], found.get(name), stage, differing.get(name, ""))
            known = before.get(name)
            run = known[1] if known is not None and known[0] == parts else _made_of(*parts)
            self._known[name] = (parts, run)
        return sorted(
            (run for _, run in self._known.values()), key=lambda run: (run.started, run.id)
        )


def _with_settings(first: RunRecord, found: RunRecord | None) -> RunRecord:
    """Return the spool's run with the settings that only the outputs contain, without copying."""
    known = first if found is None else found
    settings, fields = {**known.settings, **first.settings}, {**known.fields, **first.fields}
    return replace(first, settings=settings, fields=fields)


def _made_of(
    first: RunRecord, found: RunRecord | None, stage: tuple[Stage, str], differing: str
) -> RunRecord:
    run = _together(first, found)
    if differing:
        run.fields["run/differing_settings"] = differing
    run.version = version_of(run, *stage)
    _tidy(run)
    return run


def _from_outputs(candidate: str, params: Params) -> RunRecord | None:
    """Return a candidate's run as far as the workspace has it; None if it is not trained."""
    training = ADAPTERS / candidate / TRAINING_FILE
    if not training.exists():
        return None
    record = TrainingRecord.read(training)
    if not record.run:
        # an adapter from before runs had names
        return None
    run = RunRecord(record.run, candidate, started=training.stat().st_mtime)
    content = record.model_dump(mode="json", exclude={"run", "settings", "version"})
    _read_settings(run, params, record.settings)
    run.fields |= flatten("finetuning", content)
    run.fields["run/state"] = run.state
    _read_exam(run)
    _read_costs(run)
    _read_curve(run, CURVES / f"{candidate}.tsv")
    for file in sorted((ADAPTERS / candidate).rglob("*")):
        if file.is_file():
            name = file.relative_to(ADAPTERS / candidate).as_posix()
            run.files[f"finetuning/adapter/{name}"] = as_file(file)
    answers = PREDICTIONS / f"{candidate}.jsonl"
    if answers.exists():
        run.files[f"evaluation/predictions/{answers.name}"] = as_file(answers)
    return run


def _read_exam(run: RunRecord) -> None:
    """Add the scores, under the same fields as in the spool."""
    details = DETAILS / f"{run.candidate}.json"
    if details.exists():
        run.fields |= flatten("evaluation", as_run_fields(ExamDetails.read(details)))


def _read_costs(run: RunRecord) -> None:
    """Add the measured costs with their times: in a clone, file times are those of the copy."""
    costs = gather_costs({run.candidate: run.id})[run.candidate]
    training, exam = costs.train, costs.evaluate
    for prefix, cost in (("finetuning/cost", training), ("evaluation/cost", exam)):
        if cost is not None:
            content = cost.model_dump(mode="json", exclude={"version"})
            run.fields |= flatten(prefix, measured(content))
    if training is not None and exam is not None:
        run.fields["run/seconds"] = round(training.seconds + exam.seconds, 3)
    if training is not None and training.started is not None:
        run.started = training.started
        run.fields["run/started"] = timestamp(run.started)
        ends = training.started
        for number, seconds in enumerate(training.epoch_seconds, 1):
            ends += seconds
            add_point(run, EPOCHS, number, seconds, ends)
    if exam is not None and exam.ended is not None:
        run.ended = exam.ended
        run.fields["run/ended"] = timestamp(run.ended)


def _read_settings(run: RunRecord, params: Params, recorded: str) -> None:
    """Add the settings and the base model, if the current ones are the run's own.

    Only `recorded`, a hash of them, tells what an adapter was trained with: if the settings have
    changed since, the run's are unknown.
    """
    if not (PINS / f"{run.candidate}.json").exists():
        return
    pinned = read_pin(run.candidate)
    data = folder_mark(PREPARED)
    candidate = params.candidate(run.candidate)
    inputs = training_inputs(params.seed, params.prompt, candidate.train, pinned, data)
    if run_id(candidate=run.candidate, **inputs) != recorded:
        return
    everything = params.model_dump(mode="json")
    own = {**everything, **candidate.model_dump(mode="json")}
    run.settings = {
        "finetuning": {key: own[key] for key in RUN_SETTINGS},
        "evaluation": {key: everything[key] for key in ("prompt", "data", "evaluate")},
    }
    run.base = pinned.pin.as_json()
    run.fields |= flatten("parameters", run.settings["finetuning"])
    run.fields |= flatten("base_model", run.base)
    run.fields["data/sha256"] = data


def _read_curve(run: RunRecord, path: Path) -> None:
    if path.exists():
        time = path.stat().st_mtime
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                for column, name in SERIES.items():
                    if row.get(column):
                        add_point(run, name, int(row["step"]), float(row[column]), time)


def _together(first: RunRecord, found: RunRecord | None) -> RunRecord:
    """Return a new run: the spool's, completed by the outputs."""
    if found is None or found is first:
        return replace(first)
    fields, files = found.fields, found.files
    if not any(name.startswith("evaluation/") for name in first.fields):
        # trained but not examined yet: the results here belong to the previous adapter
        fields = {key: value for key, value in fields.items() if not key.startswith("evaluation/")}
        files = {key: file for key, file in files.items() if not key.startswith("evaluation/")}
    run = replace(
        first,
        fields={**fields, **first.fields},
        files={**files, **first.files},
        series={name: list(points) for name, points in first.series.items()},
        settings={**found.settings, **first.settings},
        base=first.base or found.base,
    )
    for name, points in found.series.items():
        known = {point.step for point in run.series.get(name, [])}
        for point in points:
            if point.step not in known:
                add_point(run, name, point.step, point.value, point.time)
    return run


def _stages(artifact: str) -> tuple[dict[str, tuple[Stage, str]], str | None]:
    """Return stage and registered version of each run that has them, and the run in production.

    The registry in git determines what is in production. While it is empty, this is the candidate
    promoted by `select`.
    """
    try:
        history = Registry(artifact).history()
    except NoRepositoryError:
        # without git there is no registry, but there may be runs
        history = []
    been = {event.version for event in history if event.stage == "production"}
    stages: dict[str, tuple[Stage, str]] = {}
    for version in versions_in(history):
        run = version.event.facts.get("Run", "")
        now: Stage = next((STAGES[name] for name in version.stages if name in STAGES), "none")
        stage: Stage = "archived" if now == "none" and version.event.version in been else now
        # if a run has several versions, the one in production counts, else the newest
        if stages.get(run, ("none", ""))[0] != "production":
            stages[run] = (stage, version.event.version)
    promoted = PRODUCTION / TRAINING_FILE
    if been:
        now_in = [run for run, (now, _) in stages.items() if now == "production"]
        # a version registered by GTO's own command does not name its run
        return stages, None if "" in now_in else next(iter(now_in), "")
    if promoted.exists():
        # not the adapter's: the candidate may have been trained again since
        run = TrainingRecord.read(promoted).run
        return {**stages, run: ("production", stages.get(run, ("none", ""))[1])}, run
    return stages, "" if (PRODUCTION / REFUSAL_FILE).exists() else None


def _tidy(run: RunRecord) -> None:
    """Give everything in a run names that services accept."""
    names = safe_names([*run.fields, *run.series, *run.files])
    run.fields = {names[name]: value for name, value in run.fields.items()}
    run.series = {names[name]: points for name, points in run.series.items()}
    run.files = {names[name]: file for name, file in run.files.items()}
