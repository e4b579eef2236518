"""Reference points: scores of trivial answers, and the agreement of annotators.

They are scored on the candidates' own questions by the same rules. A candidate's untouched base is
a reference point too; it was examined with the candidate. Nothing here imports torch.
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
    "(?<=[.!?;\u0964\u061f])\\s+"  # including danda and Arabic question mark
    "|(?<=[\u3002\uff01\uff1f\uff1b])\\s*"  # Chinese and Japanese marks, which need no space
    "|\\s*\\n\\s*"
)
"""A full stop, exclamation mark, question mark or semicolon before white space, or a newline."""

Scores = dict[str, list[float]]
"""For each metric, the score of every question."""


def sentences(context: str) -> list[str]:
    """Split a text into sentences: after `.`, `!`, `?` or `;` before white space, and at newlines.

    The semicolon counts because rules and lists, which are frequent in such texts, end their items
    with it. Case does not matter: some datasets have none.
    """
    return [piece for piece in SENTENCE_END.split(context.strip()) if piece]


def overlap_sentence(question: Question, rules: Normalization) -> str:
    """Return the context's sentence that shares the most words with the question.

    Words are compared as in scoring: lower case, without punctuation and the language's articles. A
    word counts once, however often it occurs. Of several such sentences the first is returned.
    """
    asked = set(rules.words(question.question))
    return max(
        sentences(question.context),
        key=lambda sentence: len(asked & set(rules.words(sentence))),
    )


def score_answers(
    questions: Sequence[Question], answers: Sequence[str], rules: Normalization
) -> Scores:
    """Return the scores of each answer against its best-matching reference.

    The right answer to a question without one in its context is the empty text, as in SQuAD v2.0:
    no reference point outputs the text that marks unanswerable questions.
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
    """Return the scores of the baselines, answers that need no model."""
    answers = {
        EMPTY_ANSWER: ["" for _ in questions],
        WHOLE_CONTEXT: [question.context for question in questions],
        OVERLAP_SENTENCE: [overlap_sentence(question, rules) for question in questions],
    }
    return {name: score_answers(questions, given, rules) for name, given in answers.items()}


def annotator_scores(questions: Sequence[Question], rules: Normalization) -> Scores:
    """Return the agreement of the annotators, one score per question with several references.

    Each reference is scored against the others, and a question's score is the mean over its
    references. A system is compared with one reference more, so that this is slightly below the
    score of a system that answers like an annotator.
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
