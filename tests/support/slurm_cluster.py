"""A Slurm of two nodes on this machine, in a network and a process namespace of its own.

Needs root, Slurm (slurm-wlm) and iproute2.
"""

import os
import signal
from pathlib import Path

from tests.support import namespaces

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


def why_not() -> str | None:
    """Return why there can be no such cluster here; None if there can."""
    return namespaces.why_not("slurmctld", "slurmd", "sbatch")


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
        self._namespace = namespaces.Namespace(self.variables)
        self.enter, self.run = self._namespace.enter, self._namespace.run
        self.run("slurmctld", "-f", self.variables["SLURM_CONF"])
        for node in NODES:
            self.start_node(node)
        idle = ("sinfo", "-h", "-t", "idle", "-o", "%D")
        namespaces.wait_for(lambda: self.run(*idle, status=None).strip() == "2", "Slurm's nodes")

    def start_node(self, node: str) -> None:
        """Start a node's daemon."""
        self.run("slurmd", "-N", node, "-f", self.variables["SLURM_CONF"])

    def kill_node(self, node: str) -> None:
        """End all of a node's processes as a power cut would, its jobs' too."""
        marked = f"SLURMD_NODENAME={node}".encode()
        daemon = int((self.folder / f"{node}.pid").read_text())
        for process in self._namespace.processes():
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

    def begin_now(self) -> None:
        """Let no job wait for the two minutes that Slurm gives a node to come back."""
        for job in self.run("squeue", "-h", "-r", "-t", "PENDING", "-o", "%i").split():
            self.run("scontrol", "update", f"JobId={job}", "StartTime=now", status=None)

    def stop(self) -> None:
        """End all of it."""
        self._namespace.stop()

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
