"""Run the demo with five folds, one stage after the other and with each engine of `scatter`.

    python -m bench.fan_out [alone] [local] [slurm] [ray] [--documents 170]

There are three candidates with six trainings and exams each: two of the demo's bases, and one of
five million parameters, made by the demo's own builder. Each way starts with a fresh clone and an
empty run-cache. `alone` is `dvc repro`; the others are `vestibular scatter` with two cells at a
time. Slurm and Ray are started in namespaces of their own, as in the tests, before the measured
time starts. The bytes of every output are compared with those of the first way, except costs and
the report, which shows costs. All processes compute on one thread, so that all ways add numbers in
the same order. Figures go to `bench/results/fan-out.json`; running a way again replaces its figures
there.
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
"""5.1 million parameters. Twenty steps are enough, since its answers do not matter here."""
FOLDS = [f"fold-{number}" for number in range(1, 6)]


@dataclass(frozen=True)
class Entered:
    """The place where commands run."""

    enter: Sequence[str] = ()
    """Words before each command, which enter another namespace."""
    variables: Mapping[str, str] = field(default_factory=dict)


def main() -> None:
    """Run the requested ways, and end with status 1 if any byte differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ways", nargs="*", metavar="way", help=f"{', '.join(ENGINES)} (all)")
    parser.add_argument("--documents", type=int, help="documents of training data (all 170)")
    parser.add_argument("--folder", type=Path, help="for the project; kept if it exists")
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
    """Make the project with its larger base, as a repository of its own without any results."""
    copy_project(project)
    demo = project / "demo"
    settings = read_yaml(demo / "params.yaml")
    settings["bases"] = {LARGE: LARGE_BASE}
    # JSON is valid YAML
    (demo / "params.yaml").write_text(json.dumps(settings), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "pretrain", LARGE], cwd=demo, check=True)
    training = demo / "data/train.json"
    content = json.loads(training.read_text(encoding="utf-8"))
    content["data"] = content["data"][:documents]
    training.write_text(json.dumps(content), encoding="utf-8")
    # they describe how to make the demo's files, which here were made with other settings
    for name in ("dvc.yaml", "dvc.lock"):
        (demo / name).unlink()
    params = read_yaml(project / "params.yaml")
    params["repeats"] = FOLDS
    params["candidates"] = {name: {"base_model": f"demo/bases/{name}"} for name in (*SMALL, LARGE)}
    (project / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    commit_all(project)


def measured(way: str, project: Path, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Run one way in a clone; return its figures, and the hash of each file that it made."""
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
    """Return variables for running a clone's own library with this Python, on one thread."""
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
    """Start the cluster that a way needs, if any: two nodes with one CPU each."""
    if way not in ("slurm", "ray"):
        yield Entered()
        return
    # a short path, since Ray puts sockets there
    with TemporaryDirectory(prefix=way) as state:
        cluster: Any
        if way == "slurm":
            from tests.support.slurm_cluster import SlurmCluster

            cluster = SlurmCluster(Path(state))
        else:
            from tests.support.ray_cluster import RayCluster

            # Ray's jobs inherit its daemons' variables; it must not give up on jobs that wait long
            variables = {"HF_HUB_OFFLINE": "1", "RAY_JOB_START_TIMEOUT_SECONDS": "86400"}
            cluster = RayCluster(Path(state), variables)
        try:
            yield Entered(cluster.enter, cluster.variables)
        finally:
            cluster.stop()


def hashes(project: Path) -> Iterator[tuple[str, str]]:
    """Yield each file that a stage made, with the hash of its content."""
    for stage in read_yaml(project / "dvc.lock")["stages"].values():
        for output in stage["outs"]:
            path = project / output["path"]
            for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
                name = each.relative_to(project).as_posix()
                if each.is_file() and name not in MEASURED:
                    yield name, file_sha256(each)


if __name__ == "__main__":
    main()
