"""Measure whether bfloat16 is faster than float32 here, for our training and answering, in turn.

python -m bench.precision --data data/faquad --tokenizer DIR [--shape small] [--repeats 5]

Autocast is used, as in the pipeline. Results are medians, and the ratios within each repeat.
"""

import argparse
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from bench.settings import MAX_TOKENS, MAX_TOKENS_ELSEWHERE, Settings
from bench.shapes import SHAPES
from bench.ways import WAYS
from bench.workers import Worker, apart


def main() -> None:
    """Measure both precisions in turn; print questions per second and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with FaQuAD's two files")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with GPT-2's")
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="bench-") as base:
        for task in WAYS:
            compare(task, options, Path(base))


def compare(task: str, options: argparse.Namespace, base: Path) -> None:
    """Print the speed of a task in both precisions."""
    device = apart("bench.base:make_base", given(options, base, "float32", "cpu"))
    workers = {}
    for precision in ("float32", "bfloat16"):
        settings = given(options, base, precision, device)
        workers[precision] = Worker(precision, WAYS[task]["shared_context"], settings)
    for _ in range(options.repeats):
        for worker in workers.values():
            worker.run()
    plain, half = workers.values()
    for name, worker in workers.items():
        speed = worker.about["questions"] / statistics.median(worker.times)
        print(f"{task}  {name}  {speed:.2f} questions/s", flush=True)
    ratios = sorted(slow / fast for slow, fast in zip(plain.times, half.times, strict=True))
    print(
        f"{task}  bfloat16 is {statistics.median(ratios):.2f} times as fast "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )
    answers = [worker.finish()["answers"] for worker in workers.values()]
    if answers[0]:
        equal = sum(a == b for a, b in zip(*answers, strict=True))
        print(f"{task}  equal answers: {equal} of {len(answers[0])}")


def given(
    options: argparse.Namespace,
    base: Path,
    precision: Literal["float32", "bfloat16"],
    device: str,
) -> Settings:
    """Return this bench's settings for a precision."""
    return Settings(
        data=options.data,
        tokenizer=options.tokenizer,
        base=base,
        shape=options.shape,
        quantization="none",
        device="auto",
        precision=precision,
        batch=16,
        micro_batch=4,
        max_tokens=MAX_TOKENS.get(device, MAX_TOKENS_ELSEWHERE),
        answering_tokens=16384,
        train_questions=32,
        published_questions=8,
        exam_file="dev.json",
        exam_questions=24,
        new_tokens=16,
        repeats=options.repeats,
    )


if __name__ == "__main__":
    main()
