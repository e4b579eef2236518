"""Notices about faults in the data that are frequent enough to affect the result."""

from vestibular.core.data_metrics import DataMetrics
from vestibular.selection.phrases import counted

WEIGHTY = {
    "answers_in_one_text": "contain several answers in one text, which are compared as one",
    "answer_not_in_context": "have an answer that is not in their context",
    "answer_of_articles_alone": "have an answer that is empty after normalization",
    "duplicate_question": "were already asked about the same context",
}
"""Faults that affect what is learned and what a score means, by name."""
LEAST = 0.01
"""Share of the questions from which a fault is reported."""
LEAST_LEAKED = 0.05
"""Share of the validation questions from which leaks are reported."""


def data_notices(audit: DataMetrics) -> list[str]:
    """Return what must be known about the data, one sentence per kind; empty if they are sound."""
    splits = audit.splits().values()
    asked = sum(split.questions for split in splits)
    said = []
    if left_out := sum(sum(split.left_out.model_dump().values()) for split in splits):
        present = asked + left_out
        said.append(f"{left_out:,} of {counted(present, 'question')} were left out.")
    for kind, words in WEIGHTY.items():
        found = sum(getattr(split.faults, kind) for split in splits)
        if found >= LEAST * asked and found:
            said.append(f"{found:,} of {counted(asked, 'question')} {words}.")
    if said:
        said[-1] += " `vestibular data` shows every row."
    leaks = audit.leaks
    if leaks.given_away >= LEAST_LEAKED * leaks.questions and not leaks.dropped_from_train:
        said.append(leaks.sentence())
    return [" ".join(said)] if said else []
