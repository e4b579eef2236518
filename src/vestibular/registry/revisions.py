"""A run as a git revision holds it: its `dvc.lock`, and the answers that DVC's cache keeps.

The lock names the settings that each stage was run with and the hashes of all that went in and
came out, so that a revision needs no checkout. Nothing here imports torch or DVC.
"""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestibular.core.errors import DataError
from vestibular.core.exam_results import AnsweredQuestion
from vestibular.core.layout import PREDICTIONS
from vestibular.core.runs import FOLD, Run
from vestibular.core.yaml_files import parse_yaml

LOCK = "dvc.lock"
CACHE = Path(".dvc/cache/files/md5")
"""Where DVC keeps files, unless its configuration says otherwise."""


@dataclass(frozen=True)
class Revision:
    """One run: a commit's, or the working tree's last."""

    name: str
    """The commit in short, or "the working tree"."""
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
        """Names of the folds of the cross-validation, if there was one."""
        # before `repeats`, folds were numbers under `evaluate`
        numbered = [f"fold-{number}" for number in self.params["evaluate"].get("folds", ())]
        return tuple(numbered or filter(FOLD.fullmatch, self.params.get("repeats", ())))

    def settings(self, candidate: str) -> dict[str, Any]:
        """Return the settings that a candidate's training and exam depended on, by dotted key."""
        found: dict[str, Any] = {}
        for do in ("train", "evaluate"):
            stage = self._stage(f"{do}@{candidate}")
            found |= _flat(stage.get("params", {}).get("params.yaml", {}))
        return found

    def inputs(self, candidate: str) -> dict[str, str]:
        """Return the hashes of what a candidate's training and exam read, code included."""
        return {
            row["path"]: row["md5"]
            for do in ("train", "evaluate")
            for row in self._stage(f"{do}@{candidate}")["deps"]
        }

    def answers(self, candidate: str, folds: tuple[str, ...]) -> list[AnsweredQuestion]:
        """Return a candidate's rows: of all folds, or of the validation questions.

        Raises:
            DataError: the file is not in DVC's cache.
        """
        if not folds:
            path = PREDICTIONS / f"{candidate}.jsonl"
            return self._rows(f"evaluate@{candidate}", path)
        rows = []
        for fold in folds:
            run = Run(candidate, fold)
            stage, path = run.stage("evaluate"), run.predictions
            if "repeats" not in self.params:
                number = fold.removeprefix("fold-")
                path = Path("metrics/folds", f"{candidate}-{number}.jsonl")
                stage = f"evaluate_fold@{candidate}-{number}"
            rows += self._rows(stage, path)
        return rows

    def _rows(self, stage: str, path: Path) -> list[AnsweredQuestion]:
        outs = {row["path"]: row["md5"] for row in self._stage(stage)["outs"]}
        md5 = outs.get(path.as_posix())
        if md5 is None:
            raise DataError(f"{self.name}: {LOCK}: {stage}: does not name {path}")
        content = _cached(md5)
        if content is None:
            again = (
                "dvc repro"
                if self.name == WORKING_TREE
                else (f"git checkout {self.name} && dvc repro")
            )
            raise DataError(
                f"{path} of {self.name} is not in DVC's cache ({md5}); run `dvc fetch "
                f"--all-commits {path}` if a remote has it, or `{again}` to make it again"
            )
        return AnsweredQuestion.read_lines(content)

    def _stage(self, name: str) -> Mapping[str, Any]:
        stages = self.lock.get("stages") or {}
        if name not in stages:
            raise DataError(f"{self.name}: {LOCK}: {name}: was not run; run `dvc repro` first")
        found: Mapping[str, Any] = stages[name]
        return found


WORKING_TREE = "the working tree"


def read_revision(name: str | None) -> Revision:
    """Read a commit's run, or the working tree's for None.

    Raises:
        DataError: there is no such commit, or it holds no run.
    """
    if name is None:
        path = Path(LOCK)
        if not path.exists():
            raise DataError(f"{LOCK}: not found; run `dvc repro` in the project's top folder first")
        return Revision(WORKING_TREE, parse_yaml(path.read_text(encoding="utf-8"), path))
    commit = _git(
        "rev-parse", "--verify", "--quiet", "--short", "--end-of-options", f"{name}^{{commit}}"
    )
    if commit is None:
        raise DataError(f"{name}: git knows no such revision here")
    text = _git("show", f"{commit.strip()}:./{LOCK}")
    if text is None:
        raise DataError(f"{name}: holds no {LOCK}, so that no run belongs to it")
    return Revision(commit.strip(), parse_yaml(text, Path(f"{name}:{LOCK}")))


def _git(*arguments: str) -> str | None:
    """Return what a git command prints; None if it fails."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError:
        raise DataError("git: not found; install it to compare revisions") from None
    return done.stdout if done.returncode == 0 else None


def _cached(md5: str) -> Path | None:
    """Return where DVC's cache holds a file."""
    place = Path(md5[:2], md5[2:])
    if (CACHE / place).exists():
        return CACHE / place
    try:
        # asked only where the usual folder lacks the file: it takes a second
        asked = subprocess.run(
            ["dvc", "cache", "dir"],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    elsewhere = Path(asked.stdout.strip(), "files/md5", place)
    return elsewhere if asked.returncode == 0 and elsewhere.exists() else None


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return dict(_pairs(values, prefix))


def _pairs(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _pairs(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
