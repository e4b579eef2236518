"""Comparison of each output of a run with the output of its repetition."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from vestibular.clones.clone import Clone
from vestibular.clones.stages import LAST
from vestibular.core.exam_results import AnsweredQuestion
from vestibular.core.paths import COSTS, WINNER
from vestibular.core.version_control import committed_text
from vestibular.registry.changes import CandidateChange, compare_answers, corrected
from vestibular.registry.changes_text import NAMED, score_sentence
from vestibular.selection.means import LEVEL
from vestibular.verification.amounts import describe_file, describe_folder
from vestibular.verification.contents import bytes_of, files_below, folder_files, recorded
from vestibular.verification.pipeline import Output, Stage
from vestibular.verification.rerunning import Rerun
from vestibular.verification.scores import is_of_answers, read_answers


class Verdict(StrEnum):
    """Result for one output."""

    EQUAL = "bitwise equal"
    NOISE = "equal within noise"
    DIFFERENT = "different"
    NOT_MADE = "not made"
    MEASURED = "measured, not compared"


@dataclass(frozen=True)
class Outcome:
    """Outcome of one output."""

    stage: str
    path: str
    verdict: Verdict
    detail: str = ""
    """What differs and by how much, or why there is no output."""


@dataclass(frozen=True)
class Before:
    """The commit's own results."""

    commit: str
    lock: Mapping[str, Any]
    """Content of its `dvc.lock`."""
    held_by_git: Mapping[str, str]
    """Hash of each output that git tracks, as of the commit."""

    def md5(self, stage: Stage, output: Output) -> str | None:
        """Return an output's hash; None if the commit has no such output."""
        if output.cached:
            return recorded(self.lock, stage.name).get(output.path)
        return self.held_by_git.get(output.path)

    def content(self, output: Output, md5: str) -> bytes | None:
        """Return a file's content; None if it is not here."""
        if output.cached:
            return bytes_of(md5)
        text = committed_text(self.commit, output.path)
        return None if text is None else text.encode()


Pair = tuple[Stage, Output]
Exams = Mapping[str, CandidateChange | None]


def outcomes(before: Before, clone: Clone, stages: Sequence[Stage], rerun: Rerun) -> list[Outcome]:
    """Compare the outputs of the repeated stages, in order.

    Raises:
        DataError: an answers file is malformed.
    """
    made = {stage.name: recorded(rerun.lock, stage.name) for stage in stages}
    outputs = [(stage, output) for stage in stages for output in stage.outputs]
    differing = [
        (stage, output)
        for stage, output in outputs
        if made[stage.name].get(output.path) not in (None, before.md5(stage, output))
        and Path(output.path) != COSTS
    ]
    exams = _exams(before, clone, differing)
    found = []
    for stage, output in outputs:
        detail = ""
        if output.path not in made[stage.name]:
            verdict, detail = Verdict.NOT_MADE, f"{stage.name} failed"
        elif Path(output.path) == COSTS:
            verdict = Verdict.MEASURED
        elif (stage, output) not in differing:
            verdict = Verdict.EQUAL
        else:
            noise = _is_noise(before.commit, clone, stage, differing, exams)
            verdict = Verdict.NOISE if noise else Verdict.DIFFERENT
            detail = _detail(before, clone, stage, output, exams)
        found.append(Outcome(stage.name, output.path, verdict, detail))
    return found


def _exams(before: Before, clone: Clone, differing: Sequence[Pair]) -> Exams:
    """Compare the answers that differ; None for those whose original answers are not here."""
    changes = {}
    for stage, output in differing:
        if is_of_answers(output.path):
            old = read_answers(Path(output.path), before.md5(stage, output))
            new = AnsweredQuestion.read_lines(clone.project / output.path)
            changes[output.path] = None if old is None else compare_answers(old, new, {})
    known = {path: change for path, change in changes.items() if change is not None}
    return {**changes, **corrected(known)}


def _is_noise(
    commit: str, clone: Clone, stage: Stage, differing: Sequence[Pair], exams: Exams
) -> bool:
    """Return whether the differences in a stage's outputs do not matter in any exam.

    Weights and curves are judged by the model's answers, a choice by its winner. Differences in
    data and pins are never noise, nor are differences that follow from equal answers or weights.
    """
    others = [pair for pair in differing if pair[0].name != LAST]
    if stage.name == LAST:
        asked = others
        now = clone.project / WINNER
        before = _winner(committed_text(commit, WINNER))
        after = _winner(now.read_text(encoding="utf-8") if now.is_file() else None)
        if before is None or before != after:
            return False
    else:
        asked = [pair for pair in others if pair[0] == stage]
    cells = {one.cell for one, _ in asked}
    own = {output.path for output in stage.outputs if is_of_answers(output.path)}
    return (
        any(_leads(*pair) for pair in asked)
        and "" not in cells
        and all(
            change is not None and _within_noise(change)
            for path, change in exams.items()
            if (path in own if own else Path(path).stem in cells)
        )
    )


def _leads(stage: Stage, output: Output) -> bool:
    """Return whether the stage's other outputs follow from this one."""
    answers = [one for one in stage.outputs if is_of_answers(one.path)]
    return output in answers if answers else output.cached


def _within_noise(change: CandidateChange) -> bool:
    if not change.questions or any(change.left_out):
        return False
    if change.same_answers:
        return True
    p_values = [score.p_corrected for score in change.scores.values()]
    return all(value is not None and value >= LEVEL for value in p_values)


def _winner(text: str | None) -> str | None:
    """Return the chosen candidate; None without a readable file."""
    try:
        return str(json.loads(text)["winner"]) if text is not None else None
    except (ValueError, KeyError, TypeError):
        return None


def _detail(before: Before, clone: Clone, stage: Stage, output: Output, exams: Exams) -> str:
    md5, made = before.md5(stage, output), clone.project / output.path
    if md5 is None:
        return "the commit has none"
    if (change := exams.get(output.path)) is not None:
        return _exam(change)
    if made.is_dir():
        return describe_folder(folder_files(md5), files_below(made), made)
    content = before.content(output, md5)
    if content is None:
        return "amount unknown: the commit's own file is not here"
    return describe_file(Path(output.path), content, made.read_bytes())


def _exam(change: CandidateChange) -> str:
    if change.same_answers:
        return "all answers and scores are the same"
    if not change.questions:
        return "no common question"
    flips = {way: sum(one.way == way for one in change.flipped) for way in ("gained", "lost")}
    said = "; ".join(score_sentence(change.scores[metric], label) for metric, label in NAMED)
    return (
        f"{said}; of {change.questions} questions, {flips['gained']} are newly right and "
        f"{flips['lost']} newly wrong"
    )
