"""A signal sets a flag, which the next round's message carries to all ranks; a second signal ends at once."""

import signal
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT)


class SignalFlag:
    """``came`` is true once a signal asked to stop. To be entered by the main thread."""

    def __init__(self) -> None:
        self.came = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "SignalFlag":
        self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
