"""Cost of DVC and git in a project of many cells, whose stages write empty results.

A cell is an untuned base's exam, or a candidate's training and exam, so that there are half as many
candidates as cells.
"""

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.scale import commit_all, copy_project, dvc, settings, size_of, timed

RUN = 3
"""Number of candidates whose stages DVC runs; its cost is the same for each in a project."""
STUB = '''"""Writes a stage's outputs, as good as empty, for each name."""
import sys
from pathlib import Path

WHAT = Path(sys.argv[0]).stem

def put(name, *paths):
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\\n")

def make(name):
    if WHAT == "prepare":
        put(name, "data/prepared/train.jsonl", "data/prepared/validation.jsonl")
        put(name, "data/repeats/names.json", "data/base_exam.jsonl")
        put(name, "data/audit.jsonl", "metrics/data.json")
        text = Path("params.yaml").read_text().partition("\\ncandidates:\\n")[2]
        for line in text.splitlines():
            put(name, f"data/bases/{line.partition(':')[0].strip()}.json")
    if WHAT == "evaluate_base":
        put(name, f"metrics/bases/{name}.jsonl", f"metrics/bases/{name}.json")
    if WHAT == "train":
        put(name, f"models/adapters/{name}/weights", f"metrics/curves/{name}.tsv")
    if WHAT == "evaluate":
        put(name, f"metrics/predictions/{name}.jsonl", f"metrics/details/{name}.json")
        put(name, f"metrics/exam/{name}.json")
    if WHAT == "select":
        put(name, "models/production/model", "metrics/report.html", "metrics/selection.json")
        put(name, "metrics/leaderboard.json", "metrics/costs.json", "metrics/winner.json")
        put(name, "metrics/charts/loss.tsv", "metrics/charts/scores.tsv")

for name in sys.argv[1:] or [""]:
    make(name)
'''
STAGES = ("prepare", "evaluate_base", "train", "evaluate", "select")


def measure(cells: int, folder: Path) -> dict[str, Any]:
    """Measure a project with this number of cells in an empty folder."""
    candidates = max(1, cells // 2)
    copy_project(folder, "src/neptune_server/")
    for stage in STAGES:
        (folder / f"stages/{stage}.py").write_text(STUB, encoding="utf-8")
    (folder / "stages/__init__.py").write_text("", encoding="utf-8")
    (folder / "params.yaml").write_text(settings(candidates), encoding="utf-8")
    commit_all(folder)
    dvc(folder, "repro", "--single-item", "prepare")
    names = [f"c{number:04d}" for number in range(candidates)]
    ran = names[: min(RUN, candidates)]
    first, more = _targets(ran[:1]), _targets(ran)
    one = dvc(folder, "repro", "--single-item", "--force", *first)
    several = dvc(folder, "repro", "--single-item", "--force", *more)
    _finish(folder, names)
    found = {
        "candidates": candidates,
        "stages": 3 * candidates + 2,
        "run_of_a_stage": _each(one, several, len(first), len(more)),
        "run_of_one_cell_alone": dvc(folder, "repro", "--single-item", "--force", first[0]),
        "nothing_to_do": dvc(folder, "repro"),
        "status": dvc(folder, "status"),
        "lock_bytes": (folder / "dvc.lock").stat().st_size,
        "run_cache_files_and_bytes": size_of(folder / ".dvc/cache/runs"),
        "cache_files_and_bytes": size_of(folder / ".dvc/cache/files"),
    }
    before = size_of(folder / ".git")[1]
    found["git_add"] = timed(folder, "git", "add", "--all")
    found["git_commit"] = timed(folder, "git", "commit", "--quiet", "--message=Run")
    found["git_status"] = timed(folder, "git", "status", "--porcelain")
    found["git_bytes_a_run"] = size_of(folder / ".git")[1] - before
    found["restored_stage"] = _restored(folder, more)
    return found


def _targets(names: list[str]) -> list[str]:
    return [f"{do}@{name}" for name in names for do in ("evaluate_base", "train", "evaluate")]


def _each(
    one: dict[str, float], several: dict[str, float], first: int, more: int
) -> dict[str, float]:
    """Return the cost of one more stage in a command; nothing if there is only one candidate."""
    if more == first:
        return {}
    return {
        key: round((several[key] - one[key]) / (more - first), 3)
        for key in ("processor_seconds", "seconds")
    }


def _finish(folder: Path, names: list[str]) -> None:
    """Write the results of all stages and DVC's own entries for them, without 1,500 commands."""
    from dvc.repo import Repo, lock_repo
    from dvc.stage.serialize import to_lockfile
    from dvc.utils.serialize import dump_yaml

    for do, of in (*((do, names) for do in ("evaluate_base", "train", "evaluate")), ("select", [])):
        subprocess.run([sys.executable, "-m", f"stages.{do}", *of], cwd=folder, check=True)
    entries: dict[str, Any] = {}
    site = {"core": {"site_cache_dir": str(folder / ".site")}}
    # DVC resolves the names of files from the current folder
    with (
        contextlib.chdir(folder),
        Repo(str(folder), config=site) as repository,
        lock_repo(repository),
    ):
        for stage in repository.index.stages:
            if stage.path_in_repo == "dvc.yaml":
                stage.save()
                stage.commit()
                entries |= to_lockfile(stage)
    dump_yaml(folder / "dvc.lock", {"schema": "2.0", "stages": entries})


def _restored(folder: Path, targets: list[str]) -> dict[str, float]:
    """Return the cost of restoring a stage from the run-cache, as a scatter does at its end."""
    from dvc.utils.serialize import dump_yaml

    from vestibular.core.yaml_files import read_yaml

    lock = folder / "dvc.lock"
    taken = {}
    for part in (targets[:3], targets):
        content = read_yaml(lock)
        rest = {key: row for key, row in content["stages"].items() if key not in part}
        dump_yaml(lock, {**content, "stages": rest})
        for target in part:
            do, _, name = target.partition("@")
            if do == "train":
                shutil.rmtree(folder / "models/adapters" / name)
        taken[len(part)] = dvc(folder, "repro", "--single-item", *part)
    return _each(taken[min(taken)], taken[max(taken)], min(taken), max(taken))
