"""How far the fit is: one live line on a terminal, a plain line every few seconds in a log."""

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
    """Called after each evaluation by the rank that has the figures."""

    def __init__(self, rounds: int, max_seconds: float, start: float) -> None:
        self.limit, self.max_seconds, self.start = rounds, max_seconds, start
        self.live = on_terminal()
        self.every = LIVE if self.live else LOGGED
        self.begun = perf_counter()
        self.last = self.begun
        self.shown = False
        self.first = -1

    def __call__(self, done: int, objective: float, gradient_norm: float) -> None:
        """Print a line if it is time to."""
        now = perf_counter()
        if self.first < 0:
            self.first = done  # a fit that goes on does not begin with 0
        if now - self.last < self.every:
            return
        self.last = now
        rate = (done - self.first) / (now - self.begun)
        left = min((self.limit - done) / rate if rate else float("inf"), self.max_seconds - (now - self.start))
        line = (
            f"round {done}  objective {objective:.9g}  gradient {gradient_norm:.2e}  {rate:.0f} rounds/s  "
            f"at most {_duration(left)} left"
        )
        self.shown = True
        print(f"\r\x1b[K{line}" if self.live else line, end="" if self.live else "\n", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Clear the live line."""
        if self.live and self.shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


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
