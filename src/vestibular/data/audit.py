"""Checks questions one by one, counting what is wrong and mending what can be mended.

A question that cannot be asked or scored (no words, no context, no answer) is left out and
counted; nothing else is.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vestibular.core.data_metrics import Faults, LeftOut, SplitMetrics
from vestibular.core.documents import document_numbers
from vestibular.core.errors import DataError
from vestibular.core.questions import Question
from vestibular.data.records import Record, SourceAnswer
from vestibular.scoring.normalization import Normalization


@dataclass
class Audit:
    """What was found in one split."""

    left_out: Counter[str] = field(default_factory=Counter)
    """Questions that cannot be asked or scored, by reason."""
    faults: Counter[str] = field(default_factory=Counter)
    """Answers and questions that are kept, by what is wrong with them."""

    def as_metrics(self, questions: Sequence[Question], sha256: str) -> SplitMetrics:
        """Return the counts for the `questions` that are kept, every kind of fault named."""
        references = Counter(len(question.answers) for question in questions)
        return SplitMetrics(
            sha256=sha256,
            documents=len(set(document_numbers(questions))),
            contexts=len({question.context for question in questions}),
            questions=len(questions),
            unanswerable=sum(not question.answerable for question in questions),
            references_per_question={str(count): references[count] for count in sorted(references)},
            left_out=LeftOut(**{reason: self.left_out[reason] for reason in LeftOut.model_fields}),
            faults=Faults(**{fault: self.faults[fault] for fault in Faults.model_fields}),
        )


def audit(
    records: Iterable[Record], source: Path, unanswerable: str | None, rules: Normalization
) -> tuple[list[Question], Audit]:
    """Check questions one by one, counting and mending faults.

    An answer's offset that does not point at its text is replaced by the nearest place where
    the text stands. A repeated id gets a suffix, so that every id is one question's.

    Args:
        records: the questions as the source states them.
        source: their file, for messages.
        unanswerable: answer to a question that its context does not answer; if it is None, a
            question without an answer is left out.
        rules: what of an answer's spelling does not count.

    Raises:
        DataError: no question is left, or some are marked as impossible and no answer to them
            is stated.
    """
    found = Audit()
    questions: list[Question] = []
    asked: set[tuple[str, str]] = set()
    ids: Counter[str] = Counter()
    for record in records:
        if record.impossible and unanswerable is None:
            raise DataError(
                f"{source}: question {record.id} is marked as impossible to answer; write in "
                "params.yaml as data.unanswerable what the model should answer then"
            )
        answers = [answer for answer in record.answers if answer.text.strip()]
        if record.impossible:
            answers = []
        if reason := _unusable(record, answers, unanswerable):
            found.left_out[reason] += 1
            continue
        if not record.impossible:
            found.faults["empty_answer"] += len(record.answers) - len(answers)
        texts = tuple(answer.text for answer in answers)
        # no answer but an empty one, or an article, is right then
        found.faults["answer_of_articles_alone"] += sum(not rules.text(text) for text in texts)
        starts = tuple(_locate(record.context, answer, found) for answer in answers)
        if (record.context, record.question) in asked:
            found.faults["duplicate_question"] += 1
        asked.add((record.context, record.question))
        ids[record.id] += 1
        if ids[record.id] > 1:
            found.faults["duplicate_id"] += 1
        questions.append(
            Question(
                id=record.id if ids[record.id] == 1 else f"{record.id}#{ids[record.id]}",
                title=record.title,
                context=record.context,
                question=record.question,
                answers=texts or (unanswerable or "",),
                answer_starts=starts or (-1,),
                answerable=bool(texts),
            )
        )
    if not questions:
        reasons = ", ".join(f"{count} {reason}" for reason, count in found.left_out.items())
        raise DataError(f"{source}: no valid question left ({reasons or 'the file has none'})")
    return questions, found


def _unusable(record: Record, answers: list[SourceAnswer], unanswerable: str | None) -> str | None:
    if not record.question.strip():
        return "empty_question"
    if not record.context.strip():
        return "empty_context"
    if not answers and unanswerable is None:
        return "no_answer"
    return None


def _locate(context: str, answer: SourceAnswer, found: Audit) -> int:
    """Return where the answer stands, the place nearest to the stated one; -1 for nowhere."""
    stated, text = answer.start, answer.text
    if stated is not None and stated >= 0 and context.startswith(text, stated):
        return stated
    # a source without offsets has none that are wrong
    found.faults["wrong_answer_start"] += stated is not None
    places = []
    place = context.find(text)
    while place >= 0:
        places.append(place)
        place = context.find(text, place + 1)
    if not places:
        found.faults["answer_not_in_context"] += 1
        return -1
    return min(places, key=lambda place: abs(place - (stated or 0)))
