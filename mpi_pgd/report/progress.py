"""How far the fit is: one live line on a terminal, a plain line every few seconds in a log."""

import math
import os
import sys
from pathlib import Path
from time import perf_counter

LIVE, LOGGED = 0.1, 5.0  # seconds between lines
LAUNCHERS = (
    "mpirun",
    "mpiexec",
    "mpiexec.hydra",
    "prterun",
    "orterun",
    "hydra_pmi_proxy",
    "hydra_bstrap_pr",
    "prted",
    "orted",
)


class Progress:
    """Called after each evaluation by the rank that has the figures.

    Args:
        rounds, tol: limits of the fit.
        until: when the user wants it to stop at the latest, by ``perf_counter()``; inf if never.
        ends: when the job that it runs in ends.
        first: the gradient's norm at zero weights, of a fit that goes on; else 0.
    """

    def __init__(self, rounds: int, tol: float, until: float, ends: float, first: float) -> None:
        self.limit, self.tol, self.until, self.ends = rounds, tol, until, ends
        self.live = on_terminal()
        self.every = LIVE if self.live else LOGGED
        self.begun = perf_counter()
        self.last = self.begun
        self.shown = False
        self.norm = first
        self.begin = (-1, 0.0)  # the round, and the gradient's norm, at the first call

    def __call__(self, done: int, objective: float, gradient_norm: float) -> None:
        """Print a line if it is time to."""
        now = perf_counter()
        if self.begin[0] < 0:
            self.begin = (done, gradient_norm)  # a fit that goes on does not begin with 0
            self.norm = self.norm or gradient_norm
        if now - self.last < self.every:
            return
        self.last = now
        rate = (done - self.begin[0]) / (now - self.begun)
        left = min((self.limit - done) / rate if rate else math.inf, self.until - now)
        line = (
            f"round {done}  objective {objective:.9g}  gradient {gradient_norm:.2e}  {rate:.0f} rounds/s  "
            f"at most {_duration(min(left, self.ends - now))} left"
        )
        if self.ends < math.inf:
            rest = rounds_to(self.tol * self.norm, self.begin, (done, gradient_norm))
            enough = min(left, rest / rate if rate else math.inf) <= self.ends - now
            line += f"; {_duration(self.ends - now)} of the job left: {'enough' if enough else 'too few at this rate'}"
        self.shown = True
        print(f"\r\x1b[K{line}" if self.live else line, end="" if self.live else "\n", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Clear the live line."""
        if self.live and self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def rounds_to(aim: float, begin: tuple[int, float], now: tuple[int, float]) -> float:
    """Rounds until the gradient's norm is at ``aim``, if its logarithm goes on to fall as it did.

    It did so from ``begin`` to ``now``, each (round, norm).
    """
    done, norm = now
    if norm <= aim:
        return 0.0
    if not (aim > 0 and norm < begin[1] < math.inf):
        return math.inf
    return (done - begin[0]) * math.log(norm / aim) / math.log(begin[1] / norm)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def on_terminal() -> bool:
    """Whether a person watches standard error: this process's, or, since mpirun puts a pipe there, that of the mpirun above it."""
    if sys.stderr.isatty():
        return True
    pid = os.getppid()
    for _ in range(5):
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            if name not in LAUNCHERS:
                return False
            target = str(Path(f"/proc/{pid}/fd/2").readlink())
            if target.startswith(("/dev/pts/", "/dev/tty")):
                return True
            if not target.startswith("pipe:"):
                return False
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False
