"""Invented results of trainings and exams, as the stages write them."""

from typing import Any

from vestibular.core.costs import ExamCost, Machine, TrainingCost
from vestibular.core.exam_results import (
    AnsweredQuestion,
    ExamDetails,
    Parameters,
    Prediction,
    Scores,
)
from vestibular.core.model_file import Loading, ModelFile, PinnedVersion
from vestibular.core.settings import PromptSettings
from vestibular.core.training_record import TrainingRecord

ZERO = Scores(exact_match=0.0, f1=0.0)
MACHINE = Machine(device="cpu, 2 cores, x86_64", packages={"python": "3.11", "torch": "2.13.0"})


def exam_details(**values: Any) -> ExamDetails:
    """What an exam found, the given values in place of invented ones."""
    invented = {
        "scores": ZERO,
        "base_scores": ZERO,
        "published": ZERO,
        "clean": None,
        "questions": 9,
        "clean_questions": 0,
        "windowed_questions": 0,
        "windows": 9,
        "parameters": Parameters(trainable=8192, total=300000),
        "model_bytes": 1187328,
        "flops_per_answer": 8.2e7,
    }
    return ExamDetails(**(invented | values))


def training_record(**values: Any) -> TrainingRecord:
    """What a training leaves beside its adapter."""
    invented = {
        "questions": 9,
        "shortened": 0,
        "steps": 3,
        "mean_loss": 1.25,
        "batching": "padded",
        "max_tokens_per_batch": 512,
        "gradient_checkpointing": False,
        "run": "ab",
    }
    return TrainingRecord(**(invented | values))


def exam_cost(**values: Any) -> ExamCost:
    """What was measured of an exam."""
    invented = {
        "ended": 1_790_000_060.0,
        "seconds": 0.2,
        "questions_per_second": 362.8,
        "tokens_per_second": 9000.0,
        "latency_p50": 0.01,
        "latency_p95": 0.0167,
        "peak_process_bytes": 664358912,
        "peak_device_bytes": 0,
        "machine": MACHINE,
    }
    return ExamCost(**(invented | values))


def training_cost(**values: Any) -> TrainingCost:
    """What was measured of a training."""
    invented = {
        "seconds": 9.915703,
        "started": 1_790_000_000.0,
        "epoch_seconds": (5.0, 4.9),
        "questions_per_second": 81.5,
        "tokens_per_second": 12000.0,
        "planned_bytes": 5000000,
        "peak_process_bytes": 664358912,
        "peak_device_bytes": 0,
        "machine": MACHINE,
    }
    return TrainingCost(**(invented | values))


def answered(**values: Any) -> AnsweredQuestion:
    """A model's answer to a question."""
    invented = {
        "id": "q",
        "title": "t",
        "question": "?",
        "references": ("x",),
        "windows": 1,
        "leaked": False,
        "answer": "",
        "exact_match": 0.0,
        "f1": 0.0,
    }
    return AnsweredQuestion(**(invented | values))


def prediction(after: AnsweredQuestion, **before: Any) -> Prediction:
    """The same question answered by the base too, with nothing unless it is said."""
    base = {"answer": "", "exact_match": 0.0, "f1": 0.0} | before
    return Prediction(before=after.model_copy(update=base), after=after)


def model_file(**values: Any) -> ModelFile:
    """What the folder of a chosen model says of itself."""
    invented = {
        "candidate": "gpt2-tiny",
        "base": PinnedVersion(base_model="demo/bases/gpt2-tiny", sha256="cd" * 32),
        "loading": Loading(method="lora", quantization="none", precision="auto", max_length=512),
        "prompt": PromptSettings(template="{context} {question}", answer_prefix=" ", chat=False),
        "max_new_tokens": 32,
        "window_overlap": 0.25,
        "unanswerable": None,
        "seed": 42,
        "train": {"method": "lora", "epochs": 1},
        "before": ZERO,
        "after": ZERO,
        "data": {"train.jsonl": "ab" * 32, "validation.jsonl": "ef" * 32},
    }
    return ModelFile(**(invented | values))
