"""An invented exam, with everything that a report is made of, for as many candidates as needed.

Its texts hold what breaks careless pages: tags, quotes, braces, letters beyond the first plane.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import ROOT

from vestibular.core.base_models import Pin
from vestibular.core.questions import Question
from vestibular.params.project import Params, load_params
from vestibular.report.report import write_report
from vestibular.selection.comparison import Examined
from vestibular.selection.settings import SelectSettings
from vestibular.selection.verdict import cost_of, measured, verdict

NASTY = '</script><b id="broken">𝄞 "{{ 1 }}" &amp; \u2028<!--'
WORDS = ("Quem", "Quando", "Onde", "Quantas pessoas", "Qual", "Como", "Por que", "O que")
MACHINE = {"device": "cpu, 2 cores, x86_64", "packages": {"python": "3.11", "torch": "2.13.0"}}


@dataclass
class Exam:
    """All that `write_report` takes."""

    params: Params
    selection: dict[str, Any]
    costs: dict[str, Any]
    curves: dict[str, Any]
    predictions: dict[str, list[dict[str, Any]]]
    questions: list[Question]
    audit: dict[str, Any]
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
        name: {"train": _training_cost(), "evaluate": _answering_cost(place)}
        for place, name in enumerate(shares)
    }
    params = load_params(ROOT / "params.yaml")
    settings = SelectSettings.model_validate({**params.select.model_dump(), **select})
    candidates = {
        name: Examined(
            rows=predictions[name],
            cost=cost_of({"trainable": 8192 + place, "total": 305024}, costs[name]["evaluate"]),
            seeds={},
        )
        for place, name in enumerate(shares)
    }
    one = next(iter(params.candidates.values()))
    split = {"sha256": "ab" * 32, "documents": 7, "contexts": 20, "questions": count}
    return Exam(
        params=params.model_copy(
            update={
                "data": params.data.model_copy(update={"language": "pt", "license": "cc-by-4.0"}),
                "prompt": params.prompt.model_copy(update={"template": NASTY}),
                "select": settings,
                "candidates": dict.fromkeys(shares, one),
            }
        ),
        selection=verdict(questions, candidates, settings, "pt", 42, folds=0),
        costs={
            name: {**cost, "answer": measured(candidates[name].cost)}
            for name, cost in costs.items()
        },
        curves={name: _curve(place) for place, name in enumerate(shares)},
        predictions=predictions,
        questions=questions,
        audit={
            "train": split,
            "validation": split,
            "leaks": {"questions": count, "clean_questions": count - 10 if leaks else count}
            | {"dropped_from_train": 0},
        },
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
) -> dict[str, Any]:
    right = draw.random() < share
    after = question.answers[0] if right else f"{question.answers[0].split()[0]} errado {number}"
    return {
        "id": question.id,
        "title": question.title,
        "question": question.question,
        "references": list(question.answers),
        "shortened": False,
        **({"leaked": number % 6 == 0} if leaks else {}),
        "before": {"answer": "" if number % 4 else NASTY, "exact_match": 0.0, "f1": 0.0},
        "after": {
            "answer": after,
            "exact_match": float(right),
            "f1": 1.0 if right else 0.4,
        },
    }


def _training_cost() -> dict[str, Any]:
    return {"seconds": 9.915703, "machine": MACHINE}


def _answering_cost(place: int) -> dict[str, Any]:
    return {
        "questions_per_second": 362.8,
        "latency_p95": 0.0167,
        "flops_per_answer": 8.2e7 * (1 + place / 4),
        "peak_process_bytes": 664358912,
        "peak_device_bytes": 0,
        "model_bytes": 1187328,
        "machine": MACHINE,
    }


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
