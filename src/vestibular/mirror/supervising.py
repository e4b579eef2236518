"""A worker under deadlines: what it says is collected, and when it hangs it is ended."""

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

START = "start the client"
"""What a worker says before it asks anything of the service."""
READ = "read the runs"
"""What a worker says before it looks at its own files, which may be large."""
RESTART_SECONDS = 5.0
"""Seconds until a worker that has failed is started again, under `--follow`."""
START_SECONDS = 90.0
"""Seconds that a worker may take to import its client, on a machine with other things to do."""
SLOWEST_UPLOAD = 1_000_000
"""Bytes a second; an upload is given the time that it takes at this speed, beside its deadline."""
POLL_SECONDS = 0.2
END_SECONDS = 5.0
LONGEST_REASON = 500
"""Characters; MLflow's longest advice has about as many."""
SECRET_NAMES = ("TOKEN", "PASSWORD", "SECRET")
"""What the name of a variable holds that nobody may see."""


@dataclass
class Result:
    """What came of the pushes to one target."""

    target: str
    candidates: dict[str, str] = field(default_factory=dict)
    """Names of the runs, by id."""
    outcomes: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Outcome and reason, by run and item."""
    untried: set[str] = field(default_factory=set)
    """Runs that the push did not get to."""
    fault: str = ""
    """Why the push as a whole ended early."""

    @property
    def failed(self) -> bool:
        """Whether anything is missing at the target."""
        return bool(self.fault or self.untried) or any(
            outcome == "failed" for outcome, _ in self.outcomes.values()
        )


@dataclass(frozen=True)
class Deadlines:
    """Seconds that a single call, and that a whole push, may take, uploads aside."""

    call: float
    push: float


class Supervisor:
    """Runs the worker of one target."""

    def __init__(
        self,
        target: str,
        options: list[str],
        environment: Mapping[str, str],
        deadlines: Deadlines,
        say: Callable[[str], None],
    ) -> None:
        self.result = Result(target)
        self._command = [sys.executable, "-m", "vestibular.mirror.worker", target, *options]
        self._environment = environment
        self._deadlines = deadlines
        self._say = say
        self._follow = "--follow" in options
        self._asked = START
        self._upload_seconds = 0.0
        """What the call that is under way may take more."""
        self._waiting = False

    def run(self, stop: threading.Event) -> None:
        """Push until all is done, a deadline has passed or somebody says stop."""
        while not stop.is_set():
            self.result.fault = ""
            try:
                self._once(stop)
            except OSError as error:
                # no room for the worker's log, say
                self.result.fault = f"the push cannot begin: {error.strerror or error}"
            if not self._follow:
                return
            if stop.is_set():
                # what the last round did not get to is the next push's
                self.result.untried.clear()
                return
            if self.result.fault:
                self._say(f"{self.result.target}: {self.result.fault}; tried again soon")
                stop.wait(RESTART_SECONDS)

    def _once(self, stop: threading.Event) -> None:
        with (
            tempfile.TemporaryFile() as log,
            subprocess.Popen(  # noqa: S603
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            ) as process,
        ):
            try:
                self._listen(process, stop)
            finally:
                # whatever it has started ends with it
                _kill(process)
            ended_badly = process.returncode not in (0, -signal.SIGKILL)
            if ended_badly and not self.result.fault:
                self.result.fault = self._shown(_last_line(log)) or "the push ended early"

    def _listen(self, process: "subprocess.Popen[bytes]", stop: threading.Event) -> None:
        """Read what the worker says until it ends, or must be ended."""
        pipe: Any = process.stdout
        os.set_blocking(pipe.fileno(), False)
        self._asked, self._upload_seconds = START, 0.0
        began = heard = time.monotonic()
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while not stop.is_set():
                now = time.monotonic()
                limits = {START: START_SECONDS, READ: self._deadlines.push}
                allowed = limits.get(self._asked, self._deadlines.call) + self._upload_seconds
                if now - heard > allowed:
                    self.result.fault = f"no answer within {allowed:g} s ({self._asked})"
                    return
                whole = self._deadlines.push + self._upload_seconds
                if now - began > whole:
                    waiting = "another push is under way" if self._waiting else "not done"
                    self.result.fault = f"{waiting} after {whole:g} s"
                    return
                if not selector.select(POLL_SECONDS):
                    continue
                data = pipe.read()
                if not data:
                    self._let_end(process)
                    return
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    # what an upload took is not the rest's
                    began += min(time.monotonic() - heard, self._upload_seconds)
                    heard = time.monotonic()
                    if self._handle_message(json.loads(line)):
                        began = heard

    def _let_end(self, process: "subprocess.Popen[bytes]") -> None:
        """Give a worker that has said everything a moment to end by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=END_SECONDS)

    def _handle_message(self, message: Mapping[str, Any]) -> bool:
        """Take in a message; return whether a round has ended."""
        result, kind = self.result, message["kind"]
        self._waiting = kind == "waiting"
        self._upload_seconds = message.get("bytes", 0) / SLOWEST_UPLOAD
        if kind == "call":
            self._asked = message["what"]
        elif kind == "plan":
            result.candidates |= dict(message["runs"])
            result.untried = {run for run, _ in message["runs"]}
        elif kind == "run":
            result.untried.discard(message["run"])
        elif kind == "item":
            self._hear_item(message)
        elif kind == "gone":
            result.fault = self._shown(message["why"])
        return bool(kind == "idle")

    def _hear_item(self, message: Mapping[str, Any]) -> None:
        key = (message["run"], message["item"])
        # one that is not here has a version there
        self.result.candidates.setdefault(message["run"], message["candidate"])
        outcome, why = message["outcome"], self._shown(message["why"])
        known = self.result.outcomes.get(key, ("", ""))
        # what this very command has pushed is not "there already" in its later rounds
        if not (outcome == "there" and known[0] == "pushed"):
            self.result.outcomes[key] = (outcome, why)
        # a failure that stays is tried again in every round, and told once
        if self._follow and (
            outcome == "pushed" or (outcome == "failed" and known != (outcome, why))
        ):
            where = f"{self.result.target}  {message['candidate']}"
            self._say(f"{where}  {message['item']}  {outcome}{why and f': {why}'}")

    def _shown(self, text: str) -> str:
        """Return a client's words without the secrets that it was given, cut if they are long."""
        for name, value in self._environment.items():
            if value and any(word in name for word in SECRET_NAMES):
                text = text.replace(value, "***")
        # name and password within an address
        text = re.sub(r"://[^/\s]*@", "://***@", text)
        if len(text) <= LONGEST_REASON:
            return text
        # half an address leads nowhere
        return text[:LONGEST_REASON].rpartition(" ")[0] + " ..."


def _last_line(log: IO[bytes]) -> str:
    """Return the last line of a log."""
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
