"""Run by test_signals.py as a world of one: the main thread waits in MPI for ever, signals come, the watcher saves.

Words: the file that a save writes; "first" or "late", when the watcher is started: before any signal, or after some.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

from mpi_pgd.observers.heartbeat import Heartbeat
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.recovery.watcher import Watcher


def say(sentence: str) -> None:
    os.write(2, f"{sentence}\n".encode())


def late(watcher: Watcher) -> None:
    time.sleep(0.2)  # the main thread is in MPI by then
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.2)  # so do those of the test
    watcher.start()


def main(file: Path, when: str) -> None:
    def save() -> str:
        file.write_text(f"came: {flag.came}")
        return str(file)

    with SignalFlag() as flag:
        watcher = Watcher(Heartbeat(), save=save, flag=flag, say=say)
        if when == "first":
            watcher.start()
        else:
            threading.Thread(target=late, args=(watcher,), daemon=True).start()
        print("waiting", flush=True)
        MPI.COMM_SELF.Recv(np.empty(1), source=0, tag=7)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
