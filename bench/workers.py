"""Each way in a process of its own, all of them measured in turn.

A process's peak memory is then that of its way alone. The parent imports neither torch nor
anything large: a child's peak resident set starts at what its parent held.
"""

import resource
import sys
import time
import traceback
import warnings
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from bench.settings import Settings
from bench.ways import MATRIX_PRODUCTS, TRIALS, WAYS, Way, call
from vestibular.core.logs import silence_libraries

PEAK = "matrix_products"


class WayError(Exception):
    """A way whose packages are there could not be run."""


def resident_bytes() -> int:
    """Return what this process holds now, in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """Return the most that this process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def apart(place: str, settings: Settings, *given: Any) -> Any:
    """Call a function in a process of its own, so that this one stays small.

    Raises:
        ModuleNotFoundError: the function needs a package that is not installed.
        WayError: it failed.
    """
    context = get_context("spawn")
    connection, theirs = context.Pipe()
    process = context.Process(target=answer, args=(theirs, place, settings, *given), daemon=True)
    process.start()
    theirs.close()
    reply = receive(place, connection, process)
    process.join()
    if "missing" in reply:
        raise ModuleNotFoundError(name=reply["missing"])
    return reply["value"]


def answer(connection: Connection, place: str, settings: Settings, *given: Any) -> None:
    """Call a function and send what it returns."""
    hush()
    try:
        reply = {"value": call(place, settings, *given)}
    except ModuleNotFoundError as error:
        reply = {"missing": error.name}
    except Exception:
        # whatever it is, the parent has to know
        reply = {"traceback": traceback.format_exc()}
    connection.send(reply)


def receive(name: str, connection: Connection, process: BaseProcess) -> dict[str, Any]:
    """Return what a process sends.

    Raises:
        WayError: it failed, or ended without a word.
    """
    try:
        reply: dict[str, Any] = connection.recv()
    except EOFError:
        process.join()
        raise WayError(
            f"{name}: the process ended with status {process.exitcode}, as it does when memory is "
            "short"
        ) from None
    if "traceback" in reply:
        raise WayError(f"{name}: {reply['traceback']}")
    return reply


def hush() -> None:
    """Keep the libraries' notes off the bench's own lines."""
    silence_libraries()
    warnings.filterwarnings("ignore", category=FutureWarning)


def serve(connection: Connection, place: str, settings: Settings, *given: Any) -> None:
    """Make a way, and run it whenever the parent asks."""
    hush()
    try:
        way: Way = call(place, settings, *given)
        _serve(connection, way, settings)
    except Exception:
        # whatever it is, the parent has to know
        connection.send({"traceback": traceback.format_exc()})


def _serve(connection: Connection, way: Way, settings: Settings) -> None:
    import torch

    cuda = torch.cuda.is_available() and settings.device != "cpu"
    before = resident_bytes()
    if cuda:
        # what the trials of configurations took is not this way's
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    way.warm_up()
    connection.send(
        {
            "questions": way.questions,
            "tokens": way.tokens,
            "configuration": way.configuration,
            "model_flops": way.model_flops,
            "hardware_flops": way.hardware_flops,
            "device": torch.cuda.get_device_name() if cuda else "CPU",
            "threads": torch.get_num_threads(),
        }
    )
    while connection.recv() == "run":
        start, used = time.perf_counter(), time.process_time()
        own = way.run()
        if cuda:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        connection.send(
            {
                "seconds": seconds if own is None else own,
                "processor_seconds": time.process_time() - used,
            }
        )
    connection.send(
        {
            "resident_bytes_before": before,
            "peak_resident_bytes": peak_resident_bytes(),
            "peak_device_bytes": torch.cuda.max_memory_allocated() if cuda else 0,
            "answers": way.answers(),
            "findings": way.findings(),
        }
    )


class Worker:
    """The parent's end of a way's process."""

    def __init__(self, name: str, place: str, settings: Settings, *given: Any) -> None:
        self.name = name
        self.times: list[float] = []
        self.processor_times: list[float] = []
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, place, settings, *given), daemon=True
        )
        self._process.start()
        theirs.close()
        self.about = self._receive()

    def run(self) -> float:
        """Run the way once; return the seconds."""
        self._connection.send("run")
        reply = self._receive()
        self.times.append(reply["seconds"])
        self.processor_times.append(reply["processor_seconds"])
        return float(reply["seconds"])

    def finish(self) -> dict[str, Any]:
        """End the process; return its peaks and its answers."""
        self._connection.send("end")
        reply = self._receive()
        self._process.join()
        return reply

    def _receive(self) -> dict[str, Any]:
        return receive(self.name, self._connection, self._process)


def measure(task: str, settings: Settings) -> dict[str, dict[str, Any]]:
    """Measure all ways of a task, and the machine's matrix products, in turn.

    Each repeat begins with another way, so that none always runs behind the same one.

    Returns:
        for each way `about`, `seconds` and `processor_seconds` of each repeat, and `end`; or
        `not_run`, the reason.

    Raises:
        WayError: a way failed.
    """
    found: dict[str, dict[str, Any]] = {}
    workers = []
    for name, place in {**WAYS[task], PEAK: MATRIX_PRODUCTS}.items():
        given = []
        if name in TRIALS:
            try:
                given = [apart(TRIALS[name], settings)]
            except ModuleNotFoundError as error:
                found[name] = {"not_run": f"{error.name} is not installed"}
                print(f"{task}  {name}  not run: {error.name} is not installed", flush=True)
                continue
        worker = Worker(name, place, settings, *given)
        print(f"{task}  {name}  ready: {worker.about['configuration']}", flush=True)
        workers.append(worker)
    for repeat in range(settings.repeats):
        first = repeat % len(workers)
        for worker in (*workers[first:], *workers[:first]):
            seconds = worker.run()
            print(f"{task}  repeat {repeat + 1}  {worker.name}  {seconds:.2f} s", flush=True)
    for worker in workers:
        found[worker.name] = {
            "about": worker.about,
            "seconds": worker.times,
            "processor_seconds": worker.processor_times,
            "end": worker.finish(),
        }
    # in their order: the first is what others are compared with
    return {name: found[name] for name in (*WAYS[task], PEAK)}
