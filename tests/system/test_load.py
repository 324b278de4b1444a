"""What else a machine does, as the kernel counts it."""

import os

import pytest

from mpi_pgd.system.load import Usage, between, counted, usage

STAT = "cpu  {user} 20 30 900 5 6 7 {stolen} 40 0\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 9\n"


def test_the_columns_that_count() -> None:
    found, tick = counted("id", STAT.format(user=100, stolen=8)), os.sysconf("SC_CLK_TCK")
    assert (found.machine, found.cores) == ("id", 2)
    assert (found.busy, found.stolen) == pytest.approx(((100 + 20 + 30 + 6 + 7) / tick, 8 / tick))


def test_this_machine_is_watched_or_says_nothing() -> None:
    found = usage()
    assert found is None or (found.cores >= 1 and found.busy > 0)
    with pytest.raises(IndexError):
        counted("id", "nothing of the kind")


def test_what_others_took_on_each_machine_whatever_its_names() -> None:
    def at(machine: str, seconds: float, own: float, busy: float, stolen: float) -> Usage:
        return Usage(machine, seconds, own, busy, stolen, 4)

    before = [at("m", 0.0, 1.0, 100.0, 0.0), at("m", 0.0, 1.0, 100.0, 0.0), None, at("n", 0.0, 0.0, 50.0, 0.0)]
    after = [at("m", 10.0, 9.0, 130.0, 4.0), at("m", 10.0, 11.0, 130.0, 4.0), None, at("n", 10.0, 10.0, 59.0, 0.0)]
    assert between(["a", "b", "c", "d"], before, after) == [
        {"nodes": "a, b", "ranks": 2, "cores": 4, "others": pytest.approx(1.2), "stolen": 0.1},
        {"nodes": "d", "ranks": 1, "cores": 4, "others": 0.0, "stolen": 0.0},
    ]
