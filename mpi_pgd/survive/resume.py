"""From what a rank keeps to a checkpoint file, and back."""

from collections.abc import Callable, Mapping
from threading import Lock
from time import perf_counter
from typing import Any

import numpy as np

from mpi_pgd.errors import InputError
from mpi_pgd.survive import checkpoint
from mpi_pgd.survive.kept import Kept, Snapshot

# What a run that goes on takes from the checkpoint, unless it is told otherwise.
CARRIED = ("data", "x", "y", *checkpoint.SAME, "mode", "algorithm", "rounds", "tol", "every", "out")


class Writer:
    """Writes what is kept into the checkpoint file; called by the watcher's thread while the rounds go on, and at the end.

    Args:
        path: the file.
        kept: what is to be written.
        settings: all of them, JSON types only.
        start: ``perf_counter()`` of the run's start.
        versions: of what computes; asked when they are needed, as it takes an import.
        written: told of the round after each.

    Attributes:
        data, kernels: what identifies the rows, and the BLAS kernels. Nothing is written before they are known, as it might
            replace the checkpoint that the run is to go on from.
        spent: seconds of the runs before this one.
    """

    def __init__(
        self,
        path: str,
        kept: Kept,
        settings: dict[str, Any],
        start: float,
        versions: Callable[[], dict[str, str]],
        written: Callable[[int], None],
    ) -> None:
        self.path, self.kept, self.settings, self.start = path, kept, settings, start
        self.versions, self.written = versions, written
        self.data: dict[str, Any] = {}
        self.kernels = ""
        self._one = Lock()  # the watcher's thread and the end of the run may both want to write
        self.spent = 0.0
        self.last = -1

    def __call__(self) -> str:
        """Write, unless the file has this round already; returns where it is.

        Raises:
            InputError: it can't be written; the one before is intact.
        """
        with self._one:
            self._write()
        return f"the checkpoint {self.path} has round {self.last}" if self.last >= 0 else "there is no checkpoint yet"

    def _write(self) -> None:
        rounds, state = self.kept.snapshot
        if self.data and rounds > self.last:
            setup = self.kept.setup
            if setup is None or not len(state):  # the rounds have not begun, or not come to a snapshot: there is nothing to keep
                setup = state = np.zeros(0)
            objective, norm, seconds = self.kept.history.lines(0, rounds)
            found = checkpoint.Checkpoint(
                settings=self.settings,
                data=self.data,
                kernels=self.kernels,
                versions=self.versions(),
                rounds=rounds,
                elapsed=self.spent + perf_counter() - self.start,
                setup=setup,
                state=state,
                history=(objective, norm, seconds),
            )
            checkpoint.write(self.path, found)
            self.last = rounds
            self.written(rounds)


def carried(path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a checkpoint gives to the run that goes on from it; that goes on to write it, too.

    Raises:
        InputError: it can't be read.
    """
    saved = checkpoint.read(path).settings
    found = {name: saved[name] for name in CARRIED if saved.get(name) is not None}
    if "mode" in given:
        found.pop("algorithm", None)  # it may be none of that mode
    return {**found, "checkpoint": path}


def restore(path: str, kept: Kept, settings: Mapping[str, Any], data: Mapping[str, Any], kernels: str) -> float:
    """Fill ``kept`` from a checkpoint; returns the seconds that it took to get there.

    Raises:
        InputError: it can't be read, or is one of other settings, other data, or computed by other kernels.
    """
    found = checkpoint.read(path)
    other = checkpoint.differences(found, settings, data)
    if not other and found.kernels != kernels:
        there = found.versions.get("blas", "that")
        other = [f"BLAS uses other kernels here than {there} there (set OPENBLAS_CORETYPE to choose)"]
    if other:
        raise InputError(f"the checkpoint {path} is not of this run: {'; '.join(other)}; give its own data and settings")
    if len(found.setup) not in (0, 2 * data["features"] + 3):
        raise InputError(f"the checkpoint {path} is damaged, its setup is one of other features: take an older copy")
    if len(found.setup):
        kept.setup = found.setup
        kept.snapshot = Snapshot(found.rounds, found.state)
        kept.history.extend(0, np.array(found.history))
    return found.elapsed
