"""One whole exam: load a model, ask the questions, score the answers."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from vestibular.core.base_models import PinnedBase, longest_input
from vestibular.core.costs import ExamCost, Machine
from vestibular.core.exam_results import AnsweredQuestion, ExamDetails, Parameters, Scores
from vestibular.core.questions import Question
from vestibular.examination import evaluation
from vestibular.examination.net import deviation
from vestibular.examination.settings import ExamParams
from vestibular.examination.windowed_answers import Windows, answer_text, ask, best_answers
from vestibular.modeling import capability, counting, determinism, memory_estimates, models
from vestibular.modeling.answers import WAYS, Answer, Way, end_tokens
from vestibular.modeling.generation import answer_questions
from vestibular.tracking import metering


@dataclass(frozen=True)
class Examinee:
    """A loaded model, ready to answer."""

    base: Path
    """Folder of the base model."""
    model: Any
    tokenizer: Any
    device: torch.device
    model_bytes: int
    """Size of the base model in memory, in bytes."""
    tuned: bool
    """Whether it is fine-tuned."""
    dtype: torch.dtype
    """Number format of its computation."""
    way: Way
    """The fastest way of asking that is correct for its architecture."""

    def computing(self) -> dict[str, Any]:
        """Return what affects the rounding of its sums."""
        return metering.computing(self.device, self.dtype)


@dataclass(frozen=True)
class Sitting:
    """Results of an exam."""

    examinee: Examinee
    params: ExamParams
    questions: Sequence[Question]
    encoded: Sequence[Windows]
    answers: Sequence[Answer]
    rows: Sequence[AnsweredQuestion]
    """The answers with their scores, one row per question."""
    seconds: float
    """Seconds for all questions."""
    budget: int
    """Maximum number of tokens of prompts and answers at a time."""
    cut: int
    """Number of answers cut off by `evaluate.max_new_tokens`."""
    longer: int
    """Number of questions all of whose references are longer than that."""

    def details(self, base_scores: Scores | None = None) -> ExamDetails:
        """Return everything that is the same on every machine.

        Args:
            base_scores: the untouched base's scores on the same questions, if this is not its own
                exam.
        """
        one = self.examinee
        counted = counting.count_parameters(one.base, one.model)
        shape = counting.arithmetic_shape(one.base, one.model)
        return evaluation.details(
            self.rows,
            base_scores,
            evaluation.official_scores(
                self.rows, self.params.evaluate.rules, self.params.data.unanswerable
            ),
            evaluation.published_scores(
                one.tokenizer, self.params.prompt, self.questions, self.answers
            ),
            Parameters(trainable=counted["trainable"] if one.tuned else 0, total=counted["total"]),
            one.model_bytes,
            evaluation.operations(shape, self.encoded, self.answers),
            shape.recurrent_layers,
            one.way,
            self.cut,
            self.longer,
        )

    def cost(self) -> ExamCost:
        """Return the measured costs; some questions are asked again, one at a time."""
        one = self.examinee
        put = _asking(one, self.params, self.budget)
        return ExamCost(
            ended=time.time(),
            **evaluation.speed(self.encoded, self.answers, self.seconds),
            **evaluation.latency(self.encoded, lambda windows: put([windows])),
            peak_process_bytes=metering.peak_process_bytes(),
            peak_device_bytes=metering.peak_device_bytes(one.device),
            machine=Machine(**metering.machine(one.device)),
        )


def load_examinee(base: Path, pinned: PinnedBase, trained: Path | None = None) -> Examinee:
    """Load a base model and, if given, what was trained on it.

    Args:
        base: folder of the base model.
        pinned: how it is loaded.
        trained: folder of the adapter, or of the whole fine-tuned model.

    Raises:
        BaseModelError: one of the folders does not contain what it should.
    """
    way = capability.ways(base).exam
    device = models.pick_device()
    dtype = models.pick_precision(pinned.precision, device, base)
    tokenizer = models.load_tokenizer(trained or base)
    adapter = trained is not None and (trained / models.ADAPTER_FILE).exists()
    if trained is None or adapter:
        model = models.load_base(base, pinned.quantization, device, dtype).eval()
    else:
        model = models.load_base(trained, "none", device, dtype).eval()
    model_bytes = model.get_memory_footprint()
    if trained is not None and adapter:
        model = models.load_adapter(model, trained)
    # only from here: the architecture's check runs on the CPU
    determinism.ask_for_deterministic_kernels(device)
    return Examinee(base, model, tokenizer, device, model_bytes, trained is not None, dtype, way)


def sit(
    examinee: Examinee,
    params: ExamParams,
    pinned: PinnedBase,
    questions: Sequence[Question],
    title: str,
) -> Sitting:
    """Ask a model all questions and score its answers.

    Args:
        examinee: the model.
        params: settings of the exam.
        pinned: how the base is loaded; its `max_length` limits prompt and answer together.
        questions: the questions.
        title: title of the progress bar.

    Raises:
        DataError: a question does not fit even without its context.
    """
    encoded = evaluation.encode_exam(
        examinee.base,
        examinee.tokenizer,
        params.prompt,
        pinned.max_length,
        params.evaluate,
        questions,
    )
    budget = memory_estimates.answering_budget(
        examinee.model.config,
        examinee.model.dtype,
        params.evaluate.max_tokens_per_batch,
        longest_input(examinee.base, pinned.max_length),
        examinee.device,
    )
    answers, way, seconds = determinism.as_deterministic_as_can_be(
        lambda: _answers(examinee, params, encoded, budget, title), title
    )
    examinee = replace(examinee, way=way)
    rows = evaluation.score(
        questions,
        encoded,
        [answer_text(examinee.tokenizer, answer) for answer in answers],
        params.evaluate.rules,
        params.data.unanswerable,
        untouched=not examinee.tuned,
    )
    most = params.evaluate.max_new_tokens
    cut = sum(answer.is_cut for answer in answers)
    longer = evaluation.longer_references(examinee.tokenizer, params.prompt, questions, most)
    if cut or longer:
        print(
            f"{title}: {cut} of {len(answers)} answers were cut off at evaluate.max_new_tokens "
            f"({most}); {longer} questions have no reference that short",
            file=sys.stderr,
        )
    return Sitting(
        examinee, params, questions, encoded, answers, rows, seconds, budget, cut, longer
    )


def _answers(
    examinee: Examinee, params: ExamParams, encoded: Sequence[Windows], budget: int, title: str
) -> tuple[list[Answer], Way, float]:
    """Let a model answer; use the next simpler way if a simple pass finds different answers.

    Returns:
        the best answer to each question, the way in which they were given, and its seconds.
    """
    model, tokenizer = examinee.model, examinee.tokenizer
    windows = [window for each in encoded for window in each]
    ends = end_tokens(tokenizer, model)
    for way in WAYS[WAYS.index(examinee.way) :]:
        with tqdm(total=len(windows), desc=title, disable=None) as bar:
            elapsed = metering.stopwatch()
            answers = answer_questions(
                model, windows, ends, params.evaluate.max_new_tokens, budget, way, bar.update
            )
            seconds = elapsed()
        if way == "single" or not windows:
            break
        found = deviation(model, windows, answers, ends)
        if found.is_rounding:
            break
        print(
            f"{title}: for {found.answers} answers that were checked one by one, the "
            f"log-probabilities differ by {found.mean:.2g} nats per token, and another token is "
            f"more likely by up to {found.from_best:.2g} (rounding explains {found.allowed:g}); "
            f"asking all questions again without way `{way}`",
            file=sys.stderr,
        )
    best = best_answers(tokenizer, encoded, answers, params.data.unanswerable)
    return best, way, seconds


def _asking(examinee: Examinee, params: ExamParams, budget: int) -> Any:
    return partial(
        ask,
        examinee.model,
        examinee.tokenizer,
        max_new_tokens=params.evaluate.max_new_tokens,
        max_tokens=budget,
        way=examinee.way,
        unanswerable=params.data.unanswerable,
    )
