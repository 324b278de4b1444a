"""Ranks of a test wait for each other; without pytest, as scripts do so, too."""

import time
from collections.abc import Callable
from typing import Any

PAUSE, LONGEST = 1e-3, 0.05  # seconds between two looks at the others, at first and at last


def meet(comm: Any, holds: Callable[[], object] = lambda: None) -> None:
    """Wait asleep until all ranks are there: whoever waits for long looks less often, as looks take time from those who work."""
    begun, request = time.monotonic(), comm.Ibarrier()
    while not request.Test():
        time.sleep(min(LONGEST, max(PAUSE, (time.monotonic() - begun) / 40)))
        holds()
