"""What changed between two runs, and whether the scores differ beyond noise.

A candidate's answers of both runs are compared on the same questions, in pairs. Nothing here
imports torch.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vestibular.core.documents import document_numbers
from vestibular.core.exam_results import AnsweredQuestion
from vestibular.core.metrics import METRICS
from vestibular.registry.revisions import Revision
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
        `candidates`: for each in both runs the `questions` compared, `exact_match` and `f1`
        (`old`, `new`, and the difference with interval, `p_value` and `p_holm`), the `flipped`
        rows, what `changed` (settings, data, base, code); `added` and `removed` candidates; and
        the `basis`.

    Raises:
        DataError: a run's answers are not in DVC's cache.
    """
    folds = old.folds if old.folds == new.folds else ()
    both = [name for name in new.candidates if name in old.candidates]
    found = {}
    for name in both:
        pairs = _pairs(old.answers(name, folds), new.answers(name, folds))
        found[name] = {
            "questions": len(pairs),
            **_differences(pairs, seed),
            "flipped": _flipped(pairs),
            "changed": _changed(old, new, name),
        }
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
        if not row["questions"]:
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
    for kind in ("added", "removed"):
        if found[kind]:
            lines += ["", f"{kind}: {', '.join(found[kind])}"]
    return "\n".join(lines)


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
    lines += [
        f"    {MARKS[one['way']]} {one['question']} [{one['id']}]  {one['old']!r} -> {one['new']!r}"
        for one in flipped[:most]
    ]
    if most is not None and len(flipped) > most:
        lines.append(f"    and {len(flipped) - most} more (--all shows them)")
    return lines
