"""When a run has to end: SLURM's word, the user's, and who asks for it."""

import math
from time import perf_counter
from typing import Any

import pytest

from mpi_pgd.errors import InputError
from mpi_pgd.recovery.deadline import Deadline
from mpi_pgd.system import scheduler

pytestmark = pytest.mark.ranks(1, 3, others=(3,))
SOON = 5.0  # seconds that a test may take


@pytest.fixture
def asked(comm: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A job of 1,000 s, of which each rank that asks knows it has 100 left; one for each question of this rank."""
    found: list[int] = []

    def left(_: object) -> float:
        found.append(comm.rank)
        return 100.0

    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(scheduler, "seconds_left", left)
    return found


def test_outside_a_job_the_user_s_word_is_all(comm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    found = Deadline(comm, 50.0, "20")
    assert (found.seconds, found.wanted, found.ends, found.record()) == (20.0, 70.0, math.inf, None)


def test_in_a_job_rank_0_alone_asks_and_the_user_s_word_holds(comm: Any, asked: list[int]) -> None:
    found = Deadline(comm, 50.0, "20")
    assert asked == [0] * (comm.rank == 0)
    assert (found.seconds, found.wanted) == (20.0, 70.0)
    assert found.ends == math.inf if comm.rank else 0 <= perf_counter() + 100 - found.ends < SOON
    record = found.record()
    assert record
    assert (record["job"], record["seconds_left"]) == ("7", None if comm.rank else 100.0)


def test_auto_ends_a_tenth_of_what_is_left_before_the_job_on_every_rank(comm: Any, asked: list[int]) -> None:
    start = perf_counter() - 30
    found = Deadline(comm, start, "auto")
    assert asked == [0] * (comm.rank == 0)
    assert 0 <= found.seconds - (30 + 90) < SOON  # from the start of the run
    assert found.wanted == math.inf


def test_auto_without_a_job_is_refused_on_every_rank(comm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(InputError, match="--max-seconds was given 'auto': this is not a SLURM job"):
        Deadline(comm, 0.0, "auto")
