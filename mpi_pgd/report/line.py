"""The lines of a terminal, or of a log, on standard error: sentences, and one that is written over and over."""

import logging
import math
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from mpi_pgd.system.log import LOG

WIDTH = 80  # columns, where a terminal does not say
LAUNCHERS = ("mpirun", "mpiexec", "mpiexec.hydra", "prterun", "orterun", "hydra_pmi_proxy", "hydra_bstrap_pr", "prted", "orted")


class Line(logging.Handler):
    """Writes sentences and, between them, one line over and over; nothing that fails in writing is worth a run."""

    terminal: Path | None = None
    shown = False

    def begin(self) -> bool:
        """Find out where lines go; whether there is a terminal, on which they are one."""
        self.terminal = terminal()
        return self.terminal is not None

    def handle(self, record: logging.LogRecord) -> bool:
        """Without a lock: a thread that hangs in writing keeps no other, and no end of the process, waiting."""
        self.clear()
        self._write(f"mpi_pgd: {record.getMessage()}\n")
        return True

    def show(self, parts: Sequence[tuple[str, int]]) -> None:
        """Write the parts, each with a number; on a terminal without those of the highest numbers, so that it is one line."""
        parts = list(parts)
        room = columns(self.terminal) - 1 if self.terminal else math.inf
        while len(_joined(parts)) > room and max(number for _, number in parts) > 0:
            parts.remove(max(parts, key=lambda part: part[1]))
        self._write(f"\r\x1b[K{_joined(parts)[: int(room)]}" if self.terminal else f"{_joined(parts)}\n")
        self.shown = True

    def clear(self) -> None:
        """Leave nothing of a live line."""
        if self.terminal and self.shown:
            self._write("\r\x1b[K")
        self.shown = False

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            print(text, end="", file=sys.stderr, flush=True)


LINE = Line()


def listen() -> None:
    """Have what is logged written on standard error, as the command line does."""
    LOG.addHandler(LINE)
    LOG.setLevel(logging.INFO)


def _joined(parts: Sequence[tuple[str, int]]) -> str:
    return "  ".join(text for text, _ in parts)


def terminal() -> Path | None:
    """Where a person watches standard error: this process's, or, since mpirun puts a pipe there, that of the mpirun above it."""
    if sys.stderr is not None and sys.stderr.isatty():
        return Path("/proc/self/fd", str(sys.stderr.fileno()))
    pid = os.getppid()
    for _ in range(5):
        try:
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            if name not in LAUNCHERS:
                return None
            target = str(Path(f"/proc/{pid}/fd/2").readlink())
            if target.startswith(("/dev/pts/", "/dev/tty")):
                return Path(f"/proc/{pid}/fd/2")
            if not target.startswith("pipe:"):
                return None
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return None
    return None


def columns(path: Path) -> int:
    """How many the terminal has now."""
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return os.get_terminal_size(file).columns or WIDTH
        finally:
            os.close(file)
    return WIDTH
