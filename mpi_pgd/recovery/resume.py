"""From what a rank keeps to a checkpoint file, and back to what a run begins from. Without MPI: the command line reads it, too."""

from collections.abc import Callable, Mapping
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mpi_pgd import config
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.errors import InputError
from mpi_pgd.kernel import ALIKE
from mpi_pgd.recovery import checkpoint
from mpi_pgd.recovery.checkpoint import Checkpoint
from mpi_pgd.recovery.differences import differences

if TYPE_CHECKING:
    from mpi_pgd.observers.snapshot import RankState


class Start(NamedTuple):
    """What a run begins from: read once, on one rank, and given to all. Nothing of it is read again, whoever is lost."""

    settings: dict[str, Any]  # as ``Settings.as_dict``
    shipped: bool = False  # the data are those that come with the program, as none were given
    origin: Checkpoint | None = None  # that it goes on from
    key: bytes = b""  # what the ranks of this run know, and nobody else


class About(NamedTuple):
    """What identifies the rows, and the BLAS kernels; and what the run started from, as a checkpoint has it."""

    data: dict[str, Any]
    kernels: str
    init: Vector = np.zeros(0)


class Writer:
    """Writes what is held into the checkpoint file; called by the watcher's thread while the rounds go on, and at the end.

    Nothing is written before it is ``ready``, as that might replace the checkpoint that the run is to go on from.

    Args:
        path: the file.
        held: what is to be written.
        settings: all of them, JSON types only.
        versions: of what computes; asked when they are needed, as it takes an import.
        check: asked before each; raises an InputError where another run has taken the file over.
        written: told of the round after each.
    """

    def __init__(
        self,
        path: str,
        held: "RankState",
        settings: dict[str, Any],
        versions: Callable[[], dict[str, str]],
        check: Callable[[], None],
        written: Callable[[int], None],
    ) -> None:
        self.path, self.held, self.settings = path, held, settings
        self.versions, self.check, self.written = versions, check, written
        self.about: About | None = None
        self._one = Lock()  # the watcher's thread and the end of the run may both want to write
        self.last = -1

    def ready(self, about: About) -> None:
        """Write from now on."""
        self.about = about

    def __call__(self) -> str:
        """Write, unless the file has this round already; returns where it is.

        Raises:
            InputError: it can't be written; the one before is intact.
        """
        with self._one:
            self._write()
        return f"the checkpoint {self.path} has round {self.last}" if self.last >= 0 else "there is no checkpoint yet"

    def _write(self) -> None:
        about = self.about
        rounds, state, history, setup = self.held.snapshot
        if about and rounds > self.last:
            if setup is None or not len(state):  # the rounds have not begun, or not come to a snapshot: there is nothing to keep
                setup = state = np.zeros(0)
            elapsed, first, lines = perf_counter() - history.start, history.first if rounds else "", tuple(history.lines(0, rounds))
            what = (self.settings, about.data, about.kernels, self.versions(), rounds, elapsed, first)
            found = Checkpoint(*what, setup, state, lines, about.init)
            self.check()
            checkpoint.write(self.path, found)
            self.last = rounds
            self.written(rounds)


def begun(given: Mapping[str, Any], defaults: Mapping[str, Any], label: Callable[[str], str] = str) -> Start:
    """What a run begins from: settings, and the checkpoint to go on from, if they name one. The file is read here, once.

    A checkpoint gives some of its settings to the run that goes on from it; that goes on to write it, too.

    Args:
        given: settings by name, as ``config.settings`` takes them.
        defaults: where neither ``given`` nor the checkpoint says anything.
        label: how to name a setting in an error.

    Raises:
        InputError: they can't be used.
    """
    path = config.settings({"resume": given.get("resume", "")}, label).resume
    origin, carried = None, {}
    if path:
        origin = checkpoint.read(path)
        carried = {name: origin.settings[name] for name in config.having("carried") if origin.settings.get(name) is not None}
        if "mode" in given:
            carried = {name: each for name, each in carried.items() if name not in ("algorithm", "graph")}  # none of that mode's
        carried["checkpoint"] = path
    return Start(config.settings({**defaults, **carried, **given}, label).as_dict(), origin=origin)


def check(found: Checkpoint, path: str, settings: Mapping[str, Any], about: About) -> None:
    """Whether a run may go on from a checkpoint, as far as it can be told before the rows are looked at.

    Raises:
        InputError: it is one of other settings, other data, or computed by other kernels.
    """
    other = differences(found, settings, about.data)
    if not other and found.kernels != about.kernels:
        there = found.versions.get("kernel", found.versions.get("blas", "unknown"))
        other = [f"it was computed by another kernel, {there}, to other bits ({ALIKE})"]
    if other:
        raise InputError(f"the checkpoint {path} is not of this run: {'; '.join(other)}; give its own data and settings")
    if len(found.setup) and found.setup[0] <= about.data["features"]:
        raise InputError(f"the checkpoint {path} is damaged, its setup is one of other features: take an older copy")
