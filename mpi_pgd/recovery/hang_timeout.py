"""How long the others wait for a rank that is not heard of: ``--patience``, in seconds or ``auto``.

A launcher may never notice that a node is gone (MPICH's srun, if SLURM does not), and the ranks that are left wait in a sum for
ever. So where SLURM gave several nodes, ranks that do not answer end the run. One that answers is never ended, however long it
takes: it reads, or computes.
"""

import math

AUTO = "auto"
LEAST = 60.0  # seconds without a finished round
TIMES = 10  # of the longest round so far, if that is more: a machine that swaps or drops out for a while is not gone
LOADING = 300.0  # seconds before the first round: a file system that hangs may keep a rank from answering
WINDOW = 15.0  # seconds in which a rank has to answer then


class HangTimeout:
    """All in seconds.

    Args:
        given: without a finished round, until everyone is asked what they wait for; inf for never; or ``auto``.
    """

    def __init__(self, given: str | float) -> None:
        self.automatic = given == AUTO
        self.stuck = math.inf if self.automatic else float(given)  # in a step of its own, a rank that answers is frozen then
        self.window = WINDOW if self.automatic else min(5.0, max(1.0, self.stuck / 2))  # for the answers

    def after(self, longest: float) -> float:
        """Without a finished round, until everyone is asked; ``longest`` is the longest round so far, 0 before the first."""
        if not self.automatic:
            return self.stuck
        return max(LEAST, TIMES * longest) if longest else LOADING

    def sentence(self) -> str:
        """For the log."""
        return (
            f"a node that is not heard of for {LEAST:.0f} s ({TIMES} times the longest round, if that is more; {LOADING:.0f} s "
            f"before the first) ends the run, code 75; --patience says how long, inf is for ever"
        )
