"""A cell's folder: the script that runs the cell, and the files that the script leaves."""

import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from vestibular.core.files import atomic_file
from vestibular.core.work_folder import work_folder
from vestibular.scatter.cells import Cell
from vestibular.scatter.snapshot import Snapshot

MACHINE = "machine.sh"
"""Script beside the cells' folders with the paths that cells need."""
CARRIED = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "XDG_CACHE_HOME")
"""Variables that say where models are stored, passed on to all cells. None is a secret."""

MACHINE_SCRIPT = """\
# Paths that cells need. Edit this file to run cells on machines that have other paths.
python={python}
repository={repository}
project={project}
{cache}
{variables}"""

OWN_CACHE = """\
# results travel through this folder of a DVC remote
remote={remote}
cache=$cell/cache"""
SHARED_CACHE = """\
  printf '%s\\n' '[cache]' "    dir = $cache" \\
    '    type = "reflink,hardlink,symlink,copy"' > .dvc/config.local
"""
CACHE_OF_ITS_OWN = """\
  # the project's own settings for its remotes, if this machine sees them
  if [ -e "$project/.dvc/config.local" ]; then cp -p "$project/.dvc/config.local" .dvc/; fi
  "$python" -m dvc config --local cache.dir "$cache"
"""

RUN_SCRIPT = """\
#!/bin/sh
# {name}: runs {stages}
# in a clone of its own. Any machine that has the paths in ../{machine} may run this script.
# It writes `log`, and at the end `exit` with its status; the results are then in DVC's cache.
cell=$(cd "$(dirname "$0")" && pwd)
. "$cell/../{machine}"
exec 9> "$cell/lock"
if ! flock --nonblock 9; then
  echo "$cell: already running" >&2
  exit 75
fi
# the cell has already succeeded: nothing left to do
if [ "$(cat "$cell/exit" 2> /dev/null)" = 0 ]; then exit 0; fi
rm -f "$cell/exit"
date +%s > "$cell/started"
unset DVC_ROOT GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE
export PATH="$(dirname "$python"):$PATH"
export DVC_SITE_CACHE_DIR="$cell/site" DVC_NO_ANALYTICS=1
(
  set -e
  echo "on $(uname -n), $(date)"
  # the cells' commit and its parent, which is the project's commit
  if [ ! -e "$cell/cloned" ]; then
    rm -rf "$cell/clone"
    git init --quiet "$cell/clone"
    cd "$cell/clone"
    git fetch --quiet --depth 2 "$repository" {ref}
    git checkout --quiet --detach FETCH_HEAD
    git reset --quiet --soft FETCH_HEAD^
    cd "$cell/clone"/{prefix}
{links}    touch "$cell/cloned"
  else
    # an earlier run was cut off: its checkpoint is here, and other cells may have finished since
    rm -f "$cell/clone/.git/index.lock"
    cd "$cell/clone"/{prefix}
    git fetch --quiet --depth 2 "$repository" {ref}
    git checkout --quiet FETCH_HEAD -- dvc.lock
  fi
  cd "$cell/clone"/{prefix}
{configuration}  # remove the locks of a killed run; the lock above makes sure that no run is alive
  rm -rf .dvc/tmp/rwlock .dvc/tmp/lock "$cell/site"
{fetch}{checkout}  "$python" -m dvc repro --single-item {targets}
{push}  mkdir -p "$cell/measured"
  for kind in costs spool; do
    if [ -d ".vestibular/$kind" ]; then cp -R ".vestibular/$kind" "$cell/measured/"; fi
  done
  cd "$cell"
  rm -rf clone cloned site cache
) > "$cell/log" 2>&1
status=$?
echo "$status" > "$cell/exit.new" && mv "$cell/exit.new" "$cell/exit"
exit "$status"
"""


@dataclass(frozen=True)
class CellFolder:
    """The files of a cell on the disk."""

    path: Path

    @property
    def script(self) -> Path:
        """The script that runs the cell."""
        return self.path / "run.sh"

    @property
    def job(self) -> tuple[str, str] | None:
        """The engine that the cell was submitted to, and the job's ID there; None before that."""
        words = self._read("job").split(maxsplit=1)
        return (words[0], words[1].strip()) if len(words) == 2 else None

    def note_job(self, engine: str, identity: str) -> None:
        """Record which job runs the cell."""
        with atomic_file(self.path / "job") as temporary:
            temporary.write_text(f"{engine} {identity}\n", encoding="utf-8")

    @property
    def status(self) -> int | None:
        """The script's exit status; None until it has ended."""
        said = self._read("exit").strip()
        return int(said) if said.isdecimal() else None

    @property
    def started(self) -> float | None:
        """When the script started, in seconds since 1970; None before that."""
        said = self._read("started").strip()
        return float(said) if said.isdecimal() else None

    @property
    def seconds(self) -> float | None:
        """How long it took, or has been running, in seconds; None before it started."""
        if self.started is None:
            return None
        ended = self.path / "exit"
        end = ended.stat().st_mtime if ended.exists() else time.time()
        return max(0.0, end - self.started)

    def forget_run(self) -> None:
        """Remove an earlier run's files, but not its clone, which holds its checkpoint."""
        for name in ("exit", "started", "job", "log"):
            (self.path / name).unlink(missing_ok=True)

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines of the script's output."""
        # progress bars overwrite their line
        lines = [line.rpartition("\r")[2].rstrip() for line in self._read("log").split("\n")]
        return [line for line in lines if line][-count:]

    def bring_home(self) -> None:
        """Copy the cell's measurements to where the project's own stages write them."""
        for path in sorted((self.path / "measured/costs").glob("*.json")):
            home = work_folder() / "costs" / path.name
            home.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, home)
        for path in sorted((self.path / "measured/spool").glob("*/*.jsonl")):
            folder = work_folder() / "spool" / path.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            number = len(list(folder.glob("*.jsonl"))) + 1
            stage = path.name.partition("-")[2]
            shutil.copyfile(path, folder / f"{number:04d}-{stage}")

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path)

    def _read(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""


def scatter_folder() -> Path:
    """Return the folder that holds the cells' folders."""
    return work_folder() / "scatter"


def folder_of(cell: Cell) -> CellFolder:
    """Return a cell's folder, which may not exist yet."""
    return CellFolder(scatter_folder().absolute() / cell.folder_name)


def memory_stated(free: int) -> int:
    """Return the free memory that all cells are told, in bytes: what the first cells were told.

    `auto` thus gives the same value in all cells of a comparison, also in those that run again.

    Args:
        free: memory that is free now, for the first cells.
    """
    path = scatter_folder() / "free-memory"
    if path.exists() and any(scatter_folder().glob("*/run.sh")):
        return int(path.read_text(encoding="utf-8"))
    with atomic_file(path) as temporary:
        temporary.write_text(f"{free}\n", encoding="utf-8")
    return free


def write_machine(
    snapshot: Snapshot, cache: Path, variables: Mapping[str, str], remote: str | None = None
) -> None:
    """Write the script with the paths that cells need.

    Args:
        snapshot: the project's state that they run.
        cache: DVC's cache.
        variables: further environment variables.
        remote: address of the scatter's folder in a DVC remote; None if cells share the cache.
    """
    carried = {name: os.environ[name] for name in CARRIED if name in os.environ}
    exports = [
        f"export {name}={quote(value)}\n" for name, value in {**carried, **variables}.items()
    ]
    text = MACHINE_SCRIPT.format(
        python=quote(sys.executable),
        repository=quote(snapshot.repository.as_uri()),
        project=quote(str(Path.cwd())),
        cache=f"cache={quote(str(cache.absolute()))}"
        if remote is None
        else OWN_CACHE.format(remote=quote(remote)),
        variables="".join(exports),
    )
    with atomic_file(scatter_folder() / MACHINE) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_script(cell: Cell, snapshot: Snapshot, others: Sequence[str] | None) -> CellFolder:
    """Create a cell's folder, or update its script.

    Args:
        cell: the cell.
        snapshot: the project's state that it runs.
        others: names of the folders of the cells that it reads from, if results travel through a
            DVC remote; None if all cells share the cache.
    """
    folder = folder_of(cell)
    links = [
        f'    mkdir -p {quote(str(Path(base).parent))}\n    ln -s "$project"/{quote(base)} '
        f"{quote(base)}\n"
        for base in snapshot.linked
    ]
    inputs, stages = " ".join(map(quote, cell.inputs)), " ".join(map(quote, cell.stages))
    travel = '  "$python" -m vestibular.scatter.remote "$remote"'
    fetch = push = ""
    if others is not None:
        fetch = f"{travel} fetch --stages {inputs} --cells {' '.join(map(quote, others))}".rstrip()
        push = f"{travel} push {quote(folder.path.name)} {stages}"
    text = RUN_SCRIPT.format(
        name=cell.name,
        machine=MACHINE,
        stages=", ".join(cell.stages),
        ref=snapshot.ref,
        prefix=quote(snapshot.prefix or "."),
        links="".join(links),
        configuration=SHARED_CACHE if others is None else CACHE_OF_ITS_OWN,
        fetch=fetch and f"{fetch}\n",
        checkout=f'  "$python" -m dvc checkout --quiet {inputs}\n' if inputs else "",
        targets=" ".join(map(quote, (*cell.restored, *cell.stages))),
        push=push and f"{push}\n",
    )
    with atomic_file(folder.script) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder
