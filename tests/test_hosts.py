"""The hosts: MPI takes them for nodes, their links cost what was asked for, the answer is the same, and nothing is left."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import Hosts, unavailable
from tests.launch import GRACE, ROOT, Library, Result, _until, any_library, launch
from tests.thorough import thorough

pytestmark = [pytest.mark.beside("hosts"), pytest.mark.skipif(unavailable() != "", reason=unavailable())]

Script = Callable[[str], Path]
NODES = "print(world.rank, MPI.Get_processor_name(), world.Split_type(MPI.COMM_TYPE_SHARED).size)"
PING_PONG = """
import array, time
def seconds(size, turns):
    data, best = bytearray(size), 9.0
    for _ in range(turns):
        start = time.perf_counter()
        for sender in (0, 1):
            (world.Send if world.rank == sender else world.Recv)(data, 1 - world.rank)
        best = min(best, time.perf_counter() - start)
    return best
small, large = seconds(8, 20), seconds(100_000, 3)
if world.rank == 0:
    print(small, large)
"""
# Makes hosts with a job in each, says so, and waits to be killed.
KILLED = """
import subprocess, sys, time
from tests.hosts import Hosts
with Hosts(2) as hosts:
    for pid in hosts._pids:
        subprocess.Popen(["nsenter", "--target", str(pid), "--net", "--mount", "sleep", "600"], start_new_session=True)
    print(hosts._folder, *hosts.spaces, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    def write(body: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text(f"import time\nfrom mpi4py import MPI\nworld = MPI.COMM_WORLD\n{body}\n")
        return path

    return write


def inside(spaces: Iterable[str]) -> list[str]:
    """The processes in these network namespaces: as long as there is one, its namespace is there, and no longer."""
    found = []
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            if str(path.readlink()) in spaces:
                found.append(path.parts[2])
    return found


@pytest.mark.parametrize(("ranks", "nodes"), [thorough(2, (1, 1)), (3, (2, 1, 2))])
def test_each_host_is_a_node(library: Library, script: Script, ranks: int, nodes: tuple[int, ...]) -> None:
    with Hosts(2) as hosts:
        result = hosts.mpirun(library, ranks, script=script(NODES))
    assert result.returncode == 0, result
    expected = [f"{rank} node{rank % 2 + 1} {size}" for rank, size in enumerate(nodes)]
    assert sorted(result.stdout.splitlines()) == expected, result


@pytest.mark.either
def test_message_is_never_faster_than_the_link(library: Library, script: Script) -> None:
    delay, bandwidth = 3e-3, 50e6
    with Hosts(2, delay, bandwidth) as hosts:
        result = hosts.mpirun(library, 2, script=script(PING_PONG))
    small, large = map(float, result.stdout.split())
    assert small >= 2 * delay
    assert large >= 2 * (delay + 100_000 * 8 / bandwidth)


@pytest.fixture(scope="module")
def on_one_host(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The fingerprint."""
    return str(fitted(partial(launch, any_library(0), 3), tmp_path_factory.mktemp("one"))["weights_sha256"])


@pytest.mark.parametrize("mode", ["client-server", thorough("peer-to-peer")])
def test_same_fingerprint_as_on_one_host(library: Library, mode: str, on_one_host: str, tmp_path: Path) -> None:
    with Hosts(3) as hosts:
        three = fitted(partial(hosts.mpirun, library, 3), tmp_path, "--mode", mode)
    assert three["weights_sha256"] == on_one_host
    assert three["hosts"] == {"node1": 1, "node2": 1, "node3": 1}


def fitted(start: Callable[..., Result], out: Path, *words: object) -> dict[str, Any]:
    result = start("--rounds", 20, "--quiet", "--out", out, *words)
    assert result.returncode == 0, result
    found = json.loads((out / "run.json").read_text())
    assert isinstance(found, dict)
    return found


@pytest.mark.either
def test_packets_are_not_lost(library: Library, script: Script) -> None:
    body = "world.Alltoall(bytearray(300_000 * world.size), bytearray(300_000 * world.size))"
    with Hosts(3) as hosts:
        assert hosts.mpirun(library, 3, script=script(body)).returncode == 0
        counters = hosts.run("node2", "cat", "/proc/net/snmp").splitlines()
    names, values = (line.split() for line in counters if line.startswith("Tcp:"))
    assert dict(zip(names, values, strict=True))["RetransSegs"] == "0"


@pytest.mark.either
def test_hung_job_is_killed_and_nothing_is_left(library: Library, script: Script) -> None:
    hung = pytest.raises(pytest.fail.Exception, match="hung, killed after 3 s")
    with Hosts(2) as hosts, hung as failure:
        spaces = hosts.spaces
        hosts.mpirun(library, 2, script=script("if world.rank:\n    time.sleep(600)\nworld.Barrier()"), timeout=3)
    assert "line 5" in str(failure.value), "the rank that slept does not say where it stood"
    assert inside(spaces) == []
    assert not hosts._folder.exists()


def test_hosts_end_with_who_made_them() -> None:
    maker = subprocess.Popen([sys.executable, "-c", KILLED], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with maker:
        try:
            assert maker.stdout is not None
            folder, *spaces = maker.stdout.readline().split()
            assert _until(lambda: len(inside(spaces)) >= 4, GRACE)
        finally:
            maker.kill()  # else its end would be waited for
    assert _until(lambda: not inside(spaces) and not Path(folder).exists(), GRACE)


def test_failure_on_the_way_leaves_nothing() -> None:
    hosts = Hosts(2, mtu=1)
    with pytest.raises(RuntimeError, match="mtu"), hosts:
        pass
    assert inside(hosts.spaces) == []


def test_two_at_once_do_not_meet() -> None:
    with Hosts(2) as some, Hosts(2) as others:
        for hosts in (some, others):
            assert hosts.run("node2", "hostname") == "node2\n"
        assert not set(some.spaces) & set(others.spaces)
    assert os.uname().nodename not in some.names


@pytest.mark.parametrize("count", [0, 1, 9])
def test_count_of_hosts_is_checked(count: int) -> None:
    with pytest.raises(ValueError, match="expected 2 to 8"):
        Hosts(count)


def test_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert unavailable.__wrapped__() == "several hosts on one machine need the commands ip, unshare, nsenter, gcc"
