"""An invented exam, with everything that a report is made of, for as many candidates as needed.

Its texts hold what breaks careless pages: tags, quotes, braces, letters beyond the first plane.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.commands import ROOT
from tests.support.results import answered, exam_cost, exam_details, prediction, training_cost
from vestibular.core.base_models import Pin
from vestibular.core.costs import CandidateCosts
from vestibular.core.data_metrics import (
    DataMetrics,
    Faults,
    LeakMetrics,
    LeftOut,
    SplitMetrics,
)
from vestibular.core.exam_results import ExamDetails, Parameters, Prediction
from vestibular.core.questions import Question
from vestibular.params.project import Params, load_params
from vestibular.report.report import write_report
from vestibular.scoring.normalization import Normalization
from vestibular.selection.answer_costs import cost_of
from vestibular.selection.comparison import Examined
from vestibular.selection.result import Selection
from vestibular.selection.selecting import select_candidate
from vestibular.selection.settings import SelectSettings

NASTY = '</script><b id="broken">𝄞 "{{ 1 }}" &amp; \u2028<!--'
WORDS = ("Quem", "Quando", "Onde", "Quantas pessoas", "Qual", "Como", "Por que", "O que")


@dataclass
class Exam:
    """All that `write_report` takes."""

    params: Params
    selection: Selection
    costs: dict[str, CandidateCosts]
    curves: dict[str, Any]
    predictions: dict[str, list[Prediction]]
    questions: list[Question]
    audit: DataMetrics
    pins: dict[str, Pin]

    def write(self, path: Path) -> Path:
        """Write the report."""
        write_report(
            path,
            self.params,
            self.selection,
            self.costs,
            self.curves,
            self.questions,
            self.predictions,
            self.audit,
            self.pins,
        )
        return path


def exam(shares: dict[str, float], count: int = 60, leaks: bool = False, **select: Any) -> Exam:
    """Make an exam.

    Args:
        shares: for each candidate the share of answers that it has right; a candidate named
            later costs a little more.
        count: number of questions.
        leaks: whether some questions share text with the training data.
        select: settings under `select` other than the project's own.
    """
    draw = random.Random(7)
    questions = [_question(number) for number in range(count)]
    predictions = {
        name: [
            _row(question, number, share, draw, leaks) for number, question in enumerate(questions)
        ]
        for name, share in shares.items()
    }
    costs = {
        name: CandidateCosts(run=name, train=training_cost(), evaluate=exam_cost())
        for name in shares
    }
    params = load_params(ROOT / "params.yaml")
    settings = SelectSettings.model_validate({**params.select.model_dump(), **select})
    candidates = {
        name: Examined(
            rows=predictions[name],
            cost=cost_of(_details(place), costs[name].evaluate),
            seeds={},
        )
        for place, name in enumerate(shares)
    }
    one = next(iter(params.candidates.values()))
    split = SplitMetrics(
        sha256="ab" * 32,
        documents=7,
        contexts=20,
        questions=count,
        unanswerable=0,
        references_per_question={"3": count},
        left_out=LeftOut(**dict.fromkeys(LeftOut.model_fields, 0)),
        faults=Faults(**dict.fromkeys(Faults.model_fields, 0)),
    )
    return Exam(
        params=params.model_copy(
            update={
                "data": params.data.model_copy(update={"language": "pt", "license": "cc-by-4.0"}),
                "prompt": params.prompt.model_copy(update={"template": NASTY}),
                "select": settings,
                "candidates": dict.fromkeys(shares, one),
            }
        ),
        selection=select_candidate(
            questions, candidates, settings, Normalization("squad", "pt"), 42, folds=0
        ),
        costs=costs,
        curves={name: _curve(place) for place, name in enumerate(shares)},
        predictions=predictions,
        questions=questions,
        audit=DataMetrics(
            train=split,
            validation=split,
            leaks=LeakMetrics(
                questions=count,
                contexts=20,
                overlapping_contexts=0,
                questions_on_overlapping_contexts=0,
                nearly_equal_questions=0,
                clean_questions=count - 10 if leaks else count,
                dropped_from_train=0,
            ),
        ),
        pins={name: Pin(f"bases/{name}", sha256="cd" * 32) for name in shares},
    )


def _question(number: int) -> Question:
    answer = f"José {number}" if number % 5 else f"a ação {NASTY} {number}"
    context = f"𝄞 O texto {number // 3} diz: {'palavra ' * (number % 11)}{answer}. Fim."
    asked = f"{WORDS[number % len(WORDS)]} é o número {number}?"
    if number % 7 == 0:
        asked += NASTY
    return Question(
        id=f"q{number}",
        title=f"Documento {number // 9}",
        context=context,
        question=asked,
        answers=(answer, answer, f"{answer} mesmo"),
        answer_starts=(context.index(answer),) * 3,
    )


def _row(
    question: Question, number: int, share: float, draw: random.Random, leaks: bool
) -> Prediction:
    right = draw.random() < share
    wrong = f"{question.answers[0].split()[0]} errado {number}"
    row = answered(
        id=question.id,
        title=question.title,
        question=question.question,
        references=question.answers,
        leaked=leaks and number % 6 == 0,
        answer=question.answers[0] if right else wrong,
        exact_match=float(right),
        f1=1.0 if right else 0.4,
    )
    return prediction(row, answer="" if number % 4 else NASTY)


def _details(place: int) -> ExamDetails:
    return exam_details(
        parameters=Parameters(trainable=8192 + place, total=305024),
        flops_per_answer=8.2e7 * (1 + place / 4),
    )


def _curve(place: int) -> list[dict[str, str]]:
    return [
        {
            "step": str(step),
            "epoch": str(step / 150),
            "loss": str((3 + place) / step),
            "validation_loss": str((4 + place) / step) if step % 4 == 0 else "",
        }
        for step in range(1, 150)
    ]
