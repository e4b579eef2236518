"""What changed between two runs, and whether the scores differ beyond noise.

A candidate's answers of both runs are compared on the same questions, in pairs. Where one run's
answers are not here, its scores are set beside the other's, and no test is made. Nothing here
imports torch.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from vestibular.core.documents import document_numbers
from vestibular.core.exam_results import AnsweredQuestion
from vestibular.core.metrics import METRICS
from vestibular.registry.revisions import Interval, NoAnswersError, Revision
from vestibular.selection.uncertainty import LEVEL, Bootstrap, holm, mcnemar
from vestibular.selection.wording import METRIC_NAMES, amount, number, probability

MARKS = {"gained": "+", "lost": "-"}
NEVER = ("train.seeds", "evaluate.folds")
"""Settings of which a candidate's own training and exam are independent."""

Rows = Sequence[AnsweredQuestion]
Pair = tuple[AnsweredQuestion, AnsweredQuestion]


class _Source(NamedTuple):
    title: str
    context: str


def compare(old: Revision, new: Revision, seed: int) -> dict[str, Any]:
    """Compare two runs, candidate by candidate.

    Both runs' out-of-fold answers are compared if both have the same folds, else those to the
    validation questions. Of these the ones count that both runs asked, with equal references.

    Returns:
        `candidates`: for each in both runs the `questions` compared, and how many of each run
        were not (`left_out`), `exact_match` and `f1` (`old`, `new`, and the difference with
        interval, `p_value` and `p_holm`), the `flipped` rows, what `changed` (settings, data,
        base, code); `added` and `removed` candidates; and the `basis`. Where answers are missing,
        `missing` says which, and `scores` holds those of both runs (None: not known either), unless
        the hashes say that they are `equal`.

    Raises:
        DataError: a run did not examine a candidate.
        GitError: git does not have a revision's files.
    """
    folds = old.folds if old.folds == new.folds else ()
    both = [name for name in new.candidates if name in old.candidates]
    found = {}
    for name in both:
        found[name] = _compared(old, new, name, folds, seed)
        found[name]["changed"] = _changed(old, new, name)
    for metric in METRIC_NAMES:
        raw = {name: row[metric]["p_value"] for name, row in found.items() if row["questions"]}
        for name, corrected in holm(raw).items():
            found[name][metric]["p_holm"] = corrected
    return {
        "basis": "out_of_fold" if folds else "validation",
        "candidates": found,
        "added": [name for name in new.candidates if name not in old.candidates],
        "removed": [name for name in old.candidates if name not in new.candidates],
    }


def _compared(
    old: Revision, new: Revision, name: str, folds: tuple[str, ...], seed: int
) -> dict[str, Any]:
    answers: list[Rows] = []
    missing = []
    for revision in (old, new):
        try:
            answers.append(revision.answers(name, folds))
        except NoAnswersError as error:
            missing.append(str(error))
    if missing and old.answer_hashes(name, folds) == new.answer_hashes(name, folds):
        return {"questions": 0, "equal": True, "flipped": []}
    if missing:
        scores = [revision.scores(name) for revision in (old, new)]
        return {"questions": 0, "missing": missing, "scores": scores, "flipped": []}
    pairs = _pairs(*answers)
    return {
        "questions": len(pairs),
        "left_out": [len(rows) - len(pairs) for rows in answers],
        **_differences(pairs, seed),
        "flipped": _flipped(pairs),
    }


def _pairs(old: Rows, new: Rows) -> list[Pair]:
    def key(row: AnsweredQuestion) -> tuple[str, ...]:
        return (row.id, row.title, row.question, *row.references)

    before = {key(row): row for row in old}
    return [(before[key(row)], row) for row in new if key(row) in before]


def _differences(pairs: Sequence[Pair], seed: int) -> dict[str, Any]:
    if not pairs:
        return {}
    # rows of earlier versions name no context: there a title is a document
    documents = document_numbers(
        [_Source(new.title, new.context or old.context or new.title) for old, new in pairs]
    )
    found: dict[str, Any] = {}
    for metric in METRICS:
        old = [row.score(metric) for row, _ in pairs]
        new = [row.score(metric) for _, row in pairs]
        drawn = Bootstrap(documents, {"old": old, "new": new}, seed)
        difference = drawn.difference("new", "old")
        p_value = difference.p_value
        if metric == "exact_match":
            p_value = mcnemar(
                sum(one > two for one, two in zip(new, old, strict=True)),
                sum(one < two for one, two in zip(new, old, strict=True)),
            )
        found[metric] = {
            "old": sum(old) / len(old),
            "new": sum(new) / len(new),
            "value": difference.value,
            "low": difference.low,
            "high": difference.high,
            "p_value": p_value,
        }
    return found


def _flipped(
    pairs: Sequence[Pair],
) -> list[dict[str, Any]]:
    """Return the questions that one of the two runs alone has right."""
    return [
        {
            "id": new.id,
            "question": new.question,
            "references": list(new.references),
            "old": old.answer,
            "new": new.answer,
            "way": "gained" if new.exact_match else "lost",
        }
        for old, new in pairs
        if old.exact_match != new.exact_match
    ]


def _changed(old: Revision, new: Revision, name: str) -> dict[str, list[str]]:
    """Say what differs in settings, data, base and code, a line each."""
    before, after = old.settings(name), new.settings(name)
    settings = [
        f"{key}: {_shown(before, key)} -> {_shown(after, key)}"
        for key in sorted({*before, *after})
        if key not in NEVER and before.get(key) != after.get(key)
    ]
    read_before, read_after = old.inputs(name), new.inputs(name)
    differing = [
        path
        for path in sorted({*read_before, *read_after})
        if read_before.get(path) != read_after.get(path)
    ]
    return {
        "settings": settings,
        "data": [path for path in differing if path.startswith("data/prepared")],
        "base": [path for path in differing if path.startswith("data/bases/")],
        "code": [path for path in differing if path.startswith(("src/", "stages/", "code/"))],
    }


def _shown(settings: Mapping[str, Any], key: str) -> str:
    text = repr(settings[key]) if key in settings else "not set"
    return text if len(text) <= 60 else text[:57] + "..."


def as_text(found: Mapping[str, Any], old: Revision, new: Revision, most: int | None) -> str:
    """Lay a comparison out for a terminal, with at most so many flipped questions a candidate."""
    basis = "out-of-fold answers" if found["basis"] == "out_of_fold" else "validation questions"
    lines = [f"{old.name} -> {new.name}, on the {basis}"]
    for name, row in found["candidates"].items():
        lines += ["", name]
        if row.get("equal"):
            lines.append("  every answer is the same: the files have equal hashes")
        elif row.get("missing"):
            lines += _unpaired(row, old, new)
        elif not row["questions"]:
            lines.append("  no question is the same in both, so that nothing can be compared")
        else:
            lines += [
                f"  {_sentence(row[metric], label)}" for metric, label in METRIC_NAMES.items()
            ]
            lines += _flips(row, most)
        for kind, changes in row["changed"].items():
            lines += [f"  {kind}: {change}" for change in changes]
        if not any(row["changed"].values()):
            lines.append("  settings, data, base and code are the same")
            if row.get("missing") or row["flipped"]:
                lines.append(
                    "  so that differences come from the processor or the packages: on another "
                    "machine a run is similar to this one, and not always equal"
                )
    for kind in ("added", "removed"):
        if found[kind]:
            lines += ["", f"{kind}: {', '.join(found[kind])}"]
    return "\n".join(lines)


def _unpaired(row: Mapping[str, Any], old: Revision, new: Revision) -> list[str]:
    """Say what is not here, and set the scores beside each other."""
    lines = [f"  not compared question by question: {reason}" for reason in row["missing"]]
    before, after = row["scores"]
    for revision, scores in ((old, before), (new, after)):
        if scores is None:
            lines.append(f"  the scores of {revision.name} are not known either")
    if before is None or after is None:
        return lines
    lines.append("  on the validation questions, by the scores alone:")
    for metric, label in METRIC_NAMES.items():
        one, other = before.values.score(metric), after.values.score(metric)
        first, second = before.intervals.get(metric), after.intervals.get(metric)
        lines.append(f"    {label} {_with_interval(one, first)} -> {_with_interval(other, second)}")
        if first and second:
            similar = first.low <= other <= first.high and second.low <= one <= second.high
            lines[-1] += (
                ": similar to it, each within the other's interval"
                if similar
                else ": outside the other's interval; answers in pairs would tell more"
            )
    return lines


def _with_interval(score: float, interval: Interval | None) -> str:
    if interval is None:
        return number(score)
    return f"{number(score)} ({number(interval.low)} to {number(interval.high)})"


def advice(found: Mapping[str, Any], remote: Callable[[], bool]) -> str | None:
    """Say how answers that are missing may be had; None where none are.

    Args:
        found: what `compare` returns.
        remote: says whether DVC knows a remote, which takes a second.
    """
    if not any(row.get("missing") for row in found["candidates"].values()):
        return None
    if remote():
        return (
            "`dvc fetch --all-commits` gets the missing answers, if they were pushed; then run "
            "this again"
        )
    return (
        "no DVC remote is set up here, so that only the machine that gave the missing answers has "
        "them"
    )


def _sentence(row: Mapping[str, float], label: str) -> str:
    if row["p_holm"] < LEVEL:
        verdict = "better" if row["value"] > 0 else "worse"
        verdict += ", beyond noise"
    else:
        verdict = "within the noise"
    # not the bootstrap's, as the interval is: the two may disagree where little differs
    test = "McNemar's " if label == METRIC_NAMES["exact_match"] else ""
    return (
        f"{label} {number(row['old'])} -> {number(row['new'])}: {verdict} (difference "
        f"{row['value']:+.3f}, {number(row['low'])} to {number(row['high'])}, "
        f"{test}{probability(row['p_holm'])} after Holm's correction)"
    )


def _flips(row: Mapping[str, Any], most: int | None) -> list[str]:
    flipped = row["flipped"]
    counts = {way: sum(one["way"] == way for one in flipped) for way in MARKS}
    lines = [
        f"  of {amount(row['questions'])} questions {counts['gained']} are right now that were "
        f"not, {counts['lost']} no longer are"
    ]
    if any(row["left_out"]):
        before, after = map(amount, row["left_out"])
        lines.append(
            f"  not compared: {before} questions of the old run and {after} of the new one, which "
            "the other did not ask in the same words"
        )
    lines += [
        f"    {MARKS[one['way']]} {one['question']} [{one['id']}]  {one['old']!r} -> {one['new']!r}"
        for one in flipped[:most]
    ]
    if most is not None and len(flipped) > most:
        lines.append(f"    and {len(flipped) - most} more (--all shows them)")
    return lines
