"""The demo with five folds, one stage after the other and through each engine of `scatter`.

    python -m bench.fan_out [alone] [local] [slurm] [ray] [--documents 170]

Three candidates, six trainings and exams each: two of the demo's bases, and one of five million
parameters that the demo's own builder makes. Each way begins with a clone of its own in which
nothing has been run, and an empty run-cache. `alone` is `dvc repro`; the others are `vestibular
scatter`, with two cells at a time. Slurm and Ray are started in namespaces of their own, as the
tests start them, before the clock runs. Every output's bytes are compared with those of the way
that was run first, costs and the report that shows them aside. All compute with one thread a
process, so that each way has the same sums. Figures go to `bench/results/fan-out.json`; a way that
is asked for again takes the place of its figures there.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from bench.kills import MEASURED
from bench.machine import load, machine
from bench.scale import ROOT, commit_all, copy_project
from vestibular.core.files import file_sha256, write_json
from vestibular.core.yaml_files import read_yaml

RESULT = ROOT / "bench/results/fan-out.json"
ENGINES = ("alone", "local", "slurm", "ray")
SMALL = ("gpt2-tiny", "opt-tiny")
LARGE = "gpt2-small"
LARGE_BASE = {
    "architecture": "gpt2",
    "layers": 6,
    "heads": 4,
    "width": 256,
    "feed_forward": 1024,
    "positions": 512,
    "seed": 0,
    "steps": 20,
    "batch_size": 16,
    "matrix_learning_rate": 0.02,
    "learning_rate": 0.003,
}
"""5.1 million parameters. Twenty steps: what it answers is of no matter here."""
FOLDS = [f"fold-{number}" for number in range(1, 6)]


@dataclass(frozen=True)
class Entered:
    """Where commands are typed."""

    enter: Sequence[str] = ()
    """What they are typed behind: the way into another namespace."""
    variables: Mapping[str, str] = field(default_factory=dict)


def main() -> None:
    """Run the ways that are asked for, and end with status 1 if a byte differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ways", nargs="*", metavar="way", help=f"{', '.join(ENGINES)} (all)")
    parser.add_argument("--documents", type=int, help="of the training data (all 170)")
    parser.add_argument("--folder", type=Path, help="for the project, kept if it is there already")
    arguments = parser.parse_args()
    ways = arguments.ways or list(ENGINES)
    if unknown := set(ways) - set(ENGINES):
        parser.error(f"{', '.join(sorted(unknown))}: no such way ({', '.join(ENGINES)})")
    folder = arguments.folder or Path(mkdtemp(prefix="vestibular-fan-out-"))
    project = folder / "project"
    if not project.exists():
        make(project, arguments.documents)
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    if kept.get("documents") != arguments.documents:
        kept = {"documents": arguments.documents, "ways": {}}
    for way in ways:
        found, made = measured(way, project, folder / way)
        expected = kept.setdefault("outputs", made)
        differing = {name for name in expected | made if expected.get(name) != made.get(name)}
        found |= {"outputs": len(made), "differing": sorted(differing)}
        kept["ways"][way] = found
        write_json(RESULT, {**kept, "machine": machine()})
        print(way, json.dumps(found), flush=True)
    sys.exit(any(kept["ways"][way]["differing"] for way in ways))


def make(project: Path, documents: int | None) -> None:
    """Make the project, with its larger base, as a repository of its own in which nothing ran."""
    copy_project(project)
    demo = project / "demo"
    settings = read_yaml(demo / "params.yaml")
    settings["bases"] = {LARGE: LARGE_BASE}
    # JSON is YAML, too
    (demo / "params.yaml").write_text(json.dumps(settings), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "pretrain", LARGE], cwd=demo, check=True)
    training = demo / "data/train.json"
    content = json.loads(training.read_text(encoding="utf-8"))
    content["data"] = content["data"][:documents]
    training.write_text(json.dumps(content), encoding="utf-8")
    # what it says how to make is made already, with other settings than it names
    for name in ("dvc.yaml", "dvc.lock"):
        (demo / name).unlink()
    params = read_yaml(project / "params.yaml")
    params["repeats"] = FOLDS
    params["candidates"] = {name: {"base_model": f"demo/bases/{name}"} for name in (*SMALL, LARGE)}
    (project / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    commit_all(project)


def measured(way: str, project: Path, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Run one way in a clone; return its figures, and the hash of each file that it has made."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(project), str(folder)], check=True)
    command = ["dvc", "repro"] if way == "alone" else ["vestibular", "scatter", "--on", way]
    with cluster_of(way) as entered, (folder.parent / f"{way}.log").open("w") as log:
        before = load()
        start = time.perf_counter()
        subprocess.run(
            [*entered.enter, "env", "-C", str(folder), sys.executable, "-m", *command],
            check=True,
            cwd=folder,
            env={**environment(folder), **entered.variables},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        seconds = time.perf_counter() - start
    stages = [name for name in read_yaml(folder / "dvc.lock")["stages"] if "@" in name]
    found = {
        "seconds": round(seconds, 1),
        "load_before": before,
        "load_after": load(),
        "trainings_and_exams": len(stages),
    }
    return found, dict(hashes(folder))


def environment(folder: Path) -> dict[str, str]:
    """Return variables with which a clone's own library and this Python run, on one thread."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    site = str(folder.parent / f"{folder.name}-site")
    return {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(folder / "src"),
        "DVC_SITE_CACHE_DIR": site,
        "OMP_NUM_THREADS": "1",
    }


@contextmanager
def cluster_of(way: str) -> Iterator[Entered]:
    """Start the cluster that a way needs, two nodes of one processor each; none for the others."""
    if way not in ("slurm", "ray"):
        yield Entered()
        return
    # short, since Ray puts sockets there
    with TemporaryDirectory(prefix=way) as state:
        cluster: Any
        if way == "slurm":
            from tests.support.slurm_cluster import SlurmCluster

            cluster = SlurmCluster(Path(state))
        else:
            from tests.support.ray_cluster import RayCluster

            # its jobs have the variables of its daemons; one that waits for long is not given up
            variables = {"HF_HUB_OFFLINE": "1", "RAY_JOB_START_TIMEOUT_SECONDS": "86400"}
            cluster = RayCluster(Path(state), variables)
        try:
            yield Entered(cluster.enter, cluster.variables)
        finally:
            cluster.stop()


def hashes(project: Path) -> Iterator[tuple[str, str]]:
    """Yield each file that a stage has made, with its content's hash."""
    for stage in read_yaml(project / "dvc.lock")["stages"].values():
        for output in stage["outs"]:
            path = project / output["path"]
            for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
                name = each.relative_to(project).as_posix()
                if each.is_file() and name not in MEASURED:
                    yield name, file_sha256(each)


if __name__ == "__main__":
    main()
