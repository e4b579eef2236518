"""What `arithmetic: portable` costs: our training and answering in it and in `native`, in turn.

python -m bench.portable --data data/faquad --tokenizer DIR [--shape small] [--repeats 5]

Each runs on one thread. Processor seconds are compared, which vary less than seconds on a machine
that others use too; the median of the ratios within each repeat counts.
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
"""The variables of each, the one first that others are compared with."""


def main() -> None:
    """Measure both in turn; print processor seconds and their ratio."""
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
    """Print what a task takes in each arithmetic."""
    settings = given(options, base, "float32", "cpu")
    apart("bench.base:make_base", settings)
    workers = {}
    for name, variables in ARITHMETICS.items():
        for variable in PORTABLE:
            os.environ.pop(variable, None)
        # read when the process starts
        os.environ.update(variables)
        workers[name] = Worker(name, WAYS[task]["shared_context"], settings)
    for _ in range(options.repeats):
        for worker in workers.values():
            worker.run()
    native, *others = workers.values()
    for worker in workers.values():
        seconds = statistics.median(worker.processor_times)
        print(f"{task}  {worker.name}  {seconds:.2f} processor seconds", flush=True)
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
