"""A private SLURM on one machine, for real: a controller and nodes on hosts of tests/hosts.py, with TCP between them.

It needs what the hosts need, and Debian's packages slurmctld, slurmd, slurm-client, munge and libpmix-dev. It starts in
about a second, without systemd, and ends with the process that made it.
"""

import contextlib
import ctypes
import functools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests import hosts
from tests.hosts import Hosts
from tests.launch import PATIENT, ROOT, Library, _clean

TOOLS = ("slurmctld", "slurmd", "sbatch", "munged", "munge")
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # a user's need not have these
CPUS, MEMORY = 8, 4096  # of each node, whatever the machine has; MiB
CONF = """
ClusterName=private
SlurmctldHost={head}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdSpoolDir={folder}/spool.%n
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmdLogFile={folder}/slurmd.%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MinJobAge=3600
ReturnToService=2
MessageTimeout=5
SlurmdTimeout={timeout}
KillWait=3
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,sched_min_interval=0
NodeName={nodes} CPUs={cpus} RealMemory={memory} State=UNKNOWN
"""
PARTITION = "PartitionName={} Nodes={} Default={} AllocNodes={} MaxTime=INFINITE State=UP\n"  # nodes may not submit
FILES = {"cgroup.conf": "CgroupPlugin=cgroup/v1\n", "mpi.conf": "PMIxCliTmpDirBase={folder}/pmix\n", "slurm.conf": CONF}
MUNGE = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
DONE = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "OUT_OF_MEMORY")
STARTED = 20.0  # seconds for all nodes to be idle
LOOK = 0.2
SLACK = 500_000  # nanoseconds: ranks that wait sleep for so short a time between two looks that they fill half of a core a job
PR_SET_TIMERSLACK = 29  # Linux's number


class Slurm:
    """``with Slurm(4) as slurm:`` nodes node1 ... node4; node5 controls, and is where commands are given.

    ``aside``: so many nodes more, in a partition of this name. ``timeout``: seconds until a node that does not answer is given up.
    """

    def __init__(self, count: int, aside: int = 0, timeout: int = 10) -> None:
        self.hosts = Hosts(count + aside + 1, delay=1e-4, bandwidth=1e9)
        *self.nodes, self.head = self.hosts.names
        self.partitions = {"all": self.nodes[:count], "aside": self.nodes[count:]}
        self.timeout = timeout
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Slurm":
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.hosts)  # ends all that runs on them
            self.folder = self.hosts._folder / "slurm"
            self._configure()
            self._daemon(self.head, "munged", "--force", *(f"--{key}={self.folder}/munge/{name}" for key, name in MUNGE.items()))
            self._daemon(self.head, "slurmctld", "-c")
            for name in self.nodes:
                self.up(name)
            self.until(lambda: self.run("sinfo", "-hN", "-o%t").split() == ["idle"] * len(self.nodes), STARTED)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def up(self, name: str) -> None:
        """Start a node's daemon; PMIx wants a folder that is this node's alone."""
        pmix = self.folder / "pmix"
        self.hosts.run(name, "sh", "-c", f"mountpoint -q {pmix} || mount -t tmpfs tmpfs {pmix}")
        self._daemon(name, "slurmd", "-N", name)

    def down(self, name: str) -> None:
        """End all that runs on a node, as a loss of power does."""
        while pids := self.processes(name):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def processes(self, name: str, but: str = "") -> list[int]:
        """What runs on a node, but for what keeps it up, and commands of this name."""
        keeper, space = self._pid(name), f"net:{self.hosts.spaces[self.hosts.names.index(name)].partition(':')[2]}"
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                inside = str((path / "ns" / "net").readlink()) == space
                if inside and int(path.name) != keeper and (path / "comm").read_text().strip() != (but or None):
                    found.append(int(path.name))
        return found

    def run(self, *command: object, env: Mapping[str, object] | None = None, cwd: Path | str = ROOT) -> str:
        """What a command prints on the node on which commands are given."""
        words = ["nsenter", "--target", str(self._pid(self.head)), "--net", "--uts", "--mount"]
        words += ["sh", "-c", 'cd "$0" && exec "$@"', str(cwd), *map(str, command)]
        environment = _clean() | {"SLURM_CONF": str(self.folder / "slurm.conf")} | {k: str(v) for k, v in (env or {}).items()}
        answer = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environment)
        if answer.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit code {answer.returncode}: {answer.stderr.strip()}")
        return answer.stdout

    def sbatch(self, *words: object, env: Mapping[str, object] | None = None, cwd: Path | str = ROOT) -> str:
        """Submit; the job's number."""
        return self.run("sbatch", "--parsable", *words, env=env, cwd=cwd).strip()

    def job(self, number: str) -> dict[str, str]:
        """What SLURM says of a job."""
        return self.jobs(number)[number]

    def jobs(self, *numbers: str) -> dict[str, dict[str, str]]:
        """What it says of all, or of these, by number."""
        lines = self.run("scontrol", "-o", "show", "job", *numbers).splitlines()
        found = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines if line]
        return {job["JobId"]: job for job in found}

    def wait(self, number: str, *states: str, timeout: float = 60.0) -> dict[str, str]:
        """Wait until the job is in one of these states, of itself one in which it has ended; what SLURM says of it then."""
        wanted = states or DONE
        self.until(lambda: self.job(number)["JobState"] in wanted, timeout, lambda: str(self.job(number)))
        return self.job(number)

    def until(self, holds: Callable[[], bool], timeout: float, tell: Callable[[], str] = str) -> None:
        """Wait until it holds; it fails after so many seconds."""
        end = time.monotonic() + timeout
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"not within {timeout:g} s: {tell()}\n{(self.folder / 'slurmctld.log').read_text()[-3000:]}")
            time.sleep(LOOK)

    def _pid(self, name: str) -> int:
        return self.hosts._pids[self.hosts.names.index(name)]

    def _configure(self) -> None:
        for name in ("munge", "state", "pmix"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        values = {"head": self.head, "folder": self.folder, "nodes": ",".join(self.nodes), "cpus": CPUS, "memory": MEMORY}
        values["timeout"] = self.timeout
        for name, text in FILES.items():
            (self.folder / name).write_text(text.format(**values))
        with (self.folder / "slurm.conf").open("a") as conf:
            for name, nodes in self.partitions.items():
                if nodes:
                    conf.write(PARTITION.format(name, ",".join(nodes), "YES" if name == "all" else "NO", self.head))

    def _daemon(self, name: str, *command: object) -> None:
        """What it starts inherits its slack."""
        slack(SLACK)
        try:
            self.hosts.run(name, "env", f"PATH={PATH}", f"SLURM_CONF={self.folder}/slurm.conf", *command)
        finally:
            slack(0)


def slack(nanoseconds: int) -> None:
    """Let this thread, and what it starts, sleep longer by so much than they want to; 0: as usual."""
    ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(nanoseconds), 0, 0, 0)


def environment(library: Library, **more: object) -> dict[str, object]:
    """What a user of this library has set when submitting a job; on these nodes, which share a kernel, a few things more."""
    return {
        "PATH": os.pathsep.join([str(Path(library.mpirun).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(ROOT),
        "UCX_TLS": "tcp,self",
        "UCX_NET_DEVICES": "eth0",
        "FI_PROVIDER": "tcp",
        "FI_TCP_IFACE": "eth0",
        "OMPI_ALLOW_RUN_AS_ROOT": 1,
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": 1,
        "OMPI_MCA_btl": "^ofi",
        "OMPI_MCA_btl_tcp_if_include": "eth0",
        **PATIENT,
        **more,
    }


@functools.cache
def unavailable() -> str:
    """Why there can be no private SLURM here; "" if there can."""
    if reason := hosts.unavailable():
        return reason
    missing = [tool for tool in TOOLS if shutil.which(tool, path=PATH) is None]
    if missing:
        return f"a private SLURM needs the commands {', '.join(missing)} (Debian: slurmctld slurmd slurm-client munge)"
    linked = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, timeout=30).stdout
    return "" if re.search(r"libpmix\.so ", linked) else "a private SLURM needs libpmix.so (Debian: libpmix-dev)"
