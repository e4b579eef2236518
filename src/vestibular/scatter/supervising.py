"""Submit cells as soon as the cells they wait for are done, follow them, and end them if asked."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from vestibular.scatter.engine import Engine, Task
from vestibular.scatter.errors import ScatterError
from vestibular.scatter.table import FINAL, Line, LiveTable, State

LOOKS_BEFORE_LOST = 5
"""Checks in a row that find neither a job nor its exit status before it counts as lost: a shared
disk may show the status late."""

LOOKS_WITHOUT_ANSWER = 60
"""Checks in a row that an engine may leave unanswered, for example while its daemon restarts."""


class Supervisor:
    """Follows the cells of one scatter until none is running and none can be submitted."""

    def __init__(
        self, tasks: Sequence[Task], engine: Engine, engine_of: Callable[[str], Engine]
    ) -> None:
        """Set the cells to run.

        Args:
            tasks: the cells, each after those that it waits for.
            engine: the engine that runs them.
            engine_of: returns the engine with a name; it may already be running some of them.
        """
        self._tasks = {task.cell.name: task for task in tasks}
        self._engine = engine
        self._engine_of = engine_of
        self._jobs: dict[str, tuple[Engine, str]] = {}
        self._missed: dict[str, int] = {}
        self._silent = 0
        """Checks in a row that an engine has not answered."""
        self._lines = {name: Line(name, "waiting") for name in self._tasks}

    @property
    def lines(self) -> Mapping[str, Line]:
        """The state of each cell."""
        return self._lines

    def adopt(self) -> list[str]:
        """Take over the jobs that an earlier command started; return their cells' names."""
        for name, task in self._tasks.items():
            if task.folder.job is None:
                continue
            engine, job = task.folder.job
            owner = self._engine if engine == self._engine.name else self._engine_of(engine)
            if owner.alive([job]):
                self._jobs[name] = owner, job
        return list(self._jobs)

    def run(self, table: LiveTable, seconds: float) -> None:
        """Run until every cell has ended or waits for a cell that has failed.

        Args:
            table: shows the state of the cells.
            seconds: interval at which the jobs are checked.
        """
        while True:
            self._look()
            self._submit_ready()
            table.show(self._lines)
            if not any(line.state in ("queued", "running") for line in self._lines.values()):
                return
            time.sleep(seconds)

    def cancel(self) -> None:
        """End all jobs that have not ended."""
        for engine, names in self._by_engine().items():
            engine.cancel([self._jobs[name][1] for name in names])

    def _look(self) -> None:
        for engine, names in self._by_engine().items():
            try:
                # ask first, read the exit statuses later: a job that ends in between has left one
                alive = engine.alive([self._jobs[name][1] for name in names])
            except ScatterError as error:
                self._silent += 1
                if self._silent > LOOKS_WITHOUT_ANSWER:
                    raise
                if self._silent == 1:
                    print(f"{error}; retrying", file=sys.stderr, flush=True)
                return
            for name in names:
                self._lines[name] = self._line(name, alive)
        self._silent = 0

    def _line(self, name: str, alive: Mapping[str, str]) -> Line:
        folder, (engine, job) = self._tasks[name].folder, self._jobs[name]
        where, status = alive.get(job), folder.status
        if where is not None and status is None:
            self._missed.pop(name, None)
            state: State = "queued" if folder.started is None else "running"
            return Line(name, state, folder.seconds, where)
        if status is not None:
            return Line(
                name, "failed" if status else "done", folder.seconds, f"{engine.name} {job}"
            )
        self._missed[name] = self._missed.get(name, 0) + 1
        lost = self._missed[name] >= LOOKS_BEFORE_LOST
        return Line(name, "lost" if lost else "running", folder.seconds, f"{engine.name} {job}")

    def _submit_ready(self) -> None:
        """Submit the cells that need not wait any longer, as long as the engine has room."""
        running = [
            self._tasks[name]
            for name, line in self._lines.items()
            if line.state in ("queued", "running")
        ]
        ready: list[Task] = []
        for name, task in self._tasks.items():
            if self._lines[name].state != "waiting" or name in self._jobs:
                continue
            before = [self._lines[each].state for each in task.cell.after if each in self._lines]
            if all(state == "done" for state in before) and self._engine.room_for(
                task, [*running, *ready]
            ):
                ready.append(task)
        for task in ready:
            task.folder.forget_run()
        if not ready:
            return
        for name, job in self._engine.submit(ready).items():
            self._tasks[name].folder.note_job(self._engine.name, job)
            self._jobs[name] = self._engine, job
            self._lines[name] = Line(name, "queued", where=f"{self._engine.name} {job}")

    def _by_engine(self) -> dict[Engine, list[str]]:
        found: dict[Engine, list[str]] = {}
        for name, (engine, _) in self._jobs.items():
            if self._lines[name].state not in FINAL:
                found.setdefault(engine, []).append(name)
        return found
