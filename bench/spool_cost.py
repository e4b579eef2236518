"""Measure the cost of the spool: the same training with and without it, in turn.

python -m bench.spool_cost [--candidate gpt2-tiny] [--repeats 5]

Run it in the project's folder, after `dvc repro prepare`. There are two figures. The extra time of
the training varies with other work on the machine. The time in the spool's own calls plus the CPU
time of its watching thread is an upper bound, since other work can only increase it.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import set_seed

from vestibular.core.base_models import locate, longest_input, read_pin
from vestibular.core.candidates import load_for_candidate
from vestibular.core.files import write_json
from vestibular.core.logs import silence_libraries
from vestibular.core.paths import PREPARED
from vestibular.core.questions import read_questions
from vestibular.modeling import models
from vestibular.modeling.encoding import encode_for_training
from vestibular.tracking.spool import Spool, spool_folder
from vestibular.training import adapters, planning, training
from vestibular.training.settings import TrainingParams


class TimedSpool(Spool):
    """A spool that adds up its own cost: seconds in its calls, and CPU seconds of its thread."""

    def __init__(self) -> None:
        super().__init__("train")
        self.seconds = 0.0

    def open(
        self, run: str, candidate: str, settings: Mapping[str, object], **facts: object
    ) -> None:
        """Open the spool, and measure the time."""
        began = time.perf_counter()
        super().open(run, candidate, settings, **facts)
        self.seconds += time.perf_counter() - began

    def point(self, step: int, values: Mapping[str, float]) -> None:
        """Record a point, and measure the time."""
        began = time.perf_counter()
        super().point(step, values)
        self.seconds += time.perf_counter() - began

    def close(self, error: BaseException | None) -> None:
        """Close the spool, and measure the time."""
        began = time.perf_counter()
        super().close(error)
        self.seconds += time.perf_counter() - began

    def _watch(self) -> None:
        began = time.thread_time()
        super()._watch()
        self.seconds += time.thread_time() - began


def train(name: str, spool: TimedSpool | None) -> tuple[float, float]:
    """Train a candidate; return wall-clock and CPU seconds of the training alone."""
    params = load_for_candidate(TrainingParams, name)
    settings = params.train
    set_seed(params.seed)
    base = locate(read_pin(name).pin)
    device = models.pick_device()
    dtype = models.pick_precision(settings.precision, device, base)
    tokenizer = models.load_tokenizer(base)
    limit = longest_input(base, settings.max_length)
    encoded, held_out = (
        [
            encode_for_training(tokenizer, params.prompt, question, limit)
            for question in read_questions(PREPARED, split)
        ]
        for split in ("train", "validation")
    )
    settings = planning.plan_training(base, settings, limit, encoded, params.seed, device).settings
    model = models.load_base(
        base,
        settings.quantization,
        device,
        # trained weights stay in full precision
        torch.float32 if settings.method == "full" else dtype,
    )
    model = adapters.make_trainable(model, settings, bool(settings.gradient_checkpointing))
    batching = settings.batching
    record = None
    with tempfile.TemporaryDirectory() as checkpoints:
        wall, processor = time.perf_counter(), time.process_time()
        run = f"spool-cost-{time.time_ns()}"
        if spool is not None:
            spool.open(run, name, params.model_dump(mode="json"))
            record = spool.point
        training.fine_tune(
            *(model, encoded, held_out, settings, batching, dtype, params.seed),
            *(Path(checkpoints), record),
        )
        if spool is not None:
            spool.close(None)
        taken = time.perf_counter() - wall, time.process_time() - processor
        # not a run of the user's, so `vestibular mirror` must not show it
        shutil.rmtree(spool_folder() / run, ignore_errors=spool is None)
        return taken


def main() -> None:
    """Train with and without a spool in turn, and write one JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidate", default="gpt2-tiny")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("bench/results/spool-cost.json"))
    options = parser.parse_args()
    silence_libraries()
    train(options.candidate, None)
    pairs, shares = [], []
    for repeat in range(options.repeats):
        # the order alternates, so that other work on the machine slows both alike
        spool = TimedSpool()
        ways = [None, spool] if repeat % 2 else [spool, None]
        taken = {way is not None: train(options.candidate, way) for way in ways}
        pairs.append((taken[False], taken[True]))
        shares.append(spool.seconds / taken[True][0])
        print(f"repeat {repeat}  without {taken[False]}  with {taken[True]}", flush=True)
    result = {
        "candidate": options.candidate,
        "repeats": options.repeats,
        "own_fraction": {
            "least": round(min(shares), 5),
            "median": round(statistics.median(shares), 5),
            "most": round(max(shares), 5),
        },
        **{
            f"{kind}_seconds": {
                "without": statistics.median(without[place] for without, _ in pairs),
                "with": statistics.median(spooled[place] for _, spooled in pairs),
                "extra_fraction": {
                    key: round(pick([b[place] / a[place] - 1 for a, b in pairs]), 4)
                    for key, pick in (("least", min), ("median", statistics.median), ("most", max))
                },
            }
            for place, kind in enumerate(("wall", "processor"))
        },
    }
    write_json(options.output, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
