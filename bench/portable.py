"""Measure the cost of `arithmetic: portable`: training and answering with it and with `native`.

python -m bench.portable --data data/faquad --tokenizer DIR [--shape small] [--repeats 5]

Both run in turn, each on one thread. CPU seconds are compared, which vary less than wall time on a
shared machine. The result is the median of the ratios within each repeat.
"""

import argparse
import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.precision import given
from bench.shapes import SHAPES
from bench.ways import WAYS
from bench.workers import Worker, apart
from vestibular.core import processor
from vestibular.core.environment import PORTABLE

ARITHMETICS: dict[str, Mapping[str, str]] = {"native": {}, "portable": PORTABLE}
"""Environment variables of each arithmetic; the others are compared with the first."""


def main() -> None:
    """Measure both in turn; print CPU seconds and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with FaQuAD's two files")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with GPT-2's")
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    print(f"{processor.name()}  {options.shape}: {SHAPES[options.shape]}")
    with TemporaryDirectory(prefix="bench-") as base:
        for task in WAYS:
            compare(task, options, Path(base))


def compare(task: str, options: argparse.Namespace, base: Path) -> None:
    """Print the cost of a task in each arithmetic."""
    settings = given(options, base, "float32", "cpu")
    apart("bench.base:make_base", settings)
    workers = {}
    for name, variables in ARITHMETICS.items():
        for variable in PORTABLE:
            os.environ.pop(variable, None)
        # the libraries read them when the process starts
        os.environ.update(variables)
        workers[name] = Worker(name, WAYS[task]["shared_context"], settings)
    for _ in range(options.repeats):
        for worker in workers.values():
            worker.run()
    native, *others = workers.values()
    for worker in workers.values():
        seconds = statistics.median(worker.processor_times)
        print(f"{task}  {worker.name}  {seconds:.2f} CPU seconds", flush=True)
    for other in others:
        ratios = sorted(
            slow / fast
            for slow, fast in zip(other.processor_times, native.processor_times, strict=True)
        )
        print(
            f"{task}  {other.name} takes {statistics.median(ratios):.2f} times as long "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )
    for worker in workers.values():
        worker.finish()


if __name__ == "__main__":
    main()
