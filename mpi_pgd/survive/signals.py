"""A signal sets a flag, which the next round's message carries to all ranks; a second signal ends at once.

Python runs its handlers in the main thread between two bytecodes: never while that waits in a collective. The part of them that
is C runs always, and writes the signal's number into a pipe, from which the watcher's thread learns it at once.
"""

import contextlib
import ctypes
import os
import signal
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)


class SignalFlag:
    """``came`` is true once a signal asked to stop. To be entered by the main thread; works with and without a watcher."""

    def __init__(self) -> None:
        self.came = False
        self._before: dict[signal.Signals, Any] = {}
        self._pipe = (-1, -1)
        self._fd_before = -1
        self._read = 0

    def __enter__(self) -> "SignalFlag":
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        self._fd_before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        for end in self._pipe:
            os.close(end)

    def fileno(self) -> int:
        """What the watcher waits for: readable after a signal."""
        return self._pipe[0]

    def hear(self) -> bool:
        """Called by the watcher's thread: whether the first signal is among those in the pipe. Does not return after the second."""
        with contextlib.suppress(BlockingIOError):  # the pipe is empty
            numbers = [number for number in os.read(self._pipe[0], 64) if number in SIGNALS]
            for number in numbers:
                self._hear(number)
            return bool(numbers)
        return False

    def _hear(self, number: int) -> None:
        self._read += 1
        self.came = True
        _by_default()  # what the main thread would do if it could: from now on the kernel ends the process
        if self._read > 1:  # it had come before that
            os.kill(os.getpid(), number)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)


def _by_default() -> None:
    """As ``signal.signal(each, SIG_DFL)``, which Python allows the main thread only."""
    call = ctypes.CDLL(None).signal
    call.argtypes, call.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    for each in SIGNALS:
        call(each, None)
