"""The short form of the chaos suite (`make chaos` is the long one): a few cases of each part; another SEED, other ones."""

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.chaos import cluster, disk, kills, neighbours, resumes, storm
from tests.chaos.common import Ground, Tally, available
from tests.hosts import unavailable
from tests.launch import required

pytestmark = [pytest.mark.beside("chaos"), pytest.mark.thorough]

SEED = 4
ROUNDS, FEW = 400, 200
Run = Callable[[int, Random, Ground, Tally], None]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"), ROUNDS)


def in_full(run: Run, count: int, ground: Ground, folder: Path, *libraries: str) -> None:
    """Run so many cases; all have to end well."""
    missing = {*libraries} - {library.name for library in available()}
    if missing:
        (pytest.fail if missing & {*required()} else pytest.skip)(f"no environment with {', '.join(sorted(missing))} here")
    tally = Tally("short", folder)
    run(count, Random(SEED), ground, tally)
    failed = [path.read_text() for path in sorted(folder.glob("short-*.txt"))]
    assert (tally.counts.total(), tally.failures) == (count, 0), "\n".join([*tally.lines(), *failed])


def test_killed_ranks(ground: Ground, tmp_path: Path) -> None:
    in_full(kills.run, 3, ground, tmp_path, "openmpi")


@pytest.mark.skipif(unavailable() != "", reason=unavailable())
def test_killed_ranks_on_several_hosts(ground: Ground, tmp_path: Path) -> None:
    in_full(kills.run_on_hosts, 2, ground, tmp_path, "openmpi")


@pytest.mark.skipif(unavailable() != "", reason=unavailable())
def test_a_storm(tmp_path: Path) -> None:
    # In one run: a second one may have to wait a minute for what a rank on the other host had claimed.
    in_full(lambda _, *rest: storm.run(5, *rest), 1, Ground(tmp_path), tmp_path, "openmpi")


def test_peers_that_are_late(tmp_path: Path) -> None:
    in_full(neighbours.run, 1, Ground(tmp_path), tmp_path)


def test_killed_jobs(ground: Ground, tmp_path: Path) -> None:
    in_full(resumes.run, 2, ground, tmp_path, "mpich", "openmpi")


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs root")
@pytest.mark.parametrize(
    "case", [disk.checkpoint_disk_full, disk.out_disk_full, disk.two_jobs_in_one_place, disk.the_place_of_a_killed_job]
)
def test_full_disks(case: disk.Case, tmp_path: Path) -> None:
    in_full(lambda _, *rest: disk.go([(available()[0], case)], *rest), 1, Ground(tmp_path, FEW), tmp_path, "mpich")


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk needs root")
def test_data_that_vanish(tmp_path: Path) -> None:
    cases = [case for case in disk.cases() if case[1] == disk.data_vanish_before_a_recovery]
    in_full(lambda _, *rest: disk.go(cases, *rest), 1, Ground(tmp_path), tmp_path, "openmpi")


@pytest.mark.skipif(unavailable() != "", reason=unavailable())
def test_a_killed_node(tmp_path: Path) -> None:
    cases = [case for case in cluster.cases() if (case.library, case.event) == ("mpich", cluster.KILL)]
    in_full(lambda _, *rest: cluster.go(cases, *rest), 1, Ground(tmp_path), tmp_path, "mpich")
