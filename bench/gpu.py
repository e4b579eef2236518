"""Check the project's claims about GPUs in a quarter of an hour on a GPU.

    python -m bench.gpu --data data/faquad --tokenizer DIR [--minutes N] [--small]

The parts are: families of models in bfloat16; the demo, with its memory compared to the plan; two
trainings for equal bytes; speed against the published recipe, TRL, one at a time and
lm-evaluation-harness. None needs a network. Each part is a command with a time limit; parts for
which something is missing (a package, the demo's files) are reported and left out. The result is
written after each part, so that nothing is lost when the time is up. The demo runs in place, so use
a separate clone. `--small` tries all parts on toy shapes, also on a CPU.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.machine import machine

PYTHON = sys.executable
GPU_MINUTES = 8
"""Default time for all parts; their limits below are shares of it."""
DEMO = ("gpt2-tiny", "gpt2-mini", "opt-tiny")


class LeftOutError(Exception):
    """A part cannot be run here."""


def main() -> None:
    """Run all parts for which there is time; write one JSON file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with FaQuAD's two files")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with GPT-2's")
    parser.add_argument("--minutes", type=float, help="for all parts (default: 8; with --small 60)")
    parser.add_argument("--small", action="store_true", help="toy shapes instead of real ones")
    parser.add_argument("--output", type=Path, default=Path("bench/results/gpu.json"))
    options = parser.parse_args()
    # only a GPU is short of time
    options.minutes = options.minutes or (60 if options.small else GPU_MINUTES)
    ends = time.monotonic() + 60 * options.minutes
    result: dict[str, Any] = {"machine": {**machine(), "device": device()}, "parts": {}}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for name, part in parts(options).items():
        began = time.monotonic()
        try:
            found = part(ends - began)
        except LeftOutError as error:
            found = {"not_run": str(error)}
        found["wall_seconds"] = round(time.monotonic() - began, 1)
        result["parts"][name] = found
        options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        print(f"{name}: {found.get('not_run', 'done')} ({found['wall_seconds']} s)", flush=True)


def parts(options: argparse.Namespace) -> dict[str, Callable[[float], dict[str, Any]]]:
    """Return the parts, the most important first."""
    large = ["toy"] if options.small else ["gpt2-large", "--quantization", "8bit"]
    gemma = "toy-gemma3" if options.small else "gemma-3-270m"
    contexts = ["--contexts", "2" if options.small else "8"]
    reduced = ["--precision", "bfloat16"]
    more = options.minutes / GPU_MINUTES
    return {
        "families": lambda left: written("bench.families", contexts, left, 90 * more),
        "demo": lambda left: demo(left, 150 * more),
        "two_trainings": lambda left: two_trainings(left, 60 * more),
        "gemma": lambda left: speed(options, [gemma, *reduced], left, 150 * more),
        "gpt2_large": lambda left: speed(options, [*large, *reduced], left, 200 * more),
    }


def device() -> str:
    """Return the accelerator's name, asked in a process of its own."""
    code = (
        "import torch; a = torch.accelerator.current_accelerator(check_available=True); "
        "print(torch.cuda.get_device_name() if a and a.type == 'cuda' else a or 'cpu')"
    )
    return run([PYTHON, "-c", code], 120).strip()


def run(command: list[str], seconds: float) -> str:
    """Return what a command prints.

    Raises:
        LeftOutError: the command fails, or the time is up.
    """
    if seconds <= 0:
        raise LeftOutError("time was up")
    # keep the libraries from using the network
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": "src"}
    try:
        done = subprocess.run(
            command, timeout=seconds, capture_output=True, text=True, env=environment
        )
    except subprocess.TimeoutExpired:
        raise LeftOutError(f"took longer than {seconds:.0f} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise LeftOutError(f"ended with {done.returncode}: {lines[-1]}")
    return done.stdout


def written(module: str, arguments: list[str], left: float, limit: float) -> dict[str, Any]:
    """Return the JSON that a module writes to its `--output` file."""
    file = Path(".vestibular/bench-gpu.json")
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    run([PYTHON, "-m", module, *arguments, "--output", str(file)], min(left, limit))
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def speed(
    options: argparse.Namespace, shape: list[str], left: float, limit: float
) -> dict[str, Any]:
    """Return the result of `bench.speed` for one shape, with three repeats."""
    given = ["--data", str(options.data), "--tokenizer", str(options.tokenizer), "--shape", *shape]
    few = ["--train-questions", "16", "--published-questions", "4", "--exam-questions", "6"]
    return written(
        "bench.speed",
        [*given, "--no-growth", "--repeats", "1" if options.small else "3"]
        + (few if options.small else []),
        left,
        limit,
    )


def demo(left: float, limit: float) -> dict[str, Any]:
    """Run the demo's stages without DVC; return scores, and measured and planned memory."""
    if not Path("demo/bases/gpt2-tiny").is_dir():
        raise LeftOutError("demo/bases: not found; fetch it with `dvc pull`, or copy it here")
    ends = time.monotonic() + min(left, limit)

    def stage(*words: str) -> None:
        run([PYTHON, "-m", *words], ends - time.monotonic())

    stage("stages.prepare")
    found: dict[str, Any] = {}
    for name in DEMO:
        for each in ("train", "evaluate_base", "evaluate"):
            stage(f"stages.{each}", name)
    stage("stages.select")
    costs = json.loads(Path("metrics/costs.json").read_text(encoding="utf-8"))["candidates"]
    for name in DEMO:
        scores = json.loads(Path(f"metrics/exam/{name}.json").read_text(encoding="utf-8"))
        train = costs[name]["train"]
        found[name] = {
            **scores["tuned"],
            "seconds": train["seconds"],
            "planned_bytes": train["planned_bytes"],
            "peak_device_bytes": train["peak_device_bytes"],
            "peak_process_bytes": train["peak_process_bytes"],
        }
    return found


def two_trainings(left: float, limit: float) -> dict[str, Any]:
    """Train one candidate twice; return whether the bytes are equal."""
    if not Path("data/prepared").is_dir():
        raise LeftOutError("data/prepared: not found; the part `demo` makes it")
    adapter = Path("models/adapters/gpt2-tiny")
    ends = time.monotonic() + min(left, limit)
    hashes = []
    for _ in range(2):
        shutil.rmtree(adapter, ignore_errors=True)
        run([PYTHON, "-m", "stages.train", "gpt2-tiny"], ends - time.monotonic())
        weights = (adapter / "adapter_model.safetensors").read_bytes()
        hashes.append(hashlib.sha256(weights).hexdigest())
    return {"equal_bytes": hashes[0] == hashes[1], "sha256": hashes}


if __name__ == "__main__":
    main()
