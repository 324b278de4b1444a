"""How long others are waited for, where the user says and where nobody does; pure."""

import math

from mpi_pgd.recovery import hang_timeout
from mpi_pgd.recovery.hang_timeout import HangTimeout


def test_what_the_user_says_holds_for_all() -> None:
    found = HangTimeout(4.0)
    assert (found.automatic, found.after(0.0), found.after(100.0), found.stuck, found.window) == (False, 4.0, 4.0, 4.0, 2.0)
    assert HangTimeout(math.inf).after(0.0) == math.inf


def test_an_automatic_one_follows_the_longest_round_and_not_the_start() -> None:
    found = HangTimeout("auto")
    assert found.after(0.0) == hang_timeout.LOADING
    assert found.after(0.1) == hang_timeout.LEAST
    assert found.after(30.0) == 30 * hang_timeout.TIMES


def test_one_that_answers_is_never_ended_by_an_automatic_one() -> None:
    found = HangTimeout("auto")
    assert (found.automatic, found.stuck, found.window) == (True, math.inf, hang_timeout.WINDOW)
