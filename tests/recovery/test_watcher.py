"""The watcher: saves in time, errors told, nothing left; under mpirun, who freezes is named, and dropped or the run is ended."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.observers.heartbeat import SUMMING, Heartbeat
from mpi_pgd.recovery.datagrams import decode, encode
from mpi_pgd.recovery.events import Message
from mpi_pgd.recovery.members import LOOPBACK, pack, unpack
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.recovery.watcher import Watcher
from tests.hosts import Hosts, unavailable
from tests.launch import ROOT, Library, Result, launch
from tests.thorough import thorough

pytestmark = pytest.mark.beside("chaos")

SCRIPT = Path(__file__).with_name("watcher_script.py")
ULFM = ("--with-ft", "ulfm")
LIMIT = 30.0
KEY = b"k" * 32


def until(holds: Callable[[], object]) -> None:
    limit = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < limit, "it never came to be"
        time.sleep(0.005)


class Disk:
    """Saves, and what went wrong with them."""

    def __init__(self) -> None:
        self.saves = 0
        self.wrong: BaseException | None = None
        self.said: list[str] = []
        self.go = threading.Event()
        self.go.set()

    def save(self) -> str:
        self.go.wait()
        self.saves += 1
        if self.wrong:
            raise self.wrong
        return "saved"

    def watcher(self, **more: float) -> Watcher:
        return Watcher(Heartbeat(), save=self.save, say=self.said.append, key=KEY, **more)


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_saves_again_and_again(disk: Disk) -> None:
    with disk.watcher(every=0.01):
        until(lambda: disk.saves > 3)
    assert disk.said == []


def test_saves_when_poked_and_no_poke_is_lost_at_the_end(disk: Disk) -> None:
    with disk.watcher() as watcher:
        watcher.poke()
        until(lambda: disk.saves == 1)
        watcher.poke()
        until(lambda: disk.saves == 2)
        watcher.poke()
    assert disk.saves == 3


def test_pokes_during_a_slow_save_make_one_more(disk: Disk) -> None:
    disk.go.clear()
    with disk.watcher() as watcher:
        watcher.poke()
        until(lambda: "save" in [thread.name for thread in threading.enumerate()])
        for _ in range(20):
            watcher.poke()
            time.sleep(0.001)
        assert [thread.name for thread in threading.enumerate()].count("save") == 1
        disk.go.set()
    assert disk.saves == 2


def test_a_rank_without_anything_to_save(disk: Disk) -> None:
    with Watcher(Heartbeat(), every=0.01, say=disk.said.append) as watcher:
        watcher.poke()
        time.sleep(0.05)
        watcher.saves(disk.save)  # it has become the one that writes
        until(lambda: disk.saves > 1)


def test_each_kind_of_failure_is_said_once_and_the_run_goes_on(disk: Disk) -> None:
    with disk.watcher(every=0.01):
        disk.wrong = InputError("no room: 17 bytes are missing")
        until(lambda: len(disk.said) == 1)
        disk.wrong = InputError("no room: 3 bytes are missing")
        done = disk.saves
        until(lambda: disk.saves > done + 2)
        disk.wrong = InputError("the folder is gone")
        until(lambda: len(disk.said) == 2)
        disk.wrong = None
        done = disk.saves
        until(lambda: disk.saves > done)
    assert disk.said[0].startswith("no room: ")
    assert disk.said[1].startswith("the folder is gone")
    assert len(disk.said) == 2


def test_a_bug_in_a_save_is_told_at_once_and_the_next_is_tried(disk: Disk) -> None:
    disk.wrong = ZeroDivisionError("a bug")
    watcher = disk.watcher(every=0.01)
    watcher.start()
    until(lambda: disk.saves > 3)
    assert "Traceback" in disk.said[0]
    assert "ZeroDivisionError: a bug" in disk.said[0]
    with pytest.raises(ZeroDivisionError, match="a bug"):
        watcher.stop()
    assert len(disk.said) == 1


class Broken(SignalFlag):
    """A bug in the watcher's thread, again and again."""

    def hear(self) -> bool:
        raise ZeroDivisionError("a bug")


def test_after_a_bug_in_the_thread_checkpoints_go_on(disk: Disk) -> None:
    with Broken() as flag:
        watcher = Watcher(Heartbeat(), save=disk.save, say=disk.said.append, flag=flag)
        watcher.start()
        os.kill(os.getpid(), signal.SIGUSR1)
        until(lambda: disk.said)
        assert "ZeroDivisionError: a bug" in disk.said[0]
        for done in range(2):
            watcher.poke()
            until(lambda done=done: disk.saves > done)
        with pytest.raises(ZeroDivisionError, match="a bug"):
            watcher.stop()
    assert len(disk.said) == 1


@pytest.mark.parametrize("seconds", [3e6, 1e300])
def test_a_long_time_is_no_more_than_that(disk: Disk, seconds: float) -> None:
    with disk.watcher(every=seconds, patience=seconds) as watcher:
        watcher.join([watcher.card()], 0)
        time.sleep(0.05)
        watcher.poke()
        until(lambda: disk.saves)
    assert disk.said == []


def files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_stop_leaves_nothing(disk: Disk) -> None:
    before = files()
    for patience in (float("inf"), 60.0):
        watcher = disk.watcher(every=0.001, patience=patience)
        watcher.start()
        until(lambda: disk.saves)
        watcher.stop()
        watcher.stop()
    assert {thread.name for thread in threading.enumerate()}.isdisjoint({"watcher", "save"})
    assert files() == before


def test_it_sleeps_while_nothing_happens(disk: Disk) -> None:
    def switches() -> str:
        name = next(thread.native_id for thread in threading.enumerate() if thread.name == "watcher")
        return Path(f"/proc/self/task/{name}/status").read_text().partition("voluntary_ctxt_switches")[2].split()[1]

    with disk.watcher(every=60.0, patience=60.0) as watcher:
        watcher.join([watcher.card()], 0)
        time.sleep(0.1)
        before = switches()
        time.sleep(0.3)
        assert switches() == before


def test_it_does_not_keep_a_process_alive() -> None:
    code = (
        "from mpi_pgd.observers.heartbeat import Heartbeat\nfrom mpi_pgd.recovery.watcher import Watcher\n"
        "Watcher(Heartbeat(), every=60.0, patience=60.0, say=print).start()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, cwd=ROOT)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_stranger_gets_no_answer_and_a_rank_does(disk: Disk) -> None:
    with disk.watcher(patience=5.0) as watcher, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        own, theirs = watcher.card(), pack(b"a cookie", other.getsockname()[1], LOOPBACK)
        watcher.join([own, theirs], 0)
        other.settimeout(LIMIT)
        watcher.pulse.beat(8)
        for key, turn in ((b"another", 1), (KEY, 2)):
            other.sendto(encode(key, b"a cookie", Message("ask", turn)), (LOOPBACK, unpack(own, 0).port))
        answers = [decode(KEY, other.recv(4096))]
        assert answers[0]
        assert answers[0][1].turn == 2
        assert answers[0][1].answer
        assert answers[0][1].answer.round == 8
    assert (disk.said, disk.saves) == ([], 0)


def test_a_frozen_rank_is_ended_by_one_of_its_node_that_saw_it(disk: Disk) -> None:
    """The first rank is on another node, so it asks the second; as nobody joins anew, the run is ended later."""
    ended: list[str] = []
    with (
        disk.watcher(patience=0.3, frozen="drop") as speaker,
        disk.watcher(patience=0.3, frozen="drop") as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf,
        subprocess.Popen(["sleep", "60"]) as victim,
    ):
        deaf.bind((LOOPBACK, 0))
        speaker.end = near.end = lambda _, sentence: ended.append(sentence)
        theirs = pack(b"a cookie", deaf.getsockname()[1], LOOPBACK)
        suspect = theirs[:24] + struct.pack("!I", victim.pid) + theirs[28:]
        first = speaker.card()
        cards = [first[:8] + b"anywhere" + first[16:], near.card(), suspect]
        for me, watcher in enumerate((speaker, near)):
            watcher.pulse.enter(SUMMING)
            watcher.join(cards, me)
        until(lambda: ended)
        assert victim.wait(LIMIT) == -signal.SIGKILL
    assert ended == ["rank 2 was ended, and is still waited for; the run ends; saved"]


def freeze(library: Library, *words: object, ranks: int = 3, flags: tuple[str, ...] = ()) -> Result:
    return launch(library, ranks, *words, script=SCRIPT, flags=flags)


SILENT = "rank {} on node {} does not answer (stopped, or its node is gone); ranks {} and {} wait in the sums"


def in_turn(library: Library, rank: int) -> None:
    """What no library has a part in is tried with each of them, but not all of it with each."""
    if (library.name == "mpich") == (rank == 0):
        pytest.skip("the other library's turn")


def host() -> str:
    return os.uname().nodename


@pytest.mark.skipif(bool(unavailable()), reason=unavailable())
def test_a_stopped_rank_on_another_node(library: Library) -> None:
    rank = 2 if library.name == "mpich" else 0
    with Hosts(3) as hosts:
        result = hosts.mpirun(library, 3, "end", rank, "stop", 0, 1, script=SCRIPT)
    assert result.returncode == 75, result
    assert f"rank {rank} on node node{rank + 1} does not answer" in result.stderr, result
    assert f"the run ends; checkpoint of rank {0 if rank else 1} in round 5\n" in result.stderr, result
    assert "may not pass" not in result.stderr, result


@pytest.mark.skipif(bool(unavailable()), reason=unavailable())
def test_a_node_that_is_cut_off(library: Library) -> None:
    if library.name == "openmpi":
        pytest.skip("Open MPI's mpirun waits for its daemon on the other node, for as long as TCP does")
    with Hosts(3) as hosts:
        result = hosts.mpirun(library, 3, "end", 2, "cut", 0, -1, script=SCRIPT)
    assert result.returncode == 75, result
    assert "rank 2 on node node3 does not answer" in result.stderr, result
    assert "rank 0 says: the run ends; checkpoint of rank 0 in round " in result.stderr, result


@pytest.mark.parametrize(("rank", "how"), [(0, "stop"), (1, "busy")])
def test_a_frozen_rank_ends_the_run(library: Library, rank: int, how: str) -> None:
    in_turn(library, rank)
    result = freeze(library, "end", rank, how, 0, 1)
    assert result.returncode == 75, result
    speaker = 1 if rank == 0 else 0
    does = "does not answer (stopped, or its node is gone)" if how == "stop" else "has been reading rows 0 to 9 of a.h5 for"
    assert f"rank {speaker} says: no round has finished for" in result.stderr, result
    assert does in result.stderr, result
    assert f"rank {speaker} says: the run ends; checkpoint of rank {speaker} in round 5\n" in result.stderr, result
    assert result.stderr.count("no round has finished") == 1, result
    assert "did 30 rounds" not in result.stdout, result


@pytest.mark.parametrize(("rank", "how"), [(0, "steps"), (1, "nap")])
def test_who_is_slow_or_was_stopped_for_a_while_is_left_alone(library: Library, rank: int, how: str) -> None:
    if (library.name == "mpich") == (how == "nap"):  # what no library has a part in
        pytest.skip("the other library's turn")
    result = freeze(library, "end", rank, how, 0, -1)
    assert result.returncode == 0, result
    assert result.stdout.count("did 30 rounds") == 3, result


@pytest.mark.parametrize(("rank", "how"), [(0, "stop"), thorough(2, "busy")])
def test_with_ulfm_a_frozen_rank_is_dropped(library: Library, rank: int, how: str) -> None:
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    result = freeze(library, "drop", rank, how, 0, -1, flags=ULFM)
    assert result.returncode == 0, result
    assert result.stdout.count("did 30 rounds") == 2, result
    assert f"rank {rank} did" not in result.stdout, result
    assert f"rank {rank} is ended, so that the others can go on" in result.stderr, result


@pytest.mark.skipif(bool(unavailable()), reason=unavailable())
def test_a_frozen_rank_of_another_node_is_dropped_by_one_beside_it(library: Library) -> None:
    if library.name != "openmpi":
        pytest.skip("only Open MPI survives a loss")
    tolerant = (*ULFM, "--mca", "coll", "^adapt,cuda,han,hcoll,portals4")
    with Hosts(2) as hosts:
        result = hosts.mpirun(library, 4, "drop", 3, "stop", 0, -1, script=SCRIPT, flags=tolerant)
    assert result.returncode == 0, result
    assert result.stdout.count("did 30 rounds") == 3, result
    assert "rank 0 says: rank 3 is ended, so that the others can go on" in result.stderr, result
