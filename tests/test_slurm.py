"""Jobs of a real SLURM, of both MPIs by srun and by mpirun: the shipped scripts, limits, losses, exit codes, the end of all.

A test submits its jobs for all of these at once: most of a job's time is spent waiting.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mpi_pgd.data.make import make
from tests.launch import launch, libraries, required
from tests.private_slurm import Slurm, unavailable
from tests.slurm_jobs import SLOW, SRUN, ULFM, WAYS, Jobs, Way
from tests.thorough import thorough

pytestmark = pytest.mark.beside("slurm")

ROUNDS, MANY = 100, 2200
ENDLESS = ("--rounds", 1_000_000, "--tol", 0, "--quiet", *SLOW)
TRY_AGAIN = 75
THREE = {"NumNodes": "3-3", "NumTasks": 3, "NumCPUs": "3-3"}  # of a job that had four


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    if reason := unavailable():
        if "slurm" in required():
            pytest.fail(f"{reason} (MPI_PGD_REQUIRE asks for it)", pytrace=False)
        pytest.skip(reason)
    for name in ("mpich", "openmpi"):
        if name not in libraries():
            (pytest.fail if name in required() else pytest.skip)(f"no environment with {name} here: `make test` makes them")
    with Slurm(4, aside=2) as made:
        yield made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("slurm data") / "rows.h5"  # a name with a blank, as a user may have
    make(path, 6000, 8, condition=30.0, noise=0.1, seed=3)
    return path


@pytest.fixture(scope="module", autouse=True)
def limited(request: pytest.FixtureRequest, slurm: Slurm, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Jobs | None:
    """Jobs that will meet their time limit, on nodes of their own, as that takes SLURM a minute: none if nobody asks."""
    if not any(item.name == "test_real_limit" for item in request.session.items):
        return None
    jobs = Jobs(slurm, tmp_path_factory.mktemp("limited"))
    flags = ("--partition=aside", "--nodes=2", "--time=2", "--signal=B:USR1@60")
    return jobs.submit(SRUN, "chain", data, "--rounds", MANY, "--tol", 0, *SLOW, flags=flags)


@pytest.fixture
def jobs(slurm: Slurm, tmp_path: Path) -> Jobs:
    return Jobs(slurm, tmp_path)


def undisturbed(data: Path, folder: Path, rounds: int) -> str:
    words = (data, "--rounds", rounds, "--tol", 0, "--quiet", "--out", folder / "undisturbed")
    assert launch(libraries()["mpich"], 1, *words).returncode == 0
    return str(json.loads((folder / "undisturbed" / "run.json").read_text())["weights_sha256"])


def test_fit(jobs: Jobs, data: Path, tmp_path: Path) -> None:
    jobs.submit(WAYS, "fit", data, "--rounds", ROUNDS, "--tol", 0, "--quiet").ended()
    assert jobs.fingerprints() == {undisturbed(data, tmp_path, ROUNDS)}
    for way, number in jobs.numbers.items():
        record = jobs.record(way)
        assert record["hosts"] == {f"node{k}": 1 for k in (1, 2, 3, 4)}
        assert (record["scheduler"]["job"], record["scheduler"]["nodes"]) == (number, 4)
        assert jobs.log(number) == ""


@pytest.mark.thorough
def test_compare(jobs: Jobs, data: Path) -> None:
    jobs.submit(SRUN, "compare", data, "--rounds", 5, "--repeats", 1).ended()
    for way in SRUN:
        rows = json.loads((jobs.out(way) / "compare.json").read_text())["rows"]
        assert {row["ranks"] for row in rows} == {4}
        assert len({row["weights_sha256"] for row in rows}) == 1


@pytest.mark.thorough
def test_array_and_its_report(jobs: Jobs, data: Path) -> None:
    jobs.submit(SRUN, "scaling", data, "--rounds", 5, "--repeats", 1, flags=("--nodes=1",))
    jobs.until(lambda: len(list(jobs.folder.glob("*/out/report.html"))) == len(SRUN), timeout=240)
    for way in SRUN:
        found = json.loads((jobs.out(way) / "scaling.json").read_text())
        strong = [row for row in found["rows"] if row["scaling"] == "strong"]
        assert {row["ranks"] for row in strong} == {1, 2, 4}
        assert len({row["weights_sha256"] for row in strong}) == 1


def test_written_script(jobs: Jobs, data: Path, tmp_path: Path) -> None:
    words = ("fit", data, "--nodes", 3, "--ranks-per-node", 2, "--rounds", ROUNDS, "--tol", 0, "--quiet", "--chain", "--submit")
    for way in SRUN:
        command = ("python", "-m", "mpi_pgd", "slurm", *words, "--out", jobs.out(way))
        jobs.numbers[way] = jobs.slurm.run(*command, env=jobs.env(way), cwd=jobs.folder).strip()
    jobs.ended()
    assert jobs.fingerprints() == {undisturbed(data, tmp_path, ROUNDS)}
    assert [jobs.record(way)["hosts"] for way in SRUN] == [{f"node{k}": 2 for k in (1, 2, 3)}] * len(SRUN)


@pytest.mark.thorough
def test_warned_job_is_queued_again_and_goes_on_with_fewer_nodes(jobs: Jobs, data: Path, tmp_path: Path) -> None:
    jobs.submit(WAYS, "chain", data, "--rounds", ROUNDS, "--tol", 0, *SLOW).have_begun()
    for number in jobs.numbers.values():
        jobs.slurm.run("scancel", "--signal=USR1", "--batch", number)
    jobs.ended(**THREE)
    assert jobs.fingerprints() == {undisturbed(data, tmp_path, ROUNDS)}
    for way in WAYS:
        record = jobs.record(way)
        assert (record["ranks"], len(record["hosts"]), record["scheduler"]["restarts"]) == (3, 3, 1)


@pytest.mark.parametrize(("code", "words"), [(2, ("--stepp", 1)), thorough(4, ("--step", 1e6))])
def test_exit_codes_come_through(jobs: Jobs, data: Path, code: int, words: tuple[object, ...]) -> None:
    jobs.submit(WAYS, "fit", data, "--quiet", *words).ended("FAILED", code)
    for number in jobs.numbers.values():
        assert jobs.log(number).count("mpi_pgd: ") == 1, jobs.log(number)


def test_stopped_fit_ends_with_try_again(jobs: Jobs, data: Path) -> None:
    jobs.submit(WAYS, "fit", data, *ENDLESS, "--checkpoint", "fit.ckpt").have_begun()
    for number in jobs.numbers.values():
        jobs.slurm.run("scancel", "--signal=USR1", "--batch", number)
    jobs.ended("FAILED", TRY_AGAIN)


WRONG = {
    Way("mpich", "srun --mpi=pmix"): "srun --mpi=pmi2",
    Way("openmpi", "srun --mpi=pmi2"): "srun --mpi=pmix",
    Way("mpich", "srun --mpi=none"): "srun --mpi=pmi2",
    Way("openmpi", "srun --mpi=none"): "srun --mpi=pmix",
}


def test_wrong_plugin_is_refused_and_the_right_one_named(jobs: Jobs, data: Path) -> None:
    jobs.submit(tuple(WRONG), "fit", data, "--quiet").ended("FAILED", 2)
    for way, number in jobs.numbers.items():
        assert jobs.log(number).count("mpi_pgd: ") == 1, jobs.log(number)
        assert WRONG[way] in jobs.log(number)
        assert not jobs.out(way).exists()


@pytest.mark.thorough
def test_lost_rank_where_open_mpi_goes_on(jobs: Jobs, data: Path, tmp_path: Path) -> None:
    jobs.submit((ULFM,), "chain", data, "--rounds", ROUNDS, "--tol", 0, *SLOW).have_begun()
    for pid in ranks(jobs.slurm, "node3"):
        os.kill(pid, signal.SIGKILL)
    jobs.ended()
    assert jobs.fingerprints() == {undisturbed(data, tmp_path, ROUNDS)}
    assert [loss["nodes"] for loss in jobs.record(ULFM)["losses"]] == [["node3"]]


@pytest.mark.thorough
def test_cancelled_job_leaves_a_checkpoint_and_nothing_else(jobs: Jobs, data: Path) -> None:
    jobs.submit(WAYS, "chain", data, *ENDLESS).have_begun()
    jobs.slurm.run("scancel", *jobs.numbers.values())
    for number in jobs.numbers.values():
        jobs.slurm.wait(number, "CANCELLED")
    jobs.until(lambda: not any(jobs.slurm.processes(name, but="slurmd") for name in jobs.slurm.nodes))
    assert min(jobs.checkpoints()) > 0


@pytest.mark.thorough
def test_fit_that_slurm_queues_again_goes_on(jobs: Jobs, data: Path, tmp_path: Path) -> None:
    jobs.submit(WAYS, "fit", data, "--rounds", 2 * ROUNDS, "--tol", 0, *SLOW).have_begun()
    for number in jobs.numbers.values():
        jobs.slurm.run("scontrol", "requeue", number)
    jobs.ended()
    assert jobs.fingerprints() == {undisturbed(data, tmp_path, 2 * ROUNDS)}
    for number in jobs.numbers.values():
        assert f"run 2: on node[1-4], goes on from fit-{number}.ckpt" in jobs.log(number)
    assert jobs.checkpoints() == [0] * len(WAYS)  # it is done with


@pytest.mark.thorough
def test_lost_node(jobs: Jobs, data: Path, tmp_path: Path) -> None:
    """It is back before SLURM notices, which MPICH's srun never does, and keeps a socket on which the next start by PMIx fails."""
    words = (data, "--rounds", 2 * ROUNDS, "--tol", 0, *SLOW, "--patience", 5)
    jobs.submit((*WAYS, ULFM), "chain", *words).have_begun()
    jobs.slurm.down("node2")
    time.sleep(1)
    jobs.slurm.up("node2")
    jobs.ended(timeout=150)
    assert jobs.fingerprints() == {undisturbed(data, tmp_path, 2 * ROUNDS)}
    for way, number in jobs.numbers.items():
        assert jobs.record(way)["scheduler"]["restarts"] >= 1, f"{way}\n{jobs.log(number)}"
    assert "launch failed" in jobs.log(jobs.numbers[SRUN[1]])


@pytest.mark.thorough
def test_real_limit(limited: Jobs, data: Path, tmp_path: Path) -> None:
    limited.ended(timeout=150)
    assert limited.fingerprints() == {undisturbed(data, tmp_path, MANY)}
    assert min(limited.record(way)["scheduler"]["restarts"] for way in SRUN) >= 1  # more, on a machine that is busy


def ranks(slurm: Slurm, node: str) -> list[int]:
    return [pid for pid in slurm.processes(node) if b"-m\0mpi_pgd\0fit" in Path(f"/proc/{pid}/cmdline").read_bytes()]
