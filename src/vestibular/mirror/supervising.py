"""A worker under deadlines: its messages are collected, and it is ended when it hangs."""

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
"""A worker's message before it contacts the service for the first time."""
READ = "read the runs"
"""A worker's message before it reads local files, which may be large."""
RESTART_SECONDS = 5.0
"""Seconds until a failed worker is started again, with `--follow`."""
START_SECONDS = 90.0
"""Seconds that a worker may take to import its client on a busy machine."""
SLOWEST_UPLOAD = 1_000_000
"""Bytes per second; an upload gets the additional time that it takes at this speed."""
POLL_SECONDS = 0.2
END_SECONDS = 5.0
LONGEST_REASON = 500
"""In characters; MLflow's longest advice has about as many."""
SECRET_NAMES = ("TOKEN", "PASSWORD", "SECRET")
"""Parts of the names of variables whose values must not be shown."""


@dataclass
class Result:
    """Result of the pushes to one target."""

    target: str
    candidates: dict[str, str] = field(default_factory=dict)
    """Names of the runs, by id."""
    outcomes: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Outcome and reason, by run and item."""
    untried: set[str] = field(default_factory=set)
    """Runs that the push did not reach."""
    fault: str = ""
    """Why the whole push ended early."""

    @property
    def failed(self) -> bool:
        """Whether anything is missing at the target."""
        return bool(self.fault or self.untried) or any(
            outcome == "failed" for outcome, _ in self.outcomes.values()
        )


@dataclass(frozen=True)
class Deadlines:
    """Timeouts of a single call and of a whole push in seconds, uploads excluded."""

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
        """Additional seconds of the current call."""
        self._waiting = False

    def run(self, stop: threading.Event) -> None:
        """Push until everything is done, a deadline has passed, or `stop` is set."""
        while not stop.is_set():
            self.result.fault = ""
            try:
                self._once(stop)
            except OSError as error:
                # for example, no space for the worker's log
                self.result.fault = f"the push cannot begin: {error.strerror or error}"
            if not self._follow:
                return
            if stop.is_set():
                # the next push gets what the last round did not reach
                self.result.untried.clear()
                return
            if self.result.fault:
                self._say(f"{self.result.target}: {self.result.fault}; will be tried again soon")
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
                # with everything it has started
                _kill(process)
            ended_badly = process.returncode not in (0, -signal.SIGKILL)
            if ended_badly and not self.result.fault:
                self.result.fault = self._shown(_last_line(log)) or "the push ended early"

    def _listen(self, process: "subprocess.Popen[bytes]", stop: threading.Event) -> None:
        """Read the worker's messages until it ends, or must be ended."""
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
                    waiting = "another push is running" if self._waiting else "not done"
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
                    # the time of an upload does not count
                    began += min(time.monotonic() - heard, self._upload_seconds)
                    heard = time.monotonic()
                    if self._handle_message(json.loads(line)):
                        began = heard

    def _let_end(self, process: "subprocess.Popen[bytes]") -> None:
        """Give a worker that is done a moment to end by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=END_SECONDS)

    def _handle_message(self, message: Mapping[str, Any]) -> bool:
        """Process a message; return whether it ends a round."""
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
        # a run that is not here has a version there
        self.result.candidates.setdefault(message["run"], message["candidate"])
        outcome, why = message["outcome"], self._shown(message["why"])
        known = self.result.outcomes.get(key, ("", ""))
        # in later rounds, what this command itself has pushed is not "already there"
        if not (outcome == "there" and known[0] == "pushed"):
            self.result.outcomes[key] = (outcome, why)
        # a lasting failure recurs in every round, but is reported once
        if self._follow and (
            outcome == "pushed" or (outcome == "failed" and known != (outcome, why))
        ):
            where = f"{self.result.target}  {message['candidate']}"
            self._say(f"{where}  {message['item']}  {outcome}{why and f': {why}'}")

    def _shown(self, text: str) -> str:
        """Return a client's message with secrets masked, truncated if it is long."""
        for name, value in self._environment.items():
            if value and any(word in name for word in SECRET_NAMES):
                text = text.replace(value, "***")
        # name and password in an address
        text = re.sub(r"://[^/\s]*@", "://***@", text)
        if len(text) <= LONGEST_REASON:
            return text
        # do not truncate in the middle of an address
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
