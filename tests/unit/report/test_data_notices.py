"""What the report's first screen says of the data."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.exam import exam
from vestibular.core.data_metrics import DataMetrics, LeftOut
from vestibular.report.data_notices import data_notices

MODELS = {"good": 0.9, "poor": 0.4}


def audited(leaked: int = 0, dropped: int = 0, left_out: int = 0, **faults: int) -> DataMetrics:
    """Two splits of 200 questions, with the faults in the first."""
    sound = exam(MODELS).audit
    train, validation = (one.model_copy(update={"questions": 200}) for one in (sound.train,) * 2)
    reasons = {**dict.fromkeys(LeftOut.model_fields, 0), "empty_question": left_out}
    return sound.model_copy(
        update={
            "train": train.model_copy(
                update={
                    "faults": train.faults.model_copy(update=faults),
                    "left_out": LeftOut(**reasons),
                }
            ),
            "validation": validation,
            "leaks": sound.leaks.model_copy(
                update={
                    "questions": 200,
                    "clean_questions": 200 - leaked,
                    "dropped_from_train": dropped,
                }
            ),
        }
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, []),
        ({"answer_not_in_context": 3, "special_token": 90, "wrong_answer_start": 90}, []),
        ({"answer_not_in_context": 4}, ["4 of 400 questions have an answer that is not in their"]),
        ({"left_out": 1}, ["1 of 401 questions were left out. `vestibular data` shows every row."]),
        ({"answers_in_one_text": 40}, ["40 of 400 questions contain several answers in one text"]),
        ({"leaked": 9}, []),
        ({"leaked": 10}, ["reveal the answers to 10 of 200 validation questions"]),
        ({"leaked": 10, "dropped": 7}, []),
    ],
)
def test_what_matters_is_told(found: dict[str, Any], said: list[str]) -> None:
    """From one question in a hundred on; whatever is left out; leaks from one in twenty on."""
    notices = data_notices(audited(**found))
    assert len(notices) == len(said)
    for notice, words in zip(notices, said, strict=True):
        assert words in notice


def test_it_stands_on_the_first_screen(tmp_path: Path) -> None:
    """Above the leaderboard; a page of sound data has no such notice."""
    made = exam(MODELS)
    sound = made.write(tmp_path / "sound.html").read_text(encoding="utf-8")
    assert "were left out" not in sound.partition('id="leaderboard"')[0]
    made.audit = audited(left_out=2)
    odd = made.write(tmp_path / "odd.html").read_text(encoding="utf-8")
    assert "2 of 402 questions were left out" in odd.partition('id="leaderboard"')[0]
