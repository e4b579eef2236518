"""Check that a user who starts with sixty own questions never gets a random model promoted.

    python -m bench.german_trial [--seeds 20] [--folder .vestibular/german-trial]

For each seed, sixty German questions are written (`bench/german_questions.py`), `vestibular init`
writes the settings, and the pipeline's stages compare two of the demo's base models with a smaller
model of random weights, which costs least. Each seed's scores are printed. The random model should
rank last in at least 19 of 20 seeds, and be promoted in none. A seed takes about a minute; finished
seeds are not run again. Needs the demo's base models (`dvc pull`).
"""

import argparse
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.german_questions import write_table
from vestibular.core.environment import settle
from vestibular.core.errors import VestibularError
from vestibular.core.files import atomic_file
from vestibular.selection.leaderboard import Leaderboard

ROOT = Path(__file__).parents[1]
RESULTS = "results.jsonl"
DEMO_BASES = ("gpt2-tiny", "gpt2-mini")
RANDOM = "random"
SOURCE = "data/mine"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one seed."""

    seed: int
    winner: str | None
    order: tuple[str, ...]
    """Candidates by rank."""
    f1: dict[str, float]
    """F1 of each candidate after fine-tuning."""

    @property
    def last(self) -> bool:
        """Whether the random model ranks last."""
        return self.order[-1] == RANDOM

    @property
    def promoted(self) -> bool:
        """Whether the random model is in production."""
        return self.winner == RANDOM


def main() -> None:
    """Run the seeds without a result; end with status 1 if the random model does too well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path(".vestibular/german-trial"))
    options = parser.parse_args()
    outcomes = trial(options.folder.resolve(), range(options.seeds))
    last = sum(each.last for each in outcomes)
    promoted = sum(each.promoted for each in outcomes)
    print(f"random model last in {last} of {len(outcomes)} seeds, promoted in {promoted}")
    raise SystemExit(promoted > 0 or last < 0.95 * len(outcomes))


def trial(folder: Path, seeds: Sequence[int]) -> list[Outcome]:
    """Return the outcomes of all seeds; earlier ones are read from the file."""
    folder.mkdir(parents=True, exist_ok=True)
    # share the results of the architecture checks between all seeds
    os.environ["DVC_ROOT"] = str(folder)
    path = folder / RESULTS
    done = {each.seed: each for each in _read(path)}
    for seed in seeds:
        if seed not in done:
            done[seed] = one_seed(folder / f"seed-{seed}", seed)
            lines = [json.dumps(asdict(each), ensure_ascii=False) for each in done.values()]
            with atomic_file(path) as temporary:
                temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        one = done[seed]
        scores = ", ".join(f"{name} {one.f1[name]:.3f}" for name in one.order)
        print(f"seed {seed}: F1 {scores}; promoted: {one.winner or 'none'}", flush=True)
    return [done[seed] for seed in seeds]


def _read(path: Path) -> list[Outcome]:
    if not path.exists():
        return []
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [Outcome(**{**row, "order": tuple(row["order"])}) for row in rows]


def one_seed(folder: Path, seed: int) -> Outcome:
    """Make a project, run its stages in this process, and return the outcome."""
    make_project(folder, seed)
    with in_folder(folder), (folder / "log").open("w", encoding="utf-8") as log:
        with contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            first_settings()
            set_seed(seed)
            run_stages()
        board = Leaderboard.read(Path("metrics/leaderboard.json"))
    shutil.rmtree(folder / "models")
    return Outcome(
        seed=seed,
        winner=board.winner,
        order=tuple(board.candidates),
        f1={name: row.after.f1.value for name, row in board.candidates.items()},
    )


def make_project(folder: Path, seed: int) -> None:
    """Put the questions, the demo's bases and the random model into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    write_table(folder / SOURCE / "fragen.csv", seed)
    for name in DEMO_BASES:
        shutil.copytree(ROOT / "demo/bases" / name, folder / "models/bases" / name)
    write_random_base(folder / "models/bases" / RANDOM)


def write_random_base(folder: Path) -> None:
    """Write a model of random weights with half the demo's width and one layer."""
    settle("portable")
    # imported after `settle`, which sets variables that they read
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    source = ROOT / "demo/bases" / DEMO_BASES[0]
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    config: Any = AutoConfig.from_pretrained(source)
    config.n_embd, config.n_layer, config.n_head = config.n_embd // 2, 1, 2
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def first_settings() -> None:
    """Write the settings with the command that a user would run."""
    from vestibular.commands.cli import main as vestibular

    names = (*DEMO_BASES, RANDOM)
    candidates = [option for name in names for option in ("--candidate", f"models/bases/{name}")]
    _call(vestibular, "vestibular", "init", "--source", SOURCE, "--language", "de", *candidates)


def set_seed(seed: int) -> None:
    """Set the seed of the split, the order of questions and the adapters' initial weights."""
    params = Path("params.yaml")
    text = params.read_text(encoding="utf-8")
    params.write_text(text.replace("seed: 42\n", f"seed: {seed}\n"), encoding="utf-8")


def run_stages() -> None:
    """Run the pipeline as `dvc repro` would, without a process for each stage."""
    settle("portable")
    from stages import evaluate, evaluate_base, prepare, select, train

    _call(prepare.main, "stages.prepare")
    for name in (*DEMO_BASES, RANDOM):
        for stage in (evaluate_base, train, evaluate):
            _call(stage.main, stage.__name__, name)
    _call(select.main, "stages.select")


def _call(command: Any, *arguments: str) -> None:
    """Call a command with its arguments as if they had been typed.

    Raises:
        VestibularError: the command ended with a status other than 0.
    """
    before, sys.argv = sys.argv, list(arguments)
    try:
        command()
    except SystemExit as ended:
        if ended.code:
            raise VestibularError(f"{' '.join(arguments)}: status {ended.code}; see log") from None
    finally:
        sys.argv = before


@contextlib.contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Change to a folder, and back at the end."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


if __name__ == "__main__":
    main()
