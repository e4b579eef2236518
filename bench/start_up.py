"""Measure the time to the first step of `python -m stages.train`, against the bare import.

python -m bench.start_up [--candidate gpt2-tiny] [--repeats 5]

Both are started in turn, each in a new process; the results are medians. The bare import is that of
torch, transformers and peft. The stage runs unchanged in a copy of the working tree after
`prepare`, and is stopped when the Trainer announces its first step.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]

BARE = "import torch, transformers, peft"

UNTIL_FIRST_STEP = """
import importlib.abc, importlib.util, os, runpy, sys

class Hook(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "transformers.trainer_callback":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            def first_step(*_, **__):
                os.write(1, b"first step")
                os._exit(0)
            module.CallbackHandler.on_step_begin = first_step
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Hook())
sys.argv = ["stages.train", sys.argv[1]]
runpy.run_module("stages.train", run_name="__main__", alter_sys=True)
"""


def copy_tree(folder: Path) -> None:
    """Copy the working tree, except ignored files."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def seconds(folder: Path, *command: str) -> tuple[float, str]:
    """Return how long a Python command takes, and its output."""
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'src'}", "HF_HUB_OFFLINE": "1"}
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return time.perf_counter() - start, result.stdout


def main() -> None:
    """Measure both in turn; print the medians and their ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidate", default="gpt2-tiny", help="a candidate in params.yaml")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    bare, stage = [], []
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        copy_tree(folder)
        seconds(folder, "-m", "stages.prepare")
        for repeat in range(options.repeats + 1):
            plain, _ = seconds(folder, "-c", BARE)
            whole, printed = seconds(folder, "-c", UNTIL_FIRST_STEP, options.candidate)
            if not printed.endswith("first step"):
                sys.exit("the training ended without a step of transformers' Trainer")
            # the first round does not count, since it fills the bytecode and disk caches
            if repeat:
                bare.append(plain)
                stage.append(whole)
                print(f"bare import {plain:.2f} s   first step {whole:.2f} s", flush=True)
    ratios = sorted(whole / plain for whole, plain in zip(stage, bare, strict=True))
    print(
        f"medians: bare import {statistics.median(bare):.2f} s, first step "
        f"{statistics.median(stage):.2f} s, ratio {statistics.median(ratios):.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    main()
