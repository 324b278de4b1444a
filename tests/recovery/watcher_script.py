"""Run by test_watcher.py inside MPI: rounds of nothing but a sum, watched. One rank freezes; what is said and done is printed.

Words: what becomes of the frozen ("end" or "drop"), the rank that freezes, how ("stop"; "nap" for a while; "cut" off its node;
"busy" for a step without end; "steps" for many short ones), the rank that saves, and the one that can if that does not answer.
"""

import os
import signal
import subprocess
import sys
import time

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import end, guard
from mpi_pgd.observers.heartbeat import COMPUTING, SUMMING, Heartbeat
from mpi_pgd.recovery import members
from mpi_pgd.recovery.watcher import Watcher

WORLD = MPI.COMM_WORLD
ROUNDS = 30
PATIENCE = 1.5


def say(sentence: str) -> None:
    os.write(2, f"rank {WORLD.rank} says: {sentence}\n".encode())


def finish(code: int, sentence: str) -> None:
    say(sentence)
    end(code)


def freeze(pulse: Heartbeat, how: str) -> None:
    if how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "nap":
        subprocess.Popen(["/bin/sh", "-c", f"sleep {1.1 * PATIENCE}; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "cut":
        subprocess.run(["ip", "link", "set", "eth0", "down"], check=True)
    elif how == "busy":
        pulse.enter("reading rows 0 to 9 of a.h5")
        time.sleep(600)
    else:
        for row in range(int(1.8 * PATIENCE / 0.05)):
            pulse.enter(f"reading row {row} of a.h5")
            time.sleep(0.05)


def join(comm: MPI.Intracomm, watcher: Watcher) -> None:
    watcher.join(comm.allgather(watcher.card()), comm.rank)


def sums(comm: MPI.Intracomm, pulse: Heartbeat, rank: int, how: str) -> None:
    while pulse.round < ROUNDS:
        pulse.enter(COMPUTING)
        time.sleep(0.01)
        if pulse.round == 5 and WORLD.rank == rank:
            freeze(pulse, how)
        pulse.enter(SUMMING)
        total = np.array(pulse.round)
        comm.Allreduce(MPI.IN_PLACE, total, MPI.MIN)
        pulse.beat(int(total) + 1)


def main(frozen: str, rank: int, how: str, saver: int, fallback: int) -> None:
    pulse, comm = Heartbeat(), WORLD
    places, key = comm.allgather(members.place()), comm.bcast(os.urandom(32))
    host = members.meeting(places[comm.rank], places)
    watcher = Watcher(pulse, patience=PATIENCE, frozen=frozen, say=say, end=finish, key=key, host=host)

    def save() -> str:
        return f"checkpoint of rank {WORLD.rank} in round {pulse.round}"

    watcher.saves(save if WORLD.rank == saver else None, save if WORLD.rank == fallback else None)
    if frozen == "drop":
        comm.Set_errhandler(MPI.ERRORS_RETURN)
    with watcher:
        join(comm, watcher)
        while True:
            try:
                sums(comm, pulse, rank, how)
                break
            except MPI.Exception:
                comm.Revoke()
                comm = comm.Shrink()
                comm.Set_errhandler(MPI.ERRORS_RETURN)
                pulse.beat(pulse.round)
                join(comm, watcher)
    os.write(1, f"rank {WORLD.rank} did {pulse.round} rounds\n".encode())
    if comm is not WORLD:
        os._exit(0)  # finalizing the world would wait for the dead


if __name__ == "__main__":
    with guard(WORLD):
        main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
