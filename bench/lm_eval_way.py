"""lm-evaluation-harness's Hugging Face backend, with the batch size that is fastest here."""

import time

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from bench.answering_ways import grown
from bench.arithmetic import NOTHING, forward_flops
from bench.base import load_model, load_tokenizer, pick_device
from bench.questions import exam
from bench.settings import Settings
from bench.shapes import PUBLISHED_LENGTH
from bench.ways import Way


class Harness:
    """The harness's model and the exam's questions in its form."""

    def __init__(self, settings: Settings) -> None:
        self.tokenizer = load_tokenizer(settings)
        self.questions = exam(settings, self.tokenizer)
        self.device = pick_device(settings)
        self._model = HFLM(
            pretrained=load_model(settings).eval(),
            tokenizer=self.tokenizer,
            max_length=PUBLISHED_LENGTH,
            device=str(self.device),
            batch_size=1,
            mixed_precision_dtype="bfloat16" if settings.precision == "bfloat16" else None,
        )
        self.requests = [
            Instance(
                request_type="generate_until",
                doc={},
                arguments=(
                    self.tokenizer.decode(question.prompt),
                    # the end-of-sequence token is the only stop
                    {"until": [], "max_gen_toks": settings.new_tokens, "do_sample": False},
                ),
                idx=index,
            )
            for index, question in enumerate(self.questions)
        ]

    def ask(self, batch: int, requests: list[Instance]) -> list[str]:
        """Return the answers."""
        self._model.batch_size_per_gpu = batch
        with torch.inference_mode():
            answers: list[str] = self._model.generate_until(requests, disable_tqdm=True)
        return answers


Choice = tuple[int, str]
"""Questions per batch, and a description of what was tried."""


def trial(settings: Settings) -> Choice:
    """Return the fastest batch size, each tried on questions of all lengths."""
    harness = Harness(settings)
    harness.ask(1, harness.requests[:1])
    largest = 16 if harness.device.type == "cpu" else 64
    requests = harness.requests[:: max(1, len(harness.requests) // largest)]
    speeds = {}
    for batch in (1, 4, largest):
        start = time.perf_counter()
        harness.ask(batch, requests)
        speeds[batch] = len(requests) / (time.perf_counter() - start)
    best = max(speeds, key=lambda batch: speeds[batch])
    notes = "; ".join(f"{batch}: {speed:.2f} questions/s" for batch, speed in speeds.items())
    return best, f"tried on {len(requests)} questions: {notes}"


def lm_eval(settings: Settings, choice: Choice) -> Way:
    """Return the way of the harness's `generate_until`, greedy, in batches of the chosen size.

    It sorts by length, pads on the left and runs a batch until all its answers have ended.
    """
    batch, notes = choice
    harness = Harness(settings)
    found: list[str] = []

    def run() -> None:
        found[:] = harness.ask(batch, harness.requests)

    longest = [0] * settings.new_tokens
    questions = harness.questions
    needed = sum((grown(question, longest, 0) for question in questions), NOTHING)
    return Way(
        questions=len(questions),
        tokens=sum(len(question.prompt) for question in questions),
        configuration=f"batches of {batch}; {notes}",
        warm_up=lambda: harness.ask(batch, harness.requests[:1]),
        run=run,
        model_flops=forward_flops(settings.shape, needed),
        hardware_flops=0,
        answers=lambda: list(found),
    )
