"""The process that communicates with one target: `python -m vestibular.mirror.worker`.

On standard output it reports, one JSON object per line, each request before it is made and the
outcome of each item, so that its parent can detect a hang and end it. Output of the target's client
goes to standard error.
"""

import argparse
import json
import os
import select
import sys
import threading
import time
import warnings
from typing import Any

from vestibular.core.errors import BusyError, VestibularError
from vestibular.core.work_folder import exclusive_lock, work_folder
from vestibular.mirror.outputs import Sources
from vestibular.mirror.pushing import Outcome, Pusher, one_line
from vestibular.mirror.records import RunRecord
from vestibular.mirror.supervising import READ, START
from vestibular.mirror.target import Call, Target, TargetGoneError
from vestibular.params.project import RegistrySettings, load_params
from vestibular.tracking.spool import spool_folder

PAUSE = 1.0
"""Seconds between two rounds of `--follow`, and between two attempts to take a lock."""


class Channel:
    """The channel to the parent process."""

    def __init__(self) -> None:
        # a duplicate of standard output, which the client's own output cannot reach
        self._file = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        threading.Thread(target=self._end_without_listener, daemon=True).start()

    def _end_without_listener(self) -> None:
        """End this process when the parent, which would end it if the service hangs, is gone."""
        listener = select.poll()
        # only the hang-up is of interest, which is always reported
        listener.register(self._file.fileno(), 0)
        listener.poll()
        os._exit(1)

    def say(self, kind: str, **content: Any) -> None:
        """Send a message."""
        self._file.write(json.dumps({"kind": kind, **content}) + "\n")
        self._file.flush()

    def call(self, what: str, size: int = 0) -> None:
        """Report a request about to be made, and how many bytes it sends."""
        self.say("call", what=what, bytes=size)

    def item(self, run: RunRecord, item: str, outcome: Outcome, why: str) -> None:
        """Report the outcome of an item."""
        self.say("item", run=run.id, candidate=run.candidate, item=item, outcome=outcome, why=why)


def main() -> None:
    """Push once, or repeatedly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=("neptune", "mlflow"))
    parser.add_argument("--all", action="store_true", dest="everything")
    parser.add_argument("--follow", action="store_true")
    arguments = parser.parse_args()
    channel = Channel()
    # deprecation warnings of the clients, whose versions are pinned
    warnings.simplefilter("ignore")
    try:
        _wait_for_turn(channel, arguments)
    except (TargetGoneError, VestibularError) as error:
        channel.say("gone", why=str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        channel.say("gone", why=f"{where}{(error.strerror or str(error)).lower()}")


def _wait_for_turn(channel: Channel, arguments: argparse.Namespace) -> None:
    """Hold a lock so that no other process pushes to the same target."""
    lock = work_folder() / "mirror" / f"{arguments.target}.lock"
    while True:
        try:
            with exclusive_lock(lock, f"a push to {arguments.target}", wait=False):
                _work(channel, arguments)
                return
        except BusyError:
            channel.say("waiting")
            time.sleep(PAUSE)


def _work(channel: Channel, arguments: argparse.Namespace) -> None:
    params = load_params()
    sources = Sources(params, spool_folder())
    target = _connect(arguments.target, channel.call, params.registry)
    everything = arguments.everything
    while True:
        channel.call(READ)
        runs = sources.read()
        channel.say("plan", runs=[[run.id, run.candidate] for run in runs])
        try:
            target.refresh()
            work = Pusher(target, channel.item, everything)
            for run in runs:
                work.push(run)
                channel.say("run", run=run.id)
            for run in runs:
                work.push_stage(run)
            work.push_other_stages(runs, sources.production)
        except target.errors as error:
            raise TargetGoneError(one_line(error)) from None
        channel.say("idle")
        if not arguments.follow:
            return
        everything = False
        time.sleep(PAUSE)


def _connect(name: str, call: Call, settings: RegistrySettings) -> Target:
    call(START)
    if name == "mlflow":
        from vestibular.mirror.mlflow_target import MlflowTarget

        return MlflowTarget(call, settings.artifact)
    from vestibular.mirror.neptune_target import NeptuneTarget

    return NeptuneTarget(call, settings.model_key)


if __name__ == "__main__":
    main()
