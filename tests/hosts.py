"""Several hosts on one machine, for real: what a network costs can be measured where there is none.

A host is a network namespace with a host name, /etc/hosts, /sys and /dev/shm of its own, so that MPI takes it for a node
and has but TCP between two of them. tests/switch.c joins them by links with a delay and a bandwidth. Nothing of it has a
name outside its namespaces, so several of these can be at work at once, and it all ends with the processes in it.

It needs root, iproute2, util-linux (unshare, nsenter), gcc and /dev/net/tun. The kernel need not have netem.
"""

import contextlib
import functools
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path

from tests.launch import GRACE, Library, Result, Running, launch

SWITCH = Path(__file__).with_name("switch.c")
NETWORK = "10.77.0"
# Bytes that a connection may have under way, at least. Less, and the link runs dry when the switch wakes up late; more,
# and a short message waits long behind the long ones of its own host: with 4 MB, exchanges took 1.7 times as long.
WINDOW = 144_000
TOOLS = ("ip", "unshare", "nsenter", "gcc")
UNSHARE = ("unshare", "--net", "--uts", "--mount")

# A host lives as long as this shell does, which is until its stdin ends: no later than with the process that made it.
HOST = """
hostname "$0"
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /dev/shm
mount --bind "$1" /etc/hosts
echo ready
exec cat >/dev/null
"""
# Nothing is lost on these links, so all that TCP does to find out how much a link carries would only be noise in the
# timings: slow start, windows that grow, what it learnt of earlier connections, packets sent again as none came back.
TCP = {
    "tcp_congestion_control": "reno",
    "tcp_early_retrans": "0",
    "tcp_no_metrics_save": "1",
    "tcp_slow_start_after_idle": "0",
    "tcp_rmem": "4096 {buffer} {buffer}",
    "tcp_wmem": "4096 16384 4194304",
}
DEVICE = """
link set lo up
link set eth0 mtu {mtu} txqueuelen 10000 up
addr add {address}/24 dev eth0 noprefixroute
route add {network}.0/24 dev eth0 src {address} initcwnd {packets} initrwnd {packets} rto_min 5s
"""
# Given a folder and namespaces, ends the processes in these and removes that, once its stdin has ended: this is what
# __exit__ leaves it to, and what happens also when pytest itself is killed.
GUARD = """
import os, pathlib, shutil, signal, sys, time
def inside(path):
    try:
        return os.readlink(path / "ns" / "net") in sys.argv
    except OSError:
        return False
print("ready", flush=True)
sys.stdin.read()
while found := [path for path in pathlib.Path("/proc").glob("[0-9]*") if inside(path)]:
    for path in found:
        try:
            os.kill(int(path.name), signal.SIGKILL)
        except ProcessLookupError:
            pass
    time.sleep(0.01)
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
# What stands for ssh: options, a host, and a command for its shell; 255 if that is killed.
REMOTE = """#!/bin/sh
while [ "${{1#-}}" != "$1" ]; do shift; done
case $1 in
{cases}
*) echo "no host $1 here" >&2; exit 1 ;;
esac
shift
nsenter --target $pid --net --uts --mount sh -c "$*"
code=$?
[ $code -lt 128 ] || code=255
exit $code
"""
# What stands for mpirun: the real one, on the first host. Another mount namespace means another working directory.
MPIRUN = """#!/bin/sh
exec nsenter --target {pid} --net --uts --mount sh -c 'cd "$0" && exec "$@"' "$PWD" {command} "$@"
"""


class Hosts:
    """``with Hosts(4, delay=1e-3, bandwidth=100e6) as hosts:`` hosts node1 ... node4, each at a switch.

    ``delay`` is one way, from host to host, in seconds. Each host's link carries ``bandwidth`` bit/s in each direction at
    once, with what Ethernet adds to a packet; so n bytes take delay + n * 8 / bandwidth * (mtu + 38) / (mtu - 52).
    ``spaces`` are the hosts' network namespaces, as /proc/PID/ns/net names them.
    """

    def __init__(self, count: int, delay: float = 1e-3, bandwidth: float = 100e6, mtu: int = 9000) -> None:
        if not 2 <= count <= 8:
            raise ValueError(f"{count} hosts: expected 2 to 8")
        self.names = [f"node{k}" for k in range(1, count + 1)]
        self.delay, self.bandwidth, self.mtu = delay, bandwidth, mtu
        self._pids: list[int] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Hosts":
        if reason := unavailable():
            raise RuntimeError(reason)
        with self._stack as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mpi_pgd-hosts-")))
            self._make_hosts()
            self._join_hosts()
            self._stack = stack.pop_all()  # all went well: it is for __exit__ to undo
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def mpirun(
        self,
        library: Library,
        ranks: int,
        *args: object,
        module: str = "mpi_pgd",
        script: Path | str | None = None,
        timeout: float = 60.0,
        env: Mapping[str, object] | None = None,
        cwd: Path | str | None = None,
        flags: Sequence[str] = (),
        during: Callable[[Running], object] = lambda _: None,
    ) -> Result:
        """As tests.launch.launch(), with rank r on the host r modulo the number of hosts."""
        command, settings = OPTIONS[library.name](self, library)
        wrapper = self._write(f"{library.name}/mpirun", MPIRUN.format(pid=self._pids[0], command=shlex.join(command)))
        there = Library(library.name, library.python, str(wrapper))
        path = os.pathsep.join([str(Path(library.mpirun).parent), os.environ.get("PATH", os.defpath)])
        environment = {"PATH": path} | settings | dict(env or {})
        options = {"module": module, "script": script, "timeout": timeout, "cwd": cwd, "flags": flags, "during": during}
        return launch(there, ranks, *args, env=environment, **options)

    def run(self, name: str, *command: object, stdin: str = "") -> str:
        """What a command prints that is run on the host ``name``."""
        pid = self._pids[self.names.index(name)]
        inside = ["nsenter", "--target", str(pid), "--net", "--uts", "--mount", *map(str, command)]
        answer = subprocess.run(inside, input=stdin, capture_output=True, text=True, timeout=30)
        if answer.returncode != 0:
            raise RuntimeError(f"{shlex.join(inside)}: {answer.stderr.strip()}")
        return answer.stdout

    @property
    def window(self) -> int:
        """Bytes that a connection may have under way: at least four times what fills the link and the way back."""
        return max(WINDOW, ceil(4 * 2 * self.delay * self.bandwidth / 8))

    def _make_hosts(self) -> None:
        addresses = [f"{NETWORK}.{k} {name}\n" for k, name in enumerate(self.names, 1)]
        table = self._write("hosts", "127.0.0.1 localhost\n" + "".join(addresses))
        for name in self.names:
            self._pids.append(self._start(*UNSHARE, "sh", "-ec", HOST, name, table))
        self.spaces = [str(Path(f"/proc/{pid}/ns/net").readlink()) for pid in self._pids]
        self._start(sys.executable, "-c", GUARD, self._folder, *self.spaces)
        cases = "\n".join(f"{name}) pid={pid} ;;" for name, pid in zip(self.names, self._pids, strict=True))
        self.remote = self._write("remote", REMOTE.format(cases=cases))

    def _join_hosts(self) -> None:
        program = self._folder / "switch"
        subprocess.run(["gcc", "-O2", "-o", program, SWITCH], check=True, timeout=60)
        self._start(program, self.delay, self.bandwidth, *self._pids)
        for k, name in enumerate(self.names, 1):
            for key, value in TCP.items():
                self.run(name, "tee", f"/proc/sys/net/ipv4/{key}", stdin=value.format(buffer=2 * self.window))
            lines = DEVICE.format(mtu=self.mtu, address=f"{NETWORK}.{k}", network=NETWORK, packets=ceil(self.window / self.mtu))
            self.run(name, "ip", "-batch", "-", stdin=lines)

    def _start(self, *command: object) -> int:
        """Start what says "ready" when it is, and stays until its stdin ends. Ctrl-C is not for it."""
        pipe = subprocess.PIPE
        process = subprocess.Popen([str(word) for word in command], stdin=pipe, stdout=pipe, start_new_session=True)
        self._stack.callback(_end, process)
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"did not start: {shlex.join(map(str, command))}")
        return process.pid

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path


@functools.cache
def unavailable() -> str:
    """Why there can be no hosts here; "" if there can."""
    if os.geteuid() != 0:
        return "several hosts on one machine need root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"several hosts on one machine need the commands {', '.join(missing)}"
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"several hosts on one machine need /dev/net/tun: {error}"
    trial = subprocess.run([*UNSHARE, "mount", "-t", "sysfs", "sysfs", "/sys"], capture_output=True, text=True, timeout=30)
    return f"no namespaces here: {trial.stderr.strip()}" if trial.returncode else ""


def _end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _mpich(hosts: Hosts, library: Library) -> tuple[list[str], dict[str, str]]:
    command = [library.mpirun, "-hosts", ",".join(hosts.names), "-ppn", "1", "-iface", "eth0"]
    # UCX would find that all hosts have one kernel, and use shared memory.
    settings = {"UCX_TLS": "tcp,self", "UCX_NET_DEVICES": "eth0"}
    return [*command, "-launcher", "rsh", "-launcher-exec", str(hosts.remote)], settings


def _openmpi(hosts: Hosts, library: Library) -> tuple[list[str], dict[str, str]]:
    settings = {
        "PRTE_MCA_plm_ssh_agent": str(hosts.remote),
        "PRTE_MCA_plm_ssh_no_tree_spawn": "1",
        "OMPI_MCA_pml": "ob1",
        "OMPI_MCA_btl": "tcp,sm,self",
        "OMPI_MCA_btl_tcp_if_include": "eth0",
        # Its default, put, lets what a receiver asks for wait behind what the receiver itself sends: two hosts that send
        # each other 1 MB then need 100, 140 or 175 ms, as it comes, where 92 will do.
        "OMPI_MCA_btl_tcp_flags": "send",
    }
    # All hosts have the same cores: ranks that are bound to the first core of "theirs" would all be bound to one.
    layout = ["--map-by", "node:oversubscribe", "--bind-to", "none"]
    return [library.mpirun, "--host", ",".join(hosts.names), *layout], settings


def _intel(hosts: Hosts, library: Library) -> tuple[list[str], dict[str, str]]:
    command = [library.mpirun, "-hosts", ",".join(hosts.names), "-ppn", "1", "-iface", "eth0"]
    settings = {"I_MPI_FABRICS": "shm:ofi", "FI_PROVIDER": "tcp", "FI_TCP_IFACE": "eth0", "I_MPI_PIN": "0"}
    return [*command, "-bootstrap", "rsh", "-bootstrap-exec", str(hosts.remote)], settings


OPTIONS = {"mpich": _mpich, "openmpi": _openmpi, "intel": _intel}
