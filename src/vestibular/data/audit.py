"""Audit of single questions: records faults and corrects those that can be corrected.

Only a question that cannot be asked or scored (no words, no context, no answer) is left out.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vestibular.core.characters import composed, is_visible, mostly_without_spaces
from vestibular.core.data_metrics import Rows, SplitMetrics
from vestibular.core.documents import document_numbers
from vestibular.core.questions import Question
from vestibular.data.findings import (
    SEVERAL_ANSWERS,
    Findings,
    Origin,
    RefusedDataError,
    refusal,
    refused,
)
from vestibular.data.locating import composed_places, places
from vestibular.data.sources import SourceAnswer, SourceQuestion
from vestibular.scoring.normalization import Normalization

SEPARATORS = "|;"
"""Characters that often separate several answers in one cell."""


@dataclass
class Audit:
    """Findings in one split."""

    findings: Findings
    present: int
    """Number of source rows that belong to this split."""
    origins: dict[str, Origin]
    """Source position of each question that was kept, by id."""

    def as_metrics(self, questions: Sequence[Question], sha256: str) -> SplitMetrics:
        """Return the counts for the `questions` that were kept, with every kind of fault."""
        references = Counter(len(question.answers) for question in questions)
        contexts = {question.context for question in questions}
        left_out, faults, converted = self.findings.as_metrics()
        return SplitMetrics(
            sha256=sha256,
            documents=len(set(document_numbers(questions))),
            contexts=len(contexts),
            questions=len(questions),
            unanswerable=sum(not question.answerable for question in questions),
            references_per_question={str(count): references[count] for count in sorted(references)},
            rows=Rows(
                present=self.present,
                read=len(questions),
                left_out=sum(left_out.model_dump().values()),
            ),
            contexts_without_spaces=sum(map(mostly_without_spaces, contexts)),
            left_out=left_out,
            faults=faults,
            converted=converted,
        )


def audit(
    records: Sequence[SourceQuestion],
    source: Path,
    unanswerable: str | None,
    rules: Normalization,
    findings: Findings | None = None,
) -> tuple[list[Question], Audit]:
    """Check questions one by one; record and correct faults.

    An answer's offset that does not point at its text is replaced by the nearest position of the
    text. A duplicate id gets a unique suffix. Texts stay as they are written; they are compared in
    Unicode's composed form.

    Args:
        records: the questions as in the source.
        source: their file, for messages.
        unanswerable: answer to a question that its context does not answer; if None, a question
            without an answer is left out.
        rules: normalization of answers.
        findings: earlier findings about these questions; extended here.

    Raises:
        DataError: no question is left, or some are marked as impossible and there is no answer for
            these.
    """
    found = Findings() if findings is None else findings
    if unanswerable is None and (impossible := [one for one in records if one.impossible]):
        raise RefusedDataError(
            refused(
                "impossible_without_setting",
                record.origin,
                f"question {record.id} is marked as impossible to answer; set data.unanswerable "
                "in params.yaml to the text that the model should answer",
            )
            for record in impossible
        )
    ids = _Ids(records)
    asked: set[tuple[str, str]] = set()
    questions: list[Question] = []
    origins: dict[str, Origin] = {}
    for record in records:
        answers = [
            answer for answer in record.answers if is_visible(answer.text) and not record.impossible
        ]
        if reason := _unusable(record, answers, unanswerable):
            stands = {"empty_question": record.question, "empty_context": record.context}
            found.add(
                reason,
                record.origin,
                stands.get(reason, "no answer"),
                "left out",
                question=record.id,
            )
            continue
        _note_left_out_answers(record, answers, found)
        key = composed(record.context), composed(record.question)
        if key in asked:
            found.add("duplicate_question", record.origin, record.question, "kept", record.id)
        asked.add(key)
        name = ids.unique(record, found)
        texts = tuple(answer.text for answer in answers)
        for text in texts:
            # only an empty answer, or an article, is right then
            if not rules.text(text):
                found.add("answer_of_articles_alone", record.origin, text, "kept", record.id)
        starts = tuple(_locate(record, answer, found) for answer in answers)
        origins[name] = record.origin
        questions.append(
            Question(
                id=name,
                title=record.title,
                context=record.context,
                question=record.question,
                answers=texts or (unanswerable or "",),
                answer_starts=starts or (-1,),
                answerable=bool(texts),
            )
        )
    if not questions:
        counts = found.as_metrics()[0].model_dump().items()
        reasons = ", ".join(f"{count} {reason}" for reason, count in counts if count)
        what = f"no valid question left ({reasons or 'the file has none'})"
        raise refusal("no_question", Origin(source), what)
    return questions, Audit(found, len(records), origins)


def _note_left_out_answers(
    record: SourceQuestion, kept: Sequence[SourceAnswer], found: Findings
) -> None:
    """Record the answers of a question that do not count."""
    kind = "answer_of_impossible" if record.impossible else "empty_answer"
    for answer in record.answers:
        if answer not in kept:
            found.add(kind, record.origin, answer.text, "the answer was left out", record.id)
    if not kept and record.impossible is False:
        what = "marked as possible, without an answer"
        done = "treated as a question that its context does not answer"
        found.add("no_answer_though_possible", record.origin, what, done, record.id)


def _unusable(
    record: SourceQuestion, answers: list[SourceAnswer], unanswerable: str | None
) -> str | None:
    if not is_visible(record.question):
        return "empty_question"
    if not is_visible(record.context):
        return "empty_context"
    if not answers and unanswerable is None:
        return "no_answer"
    return None


class _Ids:
    """Unique ids for all questions."""

    def __init__(self, records: Sequence[SourceQuestion]) -> None:
        self.taken = {record.id for record in records}
        self.seen: Counter[str] = Counter()

    def unique(self, record: SourceQuestion, found: Findings) -> str:
        """Return the record's id, with a suffix if another question has the same id."""
        self.seen[record.id] += 1
        if self.seen[record.id] == 1:
            return record.id
        while (name := f"{record.id}#{self.seen[record.id]}") in self.taken:
            self.seen[record.id] += 1
        self.taken.add(name)
        found.add("duplicate_id", record.origin, record.id, f"called {name}", record.id)
        return name


def _locate(record: SourceQuestion, answer: SourceAnswer, found: Findings) -> int:
    """Return the position of the answer closest to the stated one; -1 if it does not occur."""
    stated, text, context = answer.start, answer.text, record.context
    if stated is not None and stated >= 0 and context.startswith(text, stated):
        return stated
    standing = places(context, text)
    if not standing and (standing := composed_places(context, text)):
        found.add("answer_in_other_form", record.origin, text, "kept as it is written", record.id)
    place = min(standing, key=lambda place: abs(place - (stated or 0))) if standing else -1
    # a source without offsets has no wrong ones
    if stated is not None and place != stated:
        where = f"moved to {place}" if standing else "treated as unknown"
        what = f"{stated} for {text!r}"
        found.add("wrong_answer_start", record.origin, what, f"the offset was {where}", record.id)
    if not standing and _are_several(text, context):
        done = f"kept; {SEVERAL_ANSWERS}"
        found.add("answers_in_one_text", record.origin, text, done, record.id)
    elif not standing:
        found.add("answer_not_in_context", record.origin, text, "kept", record.id)
    return place


def _are_several(text: str, context: str) -> bool:
    """Return whether a text that its context lacks is a list of texts that the context has."""
    for mark in SEPARATORS:
        parts = [part.strip() for part in text.split(mark) if is_visible(part)]
        if len(parts) > 1 and all(
            places(context, part) or composed_places(context, part) for part in parts
        ):
            return True
    return False
