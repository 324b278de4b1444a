"""How long the others wait for a rank that is not heard of, where nobody says: ``--patience auto``.

A launcher may never notice that a node is gone (MPICH's srun, if SLURM does not), and the ranks that are left wait in a sum for
ever. So where SLURM gave several nodes, ranks that do not answer end the run. One that answers is never ended, however long it
takes: it reads, or computes.
"""

import math

from mpi_pgd.observers.pulse import Pulse

AUTO = "auto"
LEAST = 60.0  # seconds without a finished round
TIMES = 10  # of the longest round so far, if that is more: a machine that swaps or drops out for a while is not gone
LOADING = 300.0  # seconds before the first round: a file system that hangs may keep a rank from answering
WINDOW = 15.0  # seconds in which a rank has to answer then


class Silence:
    """What the watcher has to know of ``--patience``, in seconds or ``auto``.

    Attributes:
        automatic: whether it is.
    """

    def __init__(self, given: str | float, pulse: Pulse) -> None:
        self.automatic = given == AUTO
        self._given, self._pulse = math.inf if self.automatic else float(given), pulse

    @property
    def patience(self) -> float:
        """Without a finished round, until everyone is asked; inf for never."""
        if not self.automatic:
            return self._given
        return max(LEAST, TIMES * self._pulse.longest) if self._pulse.longest else LOADING

    @property
    def stuck(self) -> float:
        """In a step of its own, until a rank that answers is taken for frozen."""
        return self._given

    @property
    def window(self) -> float:
        """For the answers."""
        return WINDOW if self.automatic else min(5.0, max(1.0, self._given / 2))

    def sentence(self) -> str:
        """For the log."""
        return (
            f"a node that is not heard of for {LEAST:.0f} s ({TIMES} times the longest round, if that is more; {LOADING:.0f} s "
            f"before the first) ends the run, code 75; --patience says how long, inf is for ever"
        )
