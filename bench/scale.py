"""Measure the cost of many cells and many questions: DVC, git, `prepare`, `select`, the report.

    python -m bench.scale cells 10 100 1000
    python -m bench.scale questions 1000 10000 100000

`cells` uses a project whose stages write empty results, so that only the cost of DVC and git is
measured. `questions` runs the real `prepare` on invented questions, and the real `select` on
invented answers of three candidates. Each size is measured separately, and its figures are stored
in `bench/results/scale.json`. CPU seconds are given, which a busy machine affects little, together
with wall-clock seconds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.machine import load, machine
from vestibular.core.files import write_json

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "bench/results/scale.json"
PARTS = {"cells": "bench.scale_cells", "questions": "bench.scale_questions"}


def main() -> None:
    """Measure the requested sizes, and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("sizes", type=int, nargs="+")
    arguments = parser.parse_args()
    # imported here, because each needs packages that the other does not
    if arguments.part == "cells":
        from bench.scale_cells import measure
    else:
        from bench.scale_questions import measure
    for size in arguments.sizes:
        with TemporaryDirectory(prefix="vestibular-scale-") as folder:
            found = measure(size, Path(folder))
        kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
        kept.setdefault(arguments.part, {})[str(size)] = {"load": load(), **found}
        write_json(RESULT, {**kept, "machine": machine()})
        print(size, json.dumps(found), flush=True)


def copy_project(folder: Path, *left_out: str) -> None:
    """Copy the files of this project that git tracks, except results and `left_out` folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        result = name.startswith(("dvc.lock", "metrics/")) and not name.endswith(".gitkeep")
        if not result and not name.startswith(("tests/", "docs/", "demo/remote/", *left_out)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def commit_all(folder: Path) -> None:
    """Make a folder a git repository with one commit."""
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("config", "user.name", "Bench"),
        ("config", "user.email", "bench@example.org"),
        ("add", "--all"),
        ("commit", "--quiet", "--message=Start"),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)


def timed(folder: Path, *command: str) -> dict[str, float]:
    """Run a command; return its CPU seconds, wall-clock seconds and peak memory.

    Raises:
        RuntimeError: the command failed.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "DVC_SITE_CACHE_DIR": str(folder / ".site")}
    log = folder / ".log"
    start = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
        # covers the process and the children that it has waited for
        _, status, usage = os.wait4(process.pid, 0)
    # set, because `Popen` would wait once more
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:6])}: {log.read_text(encoding='utf-8')[-2000:]}")
    return {
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "seconds": round(time.perf_counter() - start, 2),
        "peak_bytes": usage.ru_maxrss * 1024,
    }


def dvc(folder: Path, *arguments: str) -> dict[str, float]:
    """Run a DVC command with `timed`."""
    return timed(folder, sys.executable, "-m", "dvc", *arguments)


def settings(candidates: int, **replaced: Any) -> str:
    """Return the demo's settings with this number of candidates, all of one base.

    Args:
        candidates: number of candidates.
        replaced: `texts`, pairs of a text in the demo's settings and its replacement.
    """
    text, _, _ = (ROOT / "params.yaml").read_text(encoding="utf-8").partition("\ncandidates:\n")
    for old, new in replaced.get("texts", ()):
        if old not in text:
            raise RuntimeError(f"params.yaml: has no {old!r}")
        text = text.replace(old, new)
    names = "".join(
        f"  c{number:04d}: {{base_model: demo/bases/gpt2-tiny}}\n" for number in range(candidates)
    )
    return f"{text}\ncandidates:\n{names}"


def size_of(path: Path) -> tuple[int, int]:
    """Return the number of files below a folder, and their total bytes."""
    files = [each for each in path.rglob("*") if each.is_file()]
    return len(files), sum(each.stat().st_size for each in files)


if __name__ == "__main__":
    main()
