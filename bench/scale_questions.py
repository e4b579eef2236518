"""Cost of many questions: the real `prepare`, and the real `select` on invented answers."""

import itertools
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.scale import copy_project, settings, size_of, timed
from vestibular.core.documents import context_name
from vestibular.core.exam_results import (
    AnsweredQuestion,
    ExamDetails,
    FirstLine,
    Parameters,
    ScoresFile,
    mean_scores,
)
from vestibular.core.files import write_table
from vestibular.core.questions import Question, read_question_file
from vestibular.core.training_record import TrainingRecord

CANDIDATES = 3
WORDS = 50_000
CONTEXT_WORDS = 120
"""As in SQuAD."""
QUESTIONS_A_CONTEXT = 5
CONTEXTS_A_DOCUMENT = 20
LEARNED = 10
"""Validation questions per training question; only validation questions pass through all parts."""
SHARES = (0.62, 0.6, 0.45)
"""Share of correct answers of each candidate."""


def measure(questions: int, folder: Path) -> dict[str, Any]:
    """Measure this number of validation questions in an empty folder."""
    copy_project(folder, "src/neptune_server/")
    data = folder / "data/many"
    data.mkdir(parents=True)
    for name, count in (("train", questions // LEARNED), ("dev", questions)):
        content = {"version": "1.1", "data": list(documents(count, name))}
        (data / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    text = settings(CANDIDATES, texts=[("source: demo/data", "source: data/many")])
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    found: dict[str, Any] = {
        "data_bytes": size_of(data)[1],
        "prepare": timed(folder, sys.executable, "-m", "stages.prepare"),
    }
    write_answers(folder)
    found["select"] = timed(folder, sys.executable, "-m", "stages.select")
    found["answers_bytes"] = size_of(folder / "metrics/predictions")[1]
    found["report_bytes"] = (folder / "metrics/report.html").stat().st_size
    return found


def documents(questions: int, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield documents in SQuAD's format, with words drawn by Zipf's law."""
    draw = random.Random(prefix)
    weights = list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def words(count: int) -> list[str]:
        return [f"w{word}" for word in draw.choices(range(WORDS), cum_weights=weights, k=count)]

    a_document = QUESTIONS_A_CONTEXT * CONTEXTS_A_DOCUMENT
    for document in range(-(-questions // a_document)):
        left = min(a_document, questions - document * a_document)
        paragraphs = []
        for place in range(-(-left // QUESTIONS_A_CONTEXT)):
            context = words(CONTEXT_WORDS)
            asked = []
            for number in range(min(QUESTIONS_A_CONTEXT, left - place * QUESTIONS_A_CONTEXT)):
                at = draw.randrange(CONTEXT_WORDS - 2)
                answer = {
                    "text": " ".join(context[at : at + 2]),
                    "answer_start": len(" ".join([*context[:at], ""])),
                }
                identity = f"{prefix}-{document}-{place}-{number}"
                question = f"Quem {' '.join(words(8))}?"
                asked.append({"id": identity, "question": question, "answers": [answer]})
            paragraphs.append({"context": " ".join(context), "qas": asked})
        yield {"title": f"{prefix} {document}", "paragraphs": paragraphs}


def write_answers(folder: Path) -> None:
    """Write the results that the trainings and exams of all candidates would leave."""
    questions = read_question_file(folder / "data/base_exam.jsonl")
    for number, share in enumerate(SHARES):
        name, draw = f"c{number:04d}", random.Random(number)
        rows = [_row(question, draw.random() < share) for question in questions]
        base = [
            row.model_copy(
                update={
                    "answer": "",
                    "exact_match": 0.0,
                    "f1": 0.0,
                    "first_line": FirstLine(exact_match=0.0, f1=0.0),
                }
            )
            for row in rows
        ]
        metrics = folder / "metrics"
        AnsweredQuestion.write_lines(metrics / f"predictions/{name}.jsonl", rows)
        AnsweredQuestion.write_lines(metrics / f"bases/{name}.jsonl", base)
        scores, untouched = mean_scores(rows), mean_scores(base)
        details = ExamDetails(
            scores=scores,
            base_scores=untouched,
            published=scores,
            clean=scores,
            questions=len(rows),
            clean_questions=len(rows),
            windowed_questions=0,
            windows=len(rows),
            parameters=Parameters(trainable=8192, total=300_000),
            model_bytes=1_200_000,
            flops_per_answer=8e7 * (1 + number),
        )
        details.write(metrics / f"details/{name}.json")
        details.write(metrics / f"bases/{name}.json")
        ScoresFile.of(untouched, scores).write(metrics / f"exam/{name}.json")
        columns = ["step", "epoch", "loss", "validation_loss", "learning_rate"]
        curve = [(step, step / 100, 3 / step, 4 / step, 0.01) for step in range(1, 100)]
        write_table(metrics / f"curves/{name}.tsv", columns, curve)
        adapter = folder / f"models/adapters/{name}"
        adapter.mkdir(parents=True, exist_ok=True)
        (adapter / "adapter_model.safetensors").write_bytes(b"\0" * 1000)
        TrainingRecord(
            questions=len(rows),
            shortened=0,
            steps=99,
            mean_loss=1.0,
            batching="shared_context",
            max_tokens_per_batch=4096,
            gradient_checkpointing=False,
            run=name,
        ).write(adapter / "training.json")


def _row(question: Question, right: bool) -> AnsweredQuestion:
    return AnsweredQuestion(
        id=question.id,
        title=question.title,
        context=context_name(question.context),
        question=question.question,
        references=question.answers,
        windows=1,
        leaked=question.leaked,
        answer=question.answers[0] if right else "w1 w2",
        exact_match=float(right),
        f1=float(right),
    )
