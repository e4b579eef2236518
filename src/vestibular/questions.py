"""The prepared questions: audited, flat, one split a file.

The audit counts what is wrong and mends what can be mended. A question that cannot be asked or
scored (no words, no context, no answer) is left out and counted; nothing else is.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vestibular.errors import DataError
from vestibular.files import read_json_lines, write_json_lines
from vestibular.squad import SquadAnswer, SquadDocument

SPLITS = ("train", "validation")


@dataclass(frozen=True)
class Question:
    """A question about a context, with its reference answers."""

    id: str
    title: str
    """Document that the context is from."""
    context: str
    question: str
    answers: tuple[str, ...]
    """One text an annotator, at least one; the first is the one that is learned."""
    answer_starts: tuple[int, ...]
    """Where each answer stands in the context, in characters; -1 where it does not."""


@dataclass
class Audit:
    """What was found in one split."""

    documents: int = 0
    contexts: int = 0
    questions: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Questions that cannot be asked or scored, by reason."""
    faults: Counter[str] = field(default_factory=Counter)
    """Answers and questions that are kept, by what is wrong with them."""
    references: Counter[int] = field(default_factory=Counter)
    """Questions by their number of reference answers."""

    def as_metrics(self) -> dict[str, Any]:
        """Return the counts as plain JSON values, every kind of fault named."""
        return {
            "documents": self.documents,
            "contexts": self.contexts,
            "questions": self.questions,
            "references_per_question": {
                str(count): self.references[count] for count in sorted(self.references)
            },
            "left_out": {reason: self.left_out[reason] for reason in LEFT_OUT},
            "faults": {fault: self.faults[fault] for fault in FAULTS},
        }


LEFT_OUT = ("empty_question", "empty_context", "no_answer")
FAULTS = (
    "wrong_answer_start",
    "answer_not_in_context",
    "empty_answer",
    "duplicate_question",
    "duplicate_id",
)


def audit_documents(
    documents: Iterable[SquadDocument], source: Path
) -> tuple[list[Question], Audit]:
    """Flatten documents to questions, counting and mending faults.

    An answer's offset that does not point at its text is replaced by the nearest place where
    the text stands. A repeated id gets a suffix, so that every id is one question's.

    Raises:
        DataError: no question is left.
    """
    audit = Audit()
    questions: list[Question] = []
    titles: set[str] = set()
    contexts: set[str] = set()
    asked: set[tuple[str, str]] = set()
    ids: Counter[str] = Counter()
    for number, document in enumerate(documents):
        title = document.title or f"document {number + 1}"
        for paragraph in document.paragraphs:
            for row in paragraph.qas:
                reason = _unusable(paragraph.context, row.question, row.answers)
                if reason:
                    audit.left_out[reason] += 1
                    continue
                kept = [answer for answer in row.answers if answer.text.strip()]
                audit.faults["empty_answer"] += len(row.answers) - len(kept)
                starts = tuple(_locate(paragraph.context, answer, audit) for answer in kept)
                if (paragraph.context, row.question) in asked:
                    audit.faults["duplicate_question"] += 1
                asked.add((paragraph.context, row.question))
                ids[row.id] += 1
                if ids[row.id] > 1:
                    audit.faults["duplicate_id"] += 1
                titles.add(title)
                contexts.add(paragraph.context)
                audit.references[len(kept)] += 1
                questions.append(
                    Question(
                        id=row.id if ids[row.id] == 1 else f"{row.id}#{ids[row.id]}",
                        title=title,
                        context=paragraph.context,
                        question=row.question,
                        answers=tuple(answer.text for answer in kept),
                        answer_starts=starts,
                    )
                )
    if not questions:
        reasons = ", ".join(f"{count} {reason}" for reason, count in audit.left_out.items())
        raise DataError(f"{source}: no valid question left ({reasons or 'the file has none'})")
    audit.documents, audit.contexts = len(titles), len(contexts)
    audit.questions = len(questions)
    return questions, audit


def _unusable(context: str, question: str, answers: list[SquadAnswer]) -> str | None:
    if not question.strip():
        return "empty_question"
    if not context.strip():
        return "empty_context"
    if not any(answer.text.strip() for answer in answers):
        return "no_answer"
    return None


def _locate(context: str, answer: SquadAnswer, audit: Audit) -> int:
    """Return where the answer stands, the place nearest to the stated one; -1 for nowhere."""
    stated, text = answer.answer_start, answer.text
    if stated >= 0 and context.startswith(text, stated):
        return stated
    audit.faults["wrong_answer_start"] += 1
    places = []
    place = context.find(text)
    while place >= 0:
        places.append(place)
        place = context.find(text, place + 1)
    if not places:
        audit.faults["answer_not_in_context"] += 1
        return -1
    return min(places, key=lambda place: abs(place - stated))


def write_questions(folder: Path, split: str, questions: Iterable[Question]) -> None:
    """Write one split of prepared questions."""
    write_json_lines(folder / f"{split}.jsonl", (asdict(question) for question in questions))


def read_questions(folder: Path, split: str) -> list[Question]:
    """Read one split of prepared questions.

    Raises:
        DataError: `prepare` has not run.
    """
    path = folder / f"{split}.jsonl"
    if not path.exists():
        raise DataError(f"{path}: not found; run `dvc repro prepare` first")
    return [
        Question(
            **{**row, "answers": tuple(row["answers"])}
            | {"answer_starts": tuple(row["answer_starts"])}
        )
        for row in read_json_lines(path)
    ]
