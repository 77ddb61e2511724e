"""A Slurm of two nodes on this host, all on its loopback interface: started, a node of it killed, stopped.

Debian's packages slurm-wlm and munge hold all of it.  There are no cgroups and no accounting database: who asks for the
state of a job asks squeue.  The configuration has to stand at Slurm's default place, since Snakemake's executor takes every
SLURM_* variable from its jobs; where one stands there already, the host belongs to a cluster, and nothing is touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

CONFIGURATION = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "sinfo", "scancel", "scontrol")
NODES = ("n1", "n2")
OWN = "ClusterName=tried"
SECONDS = 180.0  # that a change of state may take on a busy machine
# SlurmdTimeout: a node that says nothing for so long is down, and its jobs have failed.  MinJobAge: squeue tells the end of
# a job for so long.
TEXT = """
{own}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=46817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=20
KillWait=2
MinJobAge=3600
{nodes}
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def unavailable() -> str:
    """Say why no cluster can be started here; nothing where one can."""
    paths = ("/usr/sbin", *os.environ.get("PATH", "").split(":"))
    missing = [p for p in PROGRAMS if shutil.which(p, path=":".join(paths)) is None]
    if missing:
        return f"Slurm is not installed ({', '.join(missing)} not found; Debian: slurm-wlm and munge)"
    if os.getuid():
        return "only root can start Slurm's daemons"
    if CONFIGURATION.exists() and OWN not in CONFIGURATION.read_text():  # one of a killed run is its own
        return f"{CONFIGURATION} is there: this host belongs to a cluster"
    return ""


class Cluster:
    """The daemons of one controller and two nodes of one core each, with all their files in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self) -> Cluster:
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        for name in ("state", *(f"spool.{n}" for n in NODES)):
            (self.folder / name).mkdir()
        host = socket.gethostname().split(".")[0]
        nodes = "\n".join(
            f"NodeName={n} NodeHostname={host} NodeAddr=127.0.0.1 Port={46818 + i} CPUs=1 RealMemory=4000"
            for i, n in enumerate(NODES)
        )
        CONFIGURATION.write_text(TEXT.format(own=OWN, folder=self.folder, host=host, nodes=nodes))
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        try:
            self._daemon(
                "munged", f"--key-file={key}", f"--socket={self.folder}/munge.socket", f"--pid-file={self._pid('munged')}",
                f"--log-file={self.folder}/munged.log", f"--seed-file={self.folder}/munged.seed",
            )  # fmt: skip
            self._daemon("slurmctld", "-c")
            for node in NODES:
                self.start(node)
            wait(lambda: self.idle() == set(NODES), "the nodes do not come up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in (*(f"slurmd.{n}" for n in NODES), "slurmctld", "munged"):
            self._signalled(name, signal.SIGTERM)
        CONFIGURATION.unlink()

    def start(self, node: str) -> None:
        """Start the daemon of a node."""
        self._daemon("slurmd", "-N", node)

    def kill(self, node: str) -> None:
        """Kill a node as a machine that loses its power: its daemon, its steps' daemons, and what they run."""
        if not self._signalled(f"slurmd.{node}", signal.SIGKILL):
            raise RuntimeError(f"the daemon of {node} was not running")
        tasks = [
            p for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get("SLURMD_NODENAME") == node
        ]
        with contextlib.suppress(psutil.NoSuchProcess):
            steps = {above for task in tasks for above in task.parents() if above.name() == "slurmstepd"}
            for process in [*steps, *tasks]:
                process.kill()

    def cancel(self, job: str) -> None:
        """Cancel a job, as a user or an administrator does."""
        subprocess.run(["scancel", job], check=True)

    def idle(self) -> set[str]:
        """Return the nodes that wait for work."""
        return set(_said("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").split())

    def running(self, node: str) -> list[str]:
        """Return the numbers of the jobs that run on a node."""
        return _said("squeue", "-h", "-t", "R", "-w", node, "-o", "%A").split()

    def _pid(self, name: str) -> Path:
        return self.folder / f"{name}.pid"

    def _daemon(self, name: str, *words: str) -> None:
        done = subprocess.run([f"/usr/sbin/{name}", *words], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{name} did not start: {done.stderr}")

    def _signalled(self, name: str, number: int) -> bool:
        try:
            os.kill(int(self._pid(name).read_text()), number)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return False
        return True


def wait(told: Callable[[], object], otherwise: str, seconds: float = SECONDS) -> None:
    """Wait until something holds; TimeoutError with what is the matter otherwise."""
    end = time.monotonic() + seconds
    while not told():
        if time.monotonic() > end:
            raise TimeoutError(otherwise)
        time.sleep(0.2)


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout
