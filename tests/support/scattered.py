"""A project of the same shape as the real one, whose stages take no time: shell commands."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.commands import PYTHON, ROOT, RUN_SECONDS, environment, run
from tests.support.patience import FOREVER
from tests.support.repositories import commit_all

GRAPH = """
stages:
  select:
    cmd: cat data/base.txt metrics/bases/*.txt metrics/predictions/*.txt metrics/repeats/*.txt
      > metrics/all.txt
    deps: [data/base.txt, metrics/bases, metrics/predictions, metrics/repeats]
    outs: [metrics/all.txt]
  prepare:
    cmd: cat source.txt > data/base.txt
    params: [params.yaml: ]
    deps: [source.txt]
    outs: [data/base.txt]
  evaluate_base:
    foreach: ${candidates}
    do:
      cmd: sh stages/work.sh evaluate_base ${key} metrics/bases/${key}.txt data/base.txt
      deps: [data/base.txt, stages]
      outs: ["metrics/bases/${key}.txt"]
  train:
    foreach: ${candidates}
    do:
      cmd: sh stages/work.sh train ${key} models/adapters/${key}.txt data/base.txt
      params: [train.learning_rate]
      deps: [data/base.txt, stages]
      outs: ["models/adapters/${key}.txt"]
      plots: ["metrics/curves/${key}.tsv": {cache: false}]
  evaluate:
    foreach: ${candidates}
    do:
      cmd: sh stages/work.sh evaluate ${key} metrics/predictions/${key}.txt
        models/adapters/${key}.txt metrics/bases/${key}.txt
      deps: ["models/adapters/${key}.txt", "metrics/bases/${key}.txt", stages]
      outs: ["metrics/predictions/${key}.txt"]
  train_repeat:
    matrix: {candidate: "${candidates}", repeat: "${repeats}"}
    cmd: sh stages/work.sh train_repeat ${key} models/repeats/${key}.txt data/base.txt
    params: [train.learning_rate]
    deps: [data/base.txt, stages]
    outs: ["models/repeats/${key}.txt"]
  evaluate_repeat:
    matrix: {candidate: "${candidates}", repeat: "${repeats}"}
    cmd: sh stages/work.sh evaluate_repeat ${key} metrics/repeats/${key}.txt
      models/repeats/${key}.txt
    deps: ["models/repeats/${key}.txt", stages]
    outs: ["metrics/repeats/${key}.txt"]
"""
WORK = """\
# usage: work.sh STAGE NAME OUTPUT INPUT...
stage=$1 name=$2 output=$3
shift 3
echo "$stage@$name $(pwd) ${SLURMD_NODENAME:-here}" >> "$LEDGER/ran"
if [ -e "$LEDGER/fail.$stage@$name" ]; then echo "no luck with $name" >&2; exit 3; fi
while [ -e "$LEDGER/hold.$stage@$name" ]; do sleep 0.1; done
mkdir -p "$(dirname "$output")" .vestibular/costs .vestibular/spool/run-$name
{ echo "$stage@$name"; cat "$@"; grep learning_rate params.yaml | head -1; } > "$output"
echo '{}' > ".vestibular/costs/$name-$stage.json"
echo '{}' > ".vestibular/spool/run-$name/0001-$stage.jsonl"
if [ "$stage" = train ]; then
  mkdir -p metrics/curves
  echo "step 1" > "metrics/curves/$name.tsv"
fi
"""
IGNORED = """\
.vestibular/
/data/base.txt
/models/adapters/*
/models/repeats/*
/metrics/bases/*
/metrics/predictions/*
/metrics/repeats/*
/metrics/all.txt
!.gitkeep
"""
FOLDERS = (
    *("models/adapters", "models/repeats", "metrics/bases", "metrics/predictions"),
    *("metrics/repeats", "data/bases"),
)
STAGES = 10
"""Stages of cells: two candidates with one repeat each."""


class Scattered:
    """The project, and a ledger of what its stages did, wherever they ran."""

    def __init__(
        self,
        folder: Path,
        repeats: str = "[seed-7]",
        enter: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """Make and commit it, with nothing run.

        Args:
            folder: holds it and its ledger.
            repeats: as in the settings.
            enter: what `vestibular scatter` is typed behind: the way into another namespace.
            variables: further ones of whoever types it.
        """
        self.enter, self.variables = tuple(enter), dict(variables or {})
        self.folder = folder / "project"
        self.ledger = folder / "ledger"
        self.ledger.mkdir(parents=True)
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / ".gitkeep").touch()
        settings = (ROOT / "params.yaml").read_text(encoding="utf-8")
        settings = settings.replace("repeats: []", f"repeats: {repeats}")
        # two candidates are enough
        settings = settings.replace("  opt-tiny:\n    base_model: demo/bases/opt-tiny\n", "")
        # nothing is left to the plan, which would ask for real models
        settings += "\nscatter: {memory_gb: 0.01, minutes: 5}\n"
        for name, text in (
            ("dvc.yaml", GRAPH),
            ("params.yaml", settings),
            ("stages/work.sh", WORK),
            ("source.txt", "questions\n"),
            (".gitignore", IGNORED),
        ):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8")
        commit_all(self.folder, "Start")
        run(self.folder, "dvc", "init", "--quiet")
        run(self.folder, "dvc", "config", "core.autostage", "true")
        commit_all(self.folder, "DVC")

    @property
    def _python(self) -> list[str]:
        # the way into another namespace may lead to the top folder
        python = PYTHON if self.enter else sys.executable
        return [*self.enter, "env", "-C", str(self.folder), python]

    def environment(self) -> dict[str, str]:
        """Return the variables of whoever types a command here."""
        return {
            # a fork of the tests' server would not be where the way leads to
            **environment(cold=bool(self.enter)),
            "PYTHONPATH": str(ROOT / "src"),
            "LEDGER": str(self.ledger),
            **self.variables,
        }

    def scatter(self, *options: str, status: int = 0) -> str:
        """Scatter, and return all that it says."""
        done = subprocess.run(
            [*self._python, "-m", "vestibular", "scatter", *options],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=RUN_SECONDS,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def start(self, *options: str) -> "subprocess.Popen[str]":
        """Begin to scatter."""
        return subprocess.Popen(
            [*self._python, "-m", "vestibular", "scatter", *options],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # a group of its own, as a terminal gives a command
            start_new_session=True,
        )

    def follow(self, cell: str, held: Path, *options: str) -> None:
        """Scatter to the end; let what is held go on once its cell is said to be followed."""
        command = self.start(*options)
        assert command.stdout is not None
        with command:
            for line in command.stdout:
                if line.startswith("Already running, now followed: ") and cell in line:
                    held.unlink()
        assert command.returncode == 0
        assert not held.exists(), f"{cell} was not followed"

    def fail(self, stage: str) -> Path:
        """Let a stage fail until the returned file is removed."""
        path = self.ledger / f"fail.{stage}"
        path.touch()
        return path

    def hold(self, stage: str) -> Path:
        """Let a stage go on for ever, or until the returned file is removed."""
        path = self.ledger / f"hold.{stage}"
        path.touch()
        return path

    def ran(self) -> list[str]:
        """Return the stages that have begun, in their order."""
        path = self.ledger / "ran"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line.split()[0] for line in lines]

    def places(self) -> set[str]:
        """Return the folders in which they have begun."""
        lines = (self.ledger / "ran").read_text(encoding="utf-8").splitlines()
        return {line.split()[1] for line in lines}

    def node_of(self, stage: str) -> str:
        """Return the node of Slurm's on which a stage has begun last."""
        lines = (self.ledger / "ran").read_text(encoding="utf-8").splitlines()
        return next(line.split()[2] for line in reversed(lines) if line.split()[0] == stage)

    def wait_for(self, stage: str, count: int = 1) -> None:
        """Wait until a stage has begun."""
        deadline = time.monotonic() + FOREVER
        while self.ran().count(stage) < count:
            assert time.monotonic() < deadline, self.ran()
            time.sleep(0.1)

    def result(self) -> str:
        """Return what `select` has made of all."""
        return (self.folder / "metrics/all.txt").read_text(encoding="utf-8")

    def alone(self, folder: Path) -> str:
        """Return what `dvc repro` makes of a copy of the project, one stage after the other."""
        run(folder.parent, "git", "clone", "--quiet", str(self.folder), str(folder))
        ledger = folder.parent / "other-ledger"
        ledger.mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=folder,
            env={**self.environment(), "LEDGER": str(ledger)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return (folder / "metrics/all.txt").read_text(encoding="utf-8")


def send(command: "subprocess.Popen[str]", number: int) -> str:
    """Send a signal to a command's group, as a terminal does; return all that it has said."""
    os.killpg(command.pid, number)
    said, _ = command.communicate(timeout=FOREVER)
    return said
