"""How long others are waited for, where the user says and where nobody does; pure."""

import math

from mpi_pgd.observers.pulse import Pulse
from mpi_pgd.recovery import silence
from mpi_pgd.recovery.silence import Silence


def rounds(*seconds: float) -> Pulse:
    """A pulse after a start of ten minutes and rounds of so many seconds."""
    pulse = Pulse()
    pulse.finished -= 600
    pulse.beat(0)
    for number, taken in enumerate(seconds, 1):
        pulse.finished -= taken
        pulse.beat(number)
    return pulse


def test_what_the_user_says_holds_for_all() -> None:
    found = Silence(4.0, rounds(0.1))
    assert (found.automatic, found.patience, found.stuck, found.window) == (False, 4.0, 4.0, 2.0)
    assert Silence(math.inf, rounds()).patience == math.inf


def test_automatic_patience_follows_the_longest_round_and_not_the_start() -> None:
    assert Silence("auto", rounds()).patience == silence.LOADING
    assert Silence("auto", rounds(0.1)).patience == silence.LEAST
    assert round(Silence("auto", rounds(0.1, 30.0, 2.0)).patience) == round(30 * silence.TIMES)


def test_one_that_answers_is_never_ended_by_the_automatic_patience() -> None:
    found = Silence("auto", rounds(0.1))
    assert (found.automatic, found.stuck, found.window) == (True, math.inf, silence.WINDOW)
