"""What counts of an untouched base's answers, and how an exam scores them."""

import pytest

from tests.support.results import answered
from vestibular.core.exam_results import FirstLine, base_column, base_scores
from vestibular.core.questions import Question
from vestibular.scoring.normalization import Normalization


def test_of_a_base_the_better_of_two_ways_counts() -> None:
    """For all answers alike, in each metric: never an answer's whole here and its line there."""
    rows = [
        answered(exact_match=1.0, f1=1.0, first_line=FirstLine(exact_match=0.0, f1=0.0)),
        answered(exact_match=0.0, f1=0.2, first_line=FirstLine(exact_match=0.0, f1=1.0)),
        answered(exact_match=0.0, f1=0.2, first_line=FirstLine(exact_match=0.0, f1=1.0)),
    ]
    assert base_column(rows, "exact_match") == [1.0, 0.0, 0.0]
    assert base_column(rows, "f1") == [0.0, 1.0, 1.0]
    scores = base_scores(rows)
    assert (scores.exact_match, scores.f1) == (0.333333, 0.666667)


def test_a_file_without_first_lines_counts_as_it_is() -> None:
    """Those of earlier versions have none."""
    rows = [answered(exact_match=1.0, f1=1.0), answered(f1=0.5)]
    assert base_column(rows, "f1") == [1.0, 0.5]


@pytest.mark.slow
def test_a_bases_first_line_is_scored_beside_the_whole() -> None:
    """It answers right and rambles on; a fine-tuned model has to stop by itself."""
    from vestibular.examination.evaluation import official_scores, score

    questions = [
        Question(str(place), "t", "c", f"{place}?", ("Fundação",), (0,)) for place in range(2)
    ]
    answers = ["Fundação\nPergunta: quem?", "Fundac\u0327a\u0303o"]
    rules = Normalization("squad", "pt")
    asked = [[None], [None]]
    base = score(questions, asked, answers, rules, None, untouched=True)
    assert [row.exact_match for row in base] == [0, 1]
    assert [row.first_line.exact_match for row in base] == [1, 1]
    assert base_scores(base).exact_match == 1
    tuned = score(questions, asked, answers, rules, None, untouched=False)
    assert [row.first_line for row in tuned] == [None, None]
    assert [row.f1 for row in tuned] == [row.f1 for row in base]
    # the official script does not compose characters
    assert official_scores(base, rules, None).exact_match == 0
