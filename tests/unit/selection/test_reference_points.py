"""Reference points: hand-worked answers, and FaQuAD's published figures."""

from pathlib import Path

import pytest

from vestibular.core.questions import Question
from vestibular.data.audit import audit
from vestibular.data.squad import read_squad
from vestibular.scoring.normalization import Normalization
from vestibular.selection.reference_points import (
    annotator_scores,
    baseline_scores,
    overlap_sentence,
    score_answers,
    sentences,
)

PORTUGUESE = Normalization("squad", "pt")


def asked(question: str, context: str, *answers: str) -> Question:
    return Question("1", "t", context, question, answers, tuple(0 for _ in answers))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Um. Dois! Três? Quatro; cinco", ["Um.", "Dois!", "Três?", "Quatro;", "cinco"]),
        ("Lei 9.394 de 1996 vale.", ["Lei 9.394 de 1996 vale."]),
        ("一。二。三", ["一。", "二。", "三"]),
        ("एक। दो", ["एक।", "दो"]),
        (" título\n\n  texto sem ponto \n", ["título", "texto sem ponto"]),
    ],
)
def test_where_a_sentence_ends(text: str, expected: list[str]) -> None:
    """Stops before white space and new lines end a sentence; a stop within a number does not."""
    assert sentences(text) == expected


def test_the_sentence_with_most_question_words_is_taken() -> None:
    """Repeated words count once, articles not at all."""
    context = "A a a o curso curso. O diretor do curso é Raul. Nada."
    assert overlap_sentence(asked("Quem é o diretor do curso?", context, "x"), PORTUGUESE) == (
        "O diretor do curso é Raul."
    )


def test_of_equal_sentences_the_first_is_taken() -> None:
    """Ties are broken by the place in the context."""
    question = asked("Onde fica?", "Nada disso. Fica aqui. Fica ali.", "x")
    assert overlap_sentence(question, PORTUGUESE) == "Fica aqui."
    assert overlap_sentence(asked("Quando?", "Um. Dois.", "x"), PORTUGUESE) == "Um."


def test_annotators_are_scored_against_each_other() -> None:
    """Two of three agree: each of the two is right, the third is not; one alone says nothing."""
    several = asked("?", "c", "Ana Prado", "ana prado", "Raul")
    alone = asked("?", "c", "Ana")
    scores = annotator_scores([several, alone], PORTUGUESE)
    assert scores == {"exact_match": [pytest.approx(2 / 3)], "f1": [pytest.approx(2 / 3)]}


def test_faquads_validation_questions(faquad: Path) -> None:
    """The whole context and the overlap sentence score what is known of them, by SQuAD's rules."""
    path = faquad / "dev.json"
    questions, _ = audit(read_squad(path).records, path, None, Normalization())
    assert len(questions) == 63
    means = {
        name: {metric: sum(values) / 63 for metric, values in scores.items()}
        for name, scores in baseline_scores(questions, Normalization("squad", "en")).items()
    }
    assert means["empty_answer"] == {"exact_match": 0, "f1": 0}
    assert means["whole_context"]["f1"] == pytest.approx(0.273, abs=5e-4)
    assert 0.22 <= means["overlap_sentence"]["exact_match"] <= 0.26
    assert 0.54 <= means["overlap_sentence"]["f1"] <= 0.59
    assert means["overlap_sentence"]["exact_match"] == pytest.approx(15 / 63)


def test_a_reference_scores_fully() -> None:
    """Scores are against the best reference."""
    assert score_answers([asked("?", "c", "a b", "c d")], ["c d"], Normalization()) == {
        "exact_match": [1.0],
        "f1": [1.0],
    }


def test_no_answer_is_right_where_there_is_none() -> None:
    """For a question that its context does not answer the empty answer scores 1, any other 0."""
    asked = Question("1", "t", "Uma frase.", "Quem?", ("sem resposta",), (-1,), answerable=False)
    scores = score_answers([asked, asked], ["", "Uma frase."], PORTUGUESE)
    assert scores == {"exact_match": [1.0, 0.0], "f1": [1.0, 0.0]}
