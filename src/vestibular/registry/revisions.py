"""A run as recorded in a git revision: its `dvc.lock`, and the answers in DVC's cache.

The lock contains the settings of each stage and the hashes of all inputs and outputs, so that a
revision needs no checkout. If another machine made the answers and they are not here, the scores
remain, which are in git. Nothing here imports torch.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from vestibular.core.dvc_cache import cached_object
from vestibular.core.errors import DataError
from vestibular.core.exam_results import AnsweredQuestion, Scores
from vestibular.core.metrics import METRICS, Metric
from vestibular.core.paths import LEADERBOARD, PREDICTIONS, SCORES
from vestibular.core.trials import FOLD, Trial
from vestibular.core.version_control import (
    committed_text,
    experiment_commit,
    is_shallow,
    run_dvc,
    run_git,
)
from vestibular.core.yaml_files import parse_yaml
from vestibular.registry.commits import LOCK, UNSHALLOW

SCORES_BY_VERSION = {SCORES: "tuned", Path("metrics/candidates"): "after"}
"""Folder of the score files, and the key of the fine-tuned model, in this version and earlier."""

DIGITS = 4
"""Decimal places of a score in the score files; the leaderboard has more."""


class NoAnswersError(DataError):
    """A run's answers are not here, so that they cannot be compared one by one."""


class Interval(NamedTuple):
    """95 % interval of a score."""

    low: float
    high: float


@dataclass(frozen=True)
class CommittedScores:
    """A candidate's scores on the validation questions, as stored in git."""

    values: Scores
    intervals: Mapping[Metric, Interval]
    """Empty unless the leaderboard has the same scores."""


@dataclass(frozen=True)
class Revision:
    """One run: a commit's, or the last one in the working tree."""

    name: str
    """The short commit, or "the working tree"."""
    lock: Mapping[str, Any]
    """Content of `dvc.lock`."""

    @property
    def params(self) -> Mapping[str, Any]:
        """All settings of the run."""
        found: Mapping[str, Any] = self._stage("prepare")["params"]["params.yaml"]
        return found

    @property
    def candidates(self) -> list[str]:
        """Names of the candidates."""
        return list(self.params["candidates"])

    @property
    def folds(self) -> tuple[str, ...]:
        """Names of the cross-validation's folds, if any, in order."""
        # before `repeats`, folds were numbers under `evaluate`
        numbered = [f"fold-{number}" for number in self.params["evaluate"].get("folds", ())]
        named = numbered or filter(FOLD.fullmatch, self.params.get("repeats", ()))
        return tuple(sorted(named, key=lambda name: int(name.removeprefix("fold-"))))

    def settings(self, candidate: str) -> dict[str, Any]:
        """Return the settings behind a candidate's training and exam, by dotted key."""
        found: dict[str, Any] = {}
        for do in ("train", "evaluate"):
            stage = self._stage(f"{do}@{candidate}")
            found |= flat(stage.get("params", {}).get("params.yaml", {}))
        return found

    def inputs(self, candidate: str) -> dict[str, str]:
        """Return the hashes of the inputs of a candidate's training and exam, code included."""
        return {
            row["path"]: row["md5"]
            for do in ("train", "evaluate")
            for row in self._stage(f"{do}@{candidate}")["deps"]
        }

    def answers(self, candidate: str, folds: tuple[str, ...]) -> list[AnsweredQuestion]:
        """Return a candidate's rows: of all folds, or of the validation questions.

        Raises:
            NoAnswersError: they are not in DVC's cache, or no longer readable.
            DataError: the candidate was not examined.
        """
        return [row for place in self._places(candidate, folds) for row in self._rows(*place)]

    def answer_hashes(self, candidate: str, folds: tuple[str, ...]) -> list[str]:
        """Return the hashes of the files with these rows: equal hashes, equal answers.

        Raises:
            DataError: the candidate was not examined.
        """
        return [self._hash(*place) for place in self._places(candidate, folds)]

    def _places(self, candidate: str, folds: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
        """Yield the stages and files with a candidate's rows."""
        if not folds:
            yield f"evaluate@{candidate}", PREDICTIONS / f"{candidate}.jsonl"
        for fold in folds:
            trial = Trial(candidate, fold)
            if "repeats" in self.params:
                yield trial.stage("evaluate"), trial.predictions
            else:
                name = f"{candidate}-{fold.removeprefix('fold-')}"
                yield f"evaluate_fold@{name}", Path("metrics/folds", f"{name}.jsonl")

    def _hash(self, stage: str, path: Path) -> str:
        for row in self._stage(stage)["outs"]:
            if row["path"] == path.as_posix():
                return str(row["md5"])
        raise DataError(f"{self.name}: {LOCK}: {stage}: does not list {path}")

    def _rows(self, stage: str, path: Path) -> list[AnsweredQuestion]:
        md5 = self._hash(stage, path)
        content = cached_object(md5)
        if content is None:
            raise NoAnswersError(f"{path} of {self.name} is not in DVC's cache ({md5})")
        try:
            return AnsweredQuestion.read_lines(content)
        except DataError as error:
            raise NoAnswersError(f"{path} of {self.name}: {error}") from None

    def scores(self, candidate: str) -> CommittedScores | None:
        """Return a candidate's scores on the validation questions, as stored in git.

        None if the file is not the one that the run wrote.
        """
        outs = {row["path"]: row["md5"] for row in self._stage(f"evaluate@{candidate}")["outs"]}
        for folder, key in SCORES_BY_VERSION.items():
            path = folder / f"{candidate}.json"
            if path.as_posix() in outs:
                content = self._committed(path, outs[path.as_posix()])
                if content is not None:
                    found = Scores.model_validate(content[key])
                    values = Scores(
                        exact_match=round(found.exact_match, DIGITS), f1=round(found.f1, DIGITS)
                    )
                    return CommittedScores(values, self._intervals(candidate, values))
        return None

    def _intervals(self, candidate: str, scores: Scores) -> dict[Metric, Interval]:
        """Return the leaderboard's intervals for these scores; empty if it has other scores."""
        outs = (self.lock.get("stages") or {}).get("select", {}).get("outs", [])
        (md5,) = [row["md5"] for row in outs if row["path"] == LEADERBOARD.as_posix()] or [""]
        board = self._committed(LEADERBOARD, md5)
        row = (board or {}).get("candidates", {}).get(candidate, {})
        found = {}
        for metric in METRICS:
            after = row.get("after", {}).get(metric, -1)
            if isinstance(after, dict):
                value, ends = after["value"], (after["low"], after["high"])
            else:
                # version 1 kept the intervals separately
                value, ends = after, row.get("intervals", {}).get(metric, (None, None))
            if round(value, DIGITS) == scores.score(metric) and None not in ends:
                found[metric] = Interval(*ends)
        return found

    def _committed(self, path: Path, md5: str) -> dict[str, Any] | None:
        """Return a JSON file as of the revision; None if its hash differs."""
        if self.name != WORKING_TREE:
            text = committed_text(self.name, path)
        else:
            text = path.read_text(encoding="utf-8") if path.is_file() else None
        # DVC's name for a file, not a secret
        if text is None or hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() != md5:
            return None
        return dict(json.loads(text))

    def _stage(self, name: str) -> Mapping[str, Any]:
        stages = self.lock.get("stages") or {}
        if name not in stages:
            raise DataError(f"{self.name}: {LOCK}: {name}: has not run; run `dvc repro` first")
        found: Mapping[str, Any] = stages[name]
        return found


WORKING_TREE = "the working tree"


def read_revision(name: str | None) -> Revision:
    """Read the run of a commit or of a DVC experiment; of the working tree for None.

    Raises:
        DataError: there is no such commit or experiment, or it has no run.
        GitError: git does not open the repository.
    """
    if name is None:
        path = Path(LOCK)
        if not path.exists():
            raise DataError(f"{LOCK}: not found; run `dvc repro` in the project's top folder first")
        return Revision(WORKING_TREE, parse_yaml(path.read_text(encoding="utf-8"), path))
    commit = _short(name)
    if commit is None and (experiment := experiment_commit(name)) is not None:
        commit = _short(experiment)
    if commit is None:
        more = f" (this clone is shallow; run: {UNSHALLOW})" if is_shallow() else ""
        raise DataError(f"{name}: neither git nor `dvc exp show` knows this revision{more}")
    text = committed_text(commit, LOCK)
    if text is None:
        raise DataError(f"{name}: contains no {LOCK}, so no run belongs to it")
    return Revision(commit, parse_yaml(text, Path(f"{name}:{LOCK}")))


def _short(name: str) -> str | None:
    """Return the short commit that git finds under a name; None if unknown."""
    asked = f"{name}^{{commit}}"
    found = run_git("rev-parse", "--verify", "--quiet", "--short", "--end-of-options", asked)
    return found.stdout.strip() if found.returncode == 0 else None


def has_remote() -> bool:
    """Return whether DVC has a remote from which answers could be fetched."""
    return bool(run_dvc("remote", "list").stdout.strip())


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted key."""
    return dict(_pairs(values, prefix))


def _pairs(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _pairs(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
