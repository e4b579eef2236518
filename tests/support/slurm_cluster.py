"""A Slurm of two nodes on this machine, in a network and a process namespace of its own.

Nothing of it is seen from outside, and all of it ends with its first process. Needs root, Slurm and
`unshare`.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

NEEDED = ("slurmctld", "slurmd", "sbatch", "unshare", "nsenter", "ip")
NODES = ("n1", "n2")
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ReturnToService=2
SlurmdTimeout=10
KillWait=2
MpiDefault=none
SlurmctldPort=16817
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
StateSaveLocation={folder}/state
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/spool-%n
SchedulerParameters=sched_interval=2,batch_sched_delay=0
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=16818 CPUs=1 RealMemory=4000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=16819 CPUs=1 RealMemory=4000
PartitionName=all Nodes=n1,n2 Default=YES State=UP
"""
FIRST = "ip link set lo up && ip addr add 192.0.2.9/32 dev lo && exec sleep infinity"


def why_not() -> str | None:
    """Return why there can be no such cluster here; None if there can."""
    if os.geteuid() != 0:
        return "a Slurm in a namespace of its own needs root"
    missing = [name for name in NEEDED if shutil.which(name) is None]
    return f"{', '.join(missing)}: not installed (slurm-wlm, iproute2)" if missing else None


class SlurmCluster:
    """Two nodes of one processor each."""

    def __init__(self, folder: Path) -> None:
        """Start it.

        Args:
            folder: holds its configuration, state and logs.
        """
        self.folder = folder
        (folder / "state").mkdir(parents=True)
        for node in NODES:
            (folder / f"spool-{node}").mkdir()
        text = CONFIGURATION.format(host=os.uname().nodename, folder=folder)
        (folder / "slurm.conf").write_text(text, encoding="utf-8")
        self.variables = {"SLURM_CONF": str(folder / "slurm.conf")}
        self._namespace = subprocess.Popen(
            ["unshare", "--net", "--pid", "--fork", "--mount-proc", "sh", "-c", FIRST],
            start_new_session=True,
        )
        first = f"/proc/{self._namespace.pid}/task/{self._namespace.pid}/children"
        self._wait(lambda: Path(first).read_text().split() != [], "the namespace")
        self._first = Path(first).read_text().split()[0]
        self.enter = ("nsenter", f"--target={self._first}", "--net", "--pid", "--mount")
        self._wait(lambda: "192.0.2.9" in self.run("ip", "addr"), "the network")
        self.run("slurmctld", "-f", self.variables["SLURM_CONF"])
        for node in NODES:
            self.start_node(node)
        self._wait(
            lambda: self.run("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == "2", "nodes"
        )

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        self.run("slurmd", "-N", node, "-f", self.variables["SLURM_CONF"])

    def kill_node(self, node: str) -> None:
        """End all of a node's processes as a power cut would, its jobs' too."""
        marked = f"SLURMD_NODENAME={node}".encode()
        daemon = int((self.folder / f"{node}.pid").read_text())
        for process in self._processes():
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
                command = (process / "cmdline").read_bytes()
                status = (process / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            inside = int(status.partition("NSpid:")[2].split("\n")[0].split()[-1])
            step = command.startswith(b"slurmstepd") or b"/slurmstepd" in command
            own_step = step and self._has_job_of(process, marked)
            if marked in environment or inside == daemon or own_step:
                os.kill(int(process.name), signal.SIGKILL)

    def run(self, *command: str) -> str:
        """Run a command within the cluster."""
        done = subprocess.run(
            [*self.enter, *command],
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def begin_now(self) -> None:
        """Let no job wait for the two minutes that Slurm gives a node to come back."""
        for job in self.run("squeue", "-h", "-r", "-t", "PENDING", "-o", "%i").split():
            subprocess.run(
                [*self.enter, "scontrol", "update", f"JobId={job}", "StartTime=now"],
                env={**os.environ, **self.variables},
                capture_output=True,
                check=False,
            )

    def stop(self) -> None:
        """End the first process, and with it all of the namespace's."""
        os.kill(int(self._first), signal.SIGKILL)
        self._namespace.wait(30)

    def _processes(self) -> list[Path]:
        own = Path(f"/proc/{self._first}/ns/pid").readlink()
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if (path / "ns/pid").readlink() == own:
                    found.append(path)
            except (FileNotFoundError, PermissionError):
                continue
        return found

    def _has_job_of(self, step: Path, marked: bytes) -> bool:
        """Say whether a step's processes are of the marked node."""
        try:
            children = (step / f"task/{step.name}/children").read_text().split()
            return any(
                marked in Path("/proc", child, "environ").read_bytes().split(b"\0")
                for child in children
            )
        except (FileNotFoundError, ProcessLookupError):
            return False

    def _wait(self, happened: object, what: str) -> None:
        deadline = time.monotonic() + 120
        while not happened():  # type: ignore[operator]
            assert time.monotonic() < deadline, f"{what} did not come up; look at {self.folder}"
            time.sleep(0.2)
