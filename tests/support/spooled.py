"""Spools made by hand, the command that mirrors them, and what services make of them."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from tests.support.commands import ROOT, where_commands_are
from tests.support.patience import FOREVER, read_until
from tests.support.results import training_record

DEADLINE = FOREVER
"""Seconds after which a command is killed and its test fails."""
START = 1_790_000_000.0
"""When the runs began, seconds since 1970."""


class Spooled:
    """A folder with settings and spools, as a project has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        if not (folder / "params.yaml").exists():
            shutil.copy(ROOT / "params.yaml", folder)

    def run(
        self,
        run: str = "aaaa",
        candidate: str = "gpt2-tiny",
        losses: Sequence[float | str] | None = None,
        f1: float | None = 0.5,
        end: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        exam: dict[str, Any] | None = None,
        base: dict[str, str] | None = None,
        **more: Any,
    ) -> Path:
        """Write a training and an examination; return the training's file."""
        lines: list[dict[str, Any]] = [
            {
                "event": "start",
                "run": run,
                "candidate": candidate,
                "stage": "train",
                "settings": {"seed": 42, "base_model": "b", "train": {"epochs": 1}}
                | (settings or {}),
                "data": "d" * 64,
                "base": base or {},
            },
            {"event": "model", "configuration": {"parameters": 7_000_000_000} | more},
            *(
                {"event": "point", "step": step, "values": {"loss": loss}}
                for step, loss in enumerate(losses or [2.0, 1.5, 1.25], 1)
            ),
            {"event": "usage", "values": {"cpu_percent": 50.0}},
            *({"event": "file", "kind": "adapter", **file} for file in self.adapter(candidate)),
            end or {"event": "end"},
        ]
        path = self.write(run, "0001-train.jsonl", lines)
        if f1 is not None:
            scores = {
                "before": {"exact_match": 0.0, "f1": 0.1},
                "after": {"exact_match": f1 / 2, "f1": f1},
                "parameters": {"total": 7_000_000_000, "trainable": 8192},
            }
            begin = lines[0] | {"stage": "evaluate", "settings": exam or lines[0]["settings"]}
            del begin["data"], begin["base"]
            told = [begin, {"event": "scores", "values": scores}, {"event": "end"}]
            self.write(run, "0002-evaluate.jsonl", told)
        return path

    def write(self, run: str, name: str, lines: list[dict[str, Any]]) -> Path:
        """Write a file of events, a second apart."""
        path = self.folder / ".vestibular/spool" / run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        timed = [line | {"time": START + place} for place, line in enumerate(lines)]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in timed), encoding="utf-8")
        return path

    def adapter(self, candidate: str) -> list[dict[str, str]]:
        """Make an adapter's files and say what a spool says of them."""
        folder = self.folder / "models/adapters" / candidate
        folder.mkdir(parents=True, exist_ok=True)
        files = {"adapter_config.json": b"{}", "adapter_model.safetensors": candidate.encode() * 9}
        said = []
        for name, content in files.items():
            (folder / name).write_bytes(content)
            path = f"models/adapters/{candidate}/{name}"
            # DVC's name for a file, no secret
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            said.append({"name": name, "path": path, "md5": md5})
        return said

    def win(self, run: str, candidate: str, promoted: bool = True, settings: str = "") -> None:
        """Put a run's model where `select` puts it, or where it promotes none."""
        record = training_record(run=run, questions=3, mean_loss=1.6, settings=settings)
        record.write(self.folder / "models/adapters" / candidate / "training.json")
        production = self.folder / "models/production/training.json"
        production.parent.mkdir(exist_ok=True)
        production.unlink(missing_ok=True)
        if promoted:
            record.write(production)

    def start(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start `vestibular mirror`."""
        variables = {**(environment or os.environ), **where_commands_are()}
        for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):
            if environment is None or name not in environment:
                variables.pop(name, None)
        return subprocess.Popen(
            ["python", "-m", "vestibular", "mirror", *arguments],
            cwd=self.folder,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def mirror(
        self, *arguments: str, status: int = 0, environment: dict[str, str] | None = None
    ) -> str:
        """Run `vestibular mirror` and return what it prints."""
        return finish(self.start(*arguments, environment=environment), status)


def finish(process: subprocess.Popen[str], status: int = 0) -> str:
    """Wait for a command, within the deadline, and return all that it has said."""
    try:
        output, errors = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        raise AssertionError(f"past the deadline:\n{output}\n{errors}") from None
    assert process.returncode == status, output + errors
    assert "Traceback" not in output + errors
    return output + errors


def counts(said: str) -> dict[str, tuple[int, int, str]]:
    """Read the table: pushed, there already and failed, by candidate."""
    found = {}
    for line in said.splitlines():
        cells = line.split()
        row = len(cells) >= 6 and cells[3].isdigit() and cells[4].isdigit()
        if row and cells[0] in ("mlflow", "neptune"):
            found[cells[1]] = (int(cells[3]), int(cells[4]), " ".join(cells[5:]))
    return found


def hold(path: Path) -> IO[str]:
    """Hold a spool's lock, as the process that writes it does."""
    file = path.open("a", encoding="utf-8")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def wait_for(process: subprocess.Popen[str], text: str) -> str:
    """Return a command's messages up to one that holds the text, within the deadline."""
    return read_until(process, process.stderr, text)
