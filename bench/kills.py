"""Check that a run killed at any moment gives the same bytes when it is run again.

    python -m bench.kills [--kills 50]

Stages of the demo, reduced to few questions, are killed by SIGKILL at random moments: DVC alone,
the stage alone, and the whole process group, each as often as `--kills` says. Then the same command
runs again. Every output must have the bytes of an undisturbed run, except measured costs and the
report that shows them, and there may be no files that such a run does not leave. A kill takes about
half a minute; an interrupted bench continues. Needs the demo's base models (`dvc pull`).
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from bench.machine import machine
from vestibular.core.files import file_sha256, read_json, write_json
from vestibular.core.yaml_files import read_yaml

ROOT = Path(__file__).parents[1]
RESULT = Path("bench/results/kills.json")
WAYS = ("dvc", "stage", "group")
"""What is killed: DVC alone, the stage's process alone, or all of them at once."""
NAME = "gpt2-tiny"
STAGES = ("prepare", f"evaluate_base@{NAME}", f"train@{NAME}", f"evaluate@{NAME}", "select")
WEIGHTS = (1, 1, 3, 1, 1)
"""How often each stage is chosen; a training has the most work that can be interrupted."""
DOCUMENTS = {"train": 12, "dev": 3}
MEASURED = ("metrics/costs.json", "metrics/report.html")
"""Results that differ between runs, since they hold measurements."""
NOT_LOOKED_INTO = (".git", ".dvc", ".vestibular", "__pycache__", ".venv")
WAIT = 600
"""Time limit of any step, in seconds."""


def main() -> None:
    """Kill, repeat, compare; write the result, and end with status 1 if anything differed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="of each of the three ways")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = done_before(options.output, options.seed)
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        project = Path(folder, "project")
        make(project)
        seconds = {stage: timed(project, stage) for stage in STAGES}
        calm = state(project)
        bar = tqdm(initial=sum(row["killed"] for row in rows), total=options.kills * len(WAYS))
        for way in cycle(WAYS):
            so_far = [row for row in rows if row["way"] == way]
            if bar.n == bar.total:
                break
            # a stage that ended before the kill does not count
            if sum(row["killed"] for row in so_far) == options.kills:
                continue
            chance = random.Random(f"{options.seed} {way} {len(so_far)}")
            (stage,) = chance.choices(STAGES, WEIGHTS)
            after = chance.uniform(0, seconds[stage])
            rows.append(one(project, way, stage, after, calm))
            write(options.output, options.seed, rows)
            bar.update(rows[-1]["killed"])
    sys.exit(any(row["faults"] for row in rows))


def done_before(path: Path, seed: int) -> list[dict[str, Any]]:
    """Return the results of an interrupted bench."""
    if not path.exists():
        return []
    content = read_json(path)
    return list(content["kills"]) if content["seed"] == seed else []


def one(project: Path, way: str, stage: str, after: float, calm: dict[str, str]) -> dict[str, Any]:
    """Kill a stage, run it again, and return the differences to the undisturbed run."""
    killed = kill(project, stage, way, after)
    again = start(project, stage)
    said = again.communicate(timeout=WAIT)[1].decode(errors="replace")
    wait_for_orphans(project)
    faults = differences(calm, state(project))
    if again.returncode:
        faults.append(f"exit status {again.returncode}: {said.strip()[-300:]}")
    if faults:
        # the next kill starts with the undisturbed run's results
        subprocess.run(["dvc", "checkout", "--quiet"], cwd=project, check=False)
        subprocess.run(["git", "clean", "-fdq"], cwd=project, check=True)
    row = {"way": way, "stage": stage, "after": round(after, 2), "killed": killed}
    return {**row, "faults": faults}


def write(path: Path, seed: int, rows: list[dict[str, Any]]) -> None:
    """Write the results so far, with a summary."""

    def outcome(row: dict[str, Any]) -> str:
        if row["faults"]:
            return "not the same"
        return "the same" if row["killed"] else "ended before"

    summary = {
        way: dict(Counter(outcome(row) for row in rows if row["way"] == way)) for way in WAYS
    }
    content = {"machine": machine(), "seed": seed, "summary": summary, "kills": rows}
    write_json(path, content)


def make(project: Path) -> None:
    """Make a clone with one candidate and few questions, and run the whole pipeline."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(project)], check=True)
    for name in ("bases", "data"):
        shutil.copytree(ROOT / "demo" / name, project / "demo" / name, dirs_exist_ok=True)
    source = project / "data/few"
    source.mkdir()
    for name, count in DOCUMENTS.items():
        content = json.loads((ROOT / f"demo/data/{name}.json").read_text(encoding="utf-8"))
        content["data"] = content["data"][:count]
        (source / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    params = read_yaml(project / "params.yaml")
    params["data"]["source"] = "data/few"
    params["candidates"] = {NAME: params["candidates"][NAME]}
    params["train"] |= {"checkpoint_steps": 5, "epochs": 2}
    params["select"]["allow_below_reference"] = True
    # JSON is valid YAML
    (project / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    subprocess.run(["dvc", "repro", "--quiet"], cwd=project, check=True, env=environment(project))


def environment(project: Path) -> dict[str, str]:
    """Return an environment in which the clone's own code runs."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(project / "src")}


def start(project: Path, stage: str) -> subprocess.Popen[bytes]:
    """Start one stage with the command that forces it to run again."""
    return subprocess.Popen(
        ["dvc", "repro", "--force", "--single-item", stage],
        cwd=project,
        env=environment(project),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def timed(project: Path, stage: str) -> float:
    """Run a stage undisturbed; return its seconds."""
    started = time.monotonic()
    done = start(project, stage)
    said = done.communicate(timeout=WAIT)[1].decode(errors="replace")
    if done.returncode:
        sys.exit(f"{stage}: fails even without a kill: {said}")
    return time.monotonic() - started


def kill(project: Path, stage: str, way: str, after: float) -> bool:
    """Start a stage and kill it; return whether it was still running.

    Args:
        project: the clone.
        stage: DVC's name of the stage.
        way: one of `WAYS`.
        after: seconds from the start.
    """
    running = start(project, stage)
    try:
        running.communicate(timeout=after)
        return False
    except subprocess.TimeoutExpired:
        pass
    if way == "group":
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        return True
    if way == "dvc":
        running.kill()
        running.wait()
        return True
    try:
        children = psutil.Process(running.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    stages = [child for child in children if is_stage(child)]
    for child in stages:
        child.kill()
    running.communicate(timeout=WAIT)
    return bool(stages)


def is_stage(process: psutil.Process) -> bool:
    """Return whether a process is one of the stages."""
    try:
        return any(word.startswith("stages.") for word in process.cmdline())
    except psutil.Error:
        return False


def wait_for_orphans(project: Path) -> None:
    """Wait until no stage of the clone is running."""
    orphans = []
    for process in psutil.process_iter():
        try:
            if is_stage(process) and process.cwd() == str(project):
                orphans.append(process)
        except psutil.Error:
            continue
    _, alive = psutil.wait_procs(orphans, timeout=WAIT)
    if alive:
        sys.exit(f"still running after {WAIT} s: {alive}")


def state(project: Path) -> dict[str, str]:
    """Return the hash of every file of the clone, hidden ones included, except measurements.

    Of `.vestibular`, only checkpoints count, since an interruption may leave them behind.
    """
    found = {}
    for folder, folders, files in os.walk(project):
        folders[:] = [name for name in folders if name not in NOT_LOOKED_INTO]
        for name in files:
            path = Path(folder, name)
            where = path.relative_to(project).as_posix()
            measured = where in MEASURED or where == "dvc.lock"
            found[where] = "" if measured else file_sha256(path)
    for path in (project / ".vestibular/checkpoints").glob("*"):
        found[path.relative_to(project).as_posix()] = ""
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the differences between two states, with a line for each file."""
    left, gone = after.keys() - before.keys(), before.keys() - after.keys()
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    kinds = (("left behind", left), ("gone", gone), ("other bytes", changed))
    return [f"{name}: {kind}" for kind, names in kinds for name in sorted(names)]


if __name__ == "__main__":
    main()
