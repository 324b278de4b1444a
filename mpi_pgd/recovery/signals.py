"""A signal sets a flag, which the next round's message carries to all ranks; a later one ends at once.

Python runs its handlers in the main thread between two bytecodes: never while that waits in a collective. The part of them that
is C runs always, and writes the signal's number into a pipe, from which the watcher's thread learns it at once.
"""

import contextlib
import math
import os
import signal
from time import perf_counter
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)
# Seconds in which another signal is the same request: batch systems signal each process, and so its launcher, which passes it on.
ECHO = 0.5


class SignalFlag:
    """``came`` is true once a signal asked to stop. To be entered by the main thread; works with and without a watcher.

    Within another one, this takes over what that has heard: so no signal is lost while a program starts.
    """

    def __init__(self) -> None:
        self.came = False
        self._first = math.inf
        self._heard = False

    def __enter__(self) -> "SignalFlag":
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        self._fd_before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        self._before: dict[int, Any] = {number: signal.signal(number, self._note) for number in SIGNALS}
        outer = getattr(self._before[signal.SIGUSR1], "__self__", None)
        if isinstance(outer, SignalFlag) and outer.came:
            self.came, self._first = True, outer._first
            os.write(self._pipe[1], bytes([signal.SIGUSR1]))  # for the watcher
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
        """Called by the watcher's thread: whether the first signal is in the pipe. Does not return after a later one."""
        numbers = b""
        with contextlib.suppress(BlockingIOError):  # the pipe is empty
            numbers = bytes(number for number in os.read(self._pipe[0], 64) if number in SIGNALS)
        if numbers and not self._heard:
            self.came = self._heard = True
            self._first = perf_counter()
            return True
        for number in numbers:
            self._again(number)
        return False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.came:
            self.came = True
            self._first = perf_counter()
        elif not self._heard:  # else the watcher judges, since this may have been pending for long
            self._again(number)

    def _again(self, number: int) -> None:
        if perf_counter() - self._first > ECHO:
            _by_default()
            os.kill(os.getpid(), number)


def _by_default() -> None:
    """As ``signal.signal(each, SIG_DFL)``, which Python allows the main thread only, for the kernel to end this process."""
    import ctypes  # hardly anyone needs it

    call = ctypes.CDLL(None).signal
    call.argtypes, call.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
    for each in SIGNALS:
        call(each, None)
