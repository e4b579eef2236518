"""Reference points: what answers without any cleverness score, and what annotators do.

They are scored on the candidates' own questions by the same rules. A candidate's untouched
base is a reference point too; it has been examined with the candidate. Nothing here imports
torch.
"""

import re
from collections.abc import Callable, Sequence

from vestibular.core.questions import Question
from vestibular.scoring.normalization import Normalization
from vestibular.scoring.scoring import best, exact_match, f1

EMPTY_ANSWER = "empty_answer"
WHOLE_CONTEXT = "whole_context"
OVERLAP_SENTENCE = "overlap_sentence"
UNTOUCHED_BASE = "untouched_base"
ANNOTATORS = "annotators"

SENTENCE_END = re.compile(
    "(?<=[.!?;\u0964\u061f])\\s+"  # with a danda and an Arabic question mark
    "|(?<=[\u3002\uff01\uff1f\uff1b])\\s*"  # of Chinese and Japanese, which need no space
    "|\\s*\\n\\s*"
)
"""A full stop, exclamation mark, question mark or semicolon before white space, or a new line."""

Scores = dict[str, list[float]]
"""For each metric the score of every question."""


def sentences(context: str) -> list[str]:
    """Cut a text into sentences: after `.`, `!`, `?` or `;` before white space, and at new lines.

    The semicolon counts since rules and lists, of which such texts are full, end their items
    with it. Case does not matter: some datasets have none.
    """
    return [piece for piece in SENTENCE_END.split(context.strip()) if piece]


def overlap_sentence(question: Question, rules: Normalization) -> str:
    """Return the context's sentence that holds most of the question's words.

    Words are compared as in scoring: lower case, without punctuation and the language's
    articles. A word counts once, however often it occurs. Of several such sentences the first
    is taken.
    """
    asked = set(rules.words(question.question))
    return max(
        sentences(question.context),
        key=lambda sentence: len(asked & set(rules.words(sentence))),
    )


def score_answers(
    questions: Sequence[Question], answers: Sequence[str], rules: Normalization
) -> Scores:
    """Return the scores of each answer against the reference that suits it best.

    A question that its context does not answer has one right answer, the empty one, as in SQuAD
    v2.0: no reference point says the text that stands for it.
    """

    def each(score: Callable[[str, str, Normalization], float]) -> list[float]:
        return [
            best(score, answer, asked.answers, rules)
            if asked.answerable
            else float(not rules.text(answer))
            for answer, asked in zip(answers, questions, strict=True)
        ]

    return {"exact_match": each(exact_match), "f1": each(f1)}


def baseline_scores(questions: Sequence[Question], rules: Normalization) -> dict[str, Scores]:
    """Return the scores of the answers that need no model."""
    answers = {
        EMPTY_ANSWER: ["" for _ in questions],
        WHOLE_CONTEXT: [question.context for question in questions],
        OVERLAP_SENTENCE: [overlap_sentence(question, rules) for question in questions],
    }
    return {name: score_answers(questions, given, rules) for name, given in answers.items()}


def annotator_scores(questions: Sequence[Question], rules: Normalization) -> Scores:
    """Return how well the annotators agree, one score a question with several references.

    Each reference is scored against the others, and a question's score is the mean over its
    references. A system has one reference more to meet, so that this is a little below what it
    could reach by answering like an annotator.
    """
    scores: Scores = {"exact_match": [], "f1": []}
    for question in questions:
        several = question.answers
        if len(several) < 2:
            continue
        for name, score in (("exact_match", exact_match), ("f1", f1)):
            each = [
                best(score, given, several[:place] + several[place + 1 :], rules)
                for place, given in enumerate(several)
            ]
            scores[name].append(sum(each) / len(each))
    return scores
