"""Processes of the ways, one for each, measured in turn.

A process's peak memory is then that of its way alone. The parent does not import torch or anything
large, because a child's peak resident set starts with the parent's memory.
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
    """A way failed although its packages are installed."""


def resident_bytes() -> int:
    """Return the present resident memory of this process in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """Return the peak resident memory of this process in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def apart(place: str, settings: Settings, *given: Any) -> Any:
    """Call a function in a process of its own, so that this one stays small.

    Raises:
        ModuleNotFoundError: the function needs a package that is not installed.
        WayError: the function failed.
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
    """Call a function and send its result."""
    hush()
    try:
        reply = {"value": call(place, settings, *given)}
    except ModuleNotFoundError as error:
        reply = {"missing": error.name}
    except Exception:
        # any error, since the parent has to report it
        reply = {"traceback": traceback.format_exc()}
    connection.send(reply)


def receive(name: str, connection: Connection, process: BaseProcess) -> dict[str, Any]:
    """Return a process's reply.

    Raises:
        WayError: the process failed, or ended without a reply.
    """
    try:
        reply: dict[str, Any] = connection.recv()
    except EOFError:
        process.join()
        raise WayError(
            f"{name}: the process ended with status {process.exitcode}; perhaps the memory was "
            "exhausted"
        ) from None
    if "traceback" in reply:
        raise WayError(f"{name}: {reply['traceback']}")
    return reply


def hush() -> None:
    """Silence the libraries, so that only the bench's own lines are printed."""
    silence_libraries()
    warnings.filterwarnings("ignore", category=FutureWarning)


def serve(connection: Connection, place: str, settings: Settings, *given: Any) -> None:
    """Make a way, and run it when the parent requests it."""
    hush()
    try:
        way: Way = call(place, settings, *given)
        _serve(connection, way, settings)
    except Exception:
        # any error, since the parent has to report it
        connection.send({"traceback": traceback.format_exc()})


def _serve(connection: Connection, way: Way, settings: Settings) -> None:
    import torch

    cuda = torch.cuda.is_available() and settings.device != "cpu"
    before = resident_bytes()
    if cuda:
        # do not count memory that was used before this way
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
    """A way's process, as seen from the parent."""

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
        """Run the way once; return its seconds."""
        self._connection.send("run")
        reply = self._receive()
        self.times.append(reply["seconds"])
        self.processor_times.append(reply["processor_seconds"])
        return float(reply["seconds"])

    def finish(self) -> dict[str, Any]:
        """End the process; return its peak memory, answers and findings."""
        self._connection.send("end")
        reply = self._receive()
        self._process.join()
        return reply

    def _receive(self) -> dict[str, Any]:
        return receive(self.name, self._connection, self._process)


def measure(task: str, settings: Settings) -> dict[str, dict[str, Any]]:
    """Measure all ways of a task, and the machine's matrix products, in turn.

    Each repeat starts with another way, so that none always runs after the same one.

    Returns:
        for each way `about`, `seconds` and `processor_seconds` of each repeat, and `end`; or
        `not_run` with the reason.

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
    # in the original order, since the others are compared with the first
    return {name: found[name] for name in (*WAYS[task], PEAK)}
