"""Judging the set-up: facts as they were, or would be, in situations that one machine can't be put into."""

from dataclasses import replace
from typing import Any

import pytest

from mpi_pgd.study.doctor import checks
from mpi_pgd.study.doctor.findings import Finding, listed, memory, text
from mpi_pgd.study.doctor.signs import Ping, Rank, leaders

SOFTWARE = {"python": "3.11.7", "numpy": "2.4.6", "mpi": "MPICH 5.0.2"}
HEALTHY = Rank(world=16, cores=8, physical=8, software=SOFTWARE, processor="EPYC", link=1.25e10, infiniband=True)
HYDRA = {"HYDI_CONTROL_FD": "7", "PMI_RANK": "0", "PMI_SIZE": "16"}


def cluster(nodes: int = 2, ranks: int = 8, **changes: Any) -> list[Rank]:
    """Ranks each bound to a core of its own, but for the changes."""
    places = [(node, core) for node in range(nodes) for core in range(ranks)]
    return [
        replace(HEALTHY, **{"rank": rank, "node": f"n{node}", "cpus": [core], **changes})
        for rank, (node, core) in enumerate(places)
    ]


def test_healthy() -> None:
    found = [Ping(1, "n0", True, 4e-7, 1e10), Ping(8, "n1", False, 1.5e-6, 1.1e10)]
    findings = [judge() for _, judge in checks.setup(cluster(), found)]
    assert {item.level for item in findings} == {"ok"}
    assert "rank 0 to rank 8 on node n1: 1.50 µs, 11.0 GB/s" in findings[-1].finding
    assert "InfiniBand" in findings[-1].finding


@pytest.mark.parametrize(
    ("environment", "vendor", "advice"),
    [
        ({"SLURM_STEP_NUM_TASKS": "16", "SLURM_PROCID": "3"}, "MPICH", "srun --mpi=pmi2"),
        ({"SLURM_STEP_NUM_TASKS": "16"}, "Open MPI", "srun --mpi=pmix"),
        (HYDRA, "Open MPI", "the mpirun of the Open MPI that Python loads"),
        ({"OMPI_COMM_WORLD_SIZE": "16"}, "MPICH", "the mpirun of the MPICH"),
    ],
)
def test_worlds_of_one(environment: dict[str, str], vendor: str, advice: str) -> None:
    found = checks.world([Rank(world=1, environment=environment, vendor=vendor)])
    assert found.level == "warning"
    assert "16 ranks, but this MPI world has 1" in found.finding
    assert advice in found.advice


def test_mpirun_inside_a_job_step() -> None:
    """Hydra starts its proxies by srun: their step has one task a node, and the ranks inherit that."""
    ranks = cluster(environment={**HYDRA, "SLURM_STEP_NUM_TASKS": "2"})
    assert checks.world(ranks).level == "ok"
    assert checks.launcher(ranks).level == "ok"


def test_library_of_another_launcher_that_works() -> None:
    found = checks.launcher(cluster(environment={"OMPI_COMM_WORLD_SIZE": "16"}))
    assert found.level == "warning"
    assert "MPICH 5.0.2, started by Open MPI's mpirun" in found.finding


SLURM = {"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS": "16"}


@pytest.mark.parametrize(
    ("ranks", "level", "words"),
    [
        (cluster(environment=SLURM), "ok", "job 7, 2 nodes"),
        (cluster(environment={**SLURM, "SLURM_CPUS_PER_TASK": "4"}), "warning", "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK"),
        (cluster(environment={**SLURM, "SLURM_CPUS_PER_TASK": "2"}, cpus=[0, 1]), "note", "each task has 2 cores"),
        (cluster(1, environment=SLURM), "warning", "the job has 2 nodes, but the ranks are on 1"),
        (cluster(1, 1, environment={**SLURM, "SLURM_JOB_NUM_NODES": "1"}), "note", "the job has 16 tasks, and this is one rank"),
    ],
)
def test_slurm(ranks: list[Rank], level: str, words: str) -> None:
    found = checks.slurm(ranks)
    assert found.level == level
    assert words in found.finding + found.advice


@pytest.mark.parametrize(
    ("ranks", "level", "words"),
    [
        (cluster(cores=4, physical=4), "warning", "8 ranks on node n0, which has 4 cores"),
        (cluster(cores=64, physical=64, quota=2.0), "warning", "has 2 cores (granted, of 64)"),
        (cluster(cores=64, physical=64, quota=0.5), "warning", "has 1 core (granted, of 64)"),
        (cluster(cores=8, physical=4), "note", "4 without hardware threads"),
        (cluster(), "ok", "8 ranks on node n0"),
    ],
)
def test_cores(ranks: list[Rank], level: str, words: str) -> None:
    found = checks.cores(ranks)
    assert (found.level, words in found.finding) == (level, True), found


@pytest.mark.parametrize(
    ("ranks", "level", "words"),
    [
        (cluster(cpus=[3]), "warning", "ranks 0-7 on node n0 are all bound to core 3 of 8"),
        (cluster(cpus=[0, 1, 2, 3]), "warning", "bound to cores 0-3 of 8"),
        (cluster(threads=4), "warning", "bound to 1 core with 4 threads each"),
        (cluster(cpus=list(range(8))), "note", "ranks 0-15 not bound"),
        (cluster(ranks=4, cpus=list(range(8))), "ok", "not bound, with cores to spare"),
        (cluster(ranks=2, cores=1, cpus=[0]), "ok", ""),  # that is for the check of cores
    ],
)
def test_pinning(ranks: list[Rank], level: str, words: str) -> None:
    found = checks.pinning(ranks)
    assert (found.level, words in found.finding) == (level, True), found


def test_threads_of_one_rank() -> None:
    ranks = cluster()
    ranks[3] = replace(ranks[3], threads=8, environment={"OMP_NUM_THREADS": "8"})
    found = checks.threads(ranks)
    assert found.level == "warning"
    assert "8 BLAS threads in rank 3 (OMP_NUM_THREADS=8)" in found.finding


def test_kernels_of_another_node() -> None:
    ranks = [replace(rank, kernels=rank.node, kernel="numpy (openblas Haswell)") for rank in cluster()]
    found = checks.kernels(ranks)
    assert found.level == "warning"
    assert "ranks 0-7 with numpy (openblas Haswell) on n0; ranks 8-15 with" in found.finding


def test_versions_differ() -> None:
    ranks = cluster()
    ranks[9] = replace(ranks[9], software={**SOFTWARE, "numpy": "1.26.4"})
    found = checks.software(ranks)
    assert found.level == "warning"
    assert "numpy 2.4.6 on ranks 0-8, 10-15 (n0), 1.26.4 on rank 9 (n1)" in found.finding
    assert "python" not in found.finding


def test_processors_differ() -> None:
    ranks = [replace(rank, processor=f"kind {rank.node}") for rank in cluster()]
    assert checks.processors(ranks).level == "note"


@pytest.mark.parametrize(
    ("wall", "moved", "level"), [(5000.0, 0.0, "ok"), (5003.0, 0.0, "warning"), (4990.0, 0.0, "warning"), (5000.0, 0.01, "note")]
)
def test_clocks(wall: float, moved: float, level: str) -> None:
    """The second node was started 5,000 s after the first, so its monotonic clock is behind."""
    ranks = [replace(rank, wall=wall, offset=-5000.0, moved=moved) if rank.node == "n1" else rank for rank in cluster()]
    assert checks.clocks(ranks).level == level


@pytest.mark.parametrize(
    ("ping", "changes", "level", "words"),
    [
        (Ping(1, "n0", True, 5e-7, 5e9), {}, "ok", "500 ns, 5.00 GB/s"),
        (Ping(1, "n0", True, 3e-5, 5e9), {}, "warning", "/dev/shm must have room"),
        (Ping(1, "n0", True, 5e-7, 4e8), {}, "warning", "UCX_TLS must allow sm"),
        (Ping(1, "n0", True, 4e-3, 4e8), {"cores": 4}, "note", "mend cores and pinning first"),
    ],
)
def test_shared_memory(ping: Ping, changes: dict[str, int], level: str, words: str) -> None:
    found = checks.node_network(cluster(**changes), [ping])
    assert (found.level, words in found.finding + found.advice) == (level, True), found


@pytest.mark.parametrize(
    ("alpha", "bandwidth", "link", "infiniband", "level", "words"),
    [
        (1.5e-6, 2.4e10, 2.5e10, True, "ok", "100 Gbit/s or more"),
        (2.5e-5, 2.4e9, 2.5e10, True, "warning", "there is InfiniBand, but TCP's latency"),
        (2e-5, 1.1e9, 1.25e9, False, "ok", "10 Gbit/s Ethernet"),
        (2e-5, 1.1e8, 1.25e9, False, "warning", "9% of it"),
        (6e-5, 1.1e8, 0.0, False, "note", "like 1 Gbit/s Ethernet; the link does not say"),
        (1e-3, 1.2e7, 0.0, False, "warning", "100 Mbit/s Ethernet or slower"),
    ],
)
def test_network(alpha: float, bandwidth: float, link: float, infiniband: bool, level: str, words: str) -> None:
    found = checks.network(cluster(link=link, infiniband=infiniband), [Ping(8, "n1", False, alpha, bandwidth)])
    assert (found.level, words in found.finding) == (level, True), found


def test_one_slow_node() -> None:
    found = checks.network(cluster(3, link=0.0), [Ping(8, "n1", False, 2e-6, 1e10), Ping(16, "n2", False, 2e-6, 1e9)])
    assert found.level == "warning"
    assert "look at node n2" in found.advice


def test_text() -> None:
    shown = text([Finding("b", "ok", "good"), Finding("a", "note", "so so", "think"), Finding("long", "warning", "bad", "do this")])
    assert shown.splitlines() == [
        "1 warning, 1 note, 1 ok",
        "",
        "warning  long  bad",
        "               -> do this",
        "note     a     so so",
        "               -> think",
        "ok       b     good",
    ]


def test_text_is_wrapped_between_words() -> None:
    command = "h5repack -l X:CHUNK=576x20 " * 8
    lines = text([Finding("chunks", "note", "odd", command)]).splitlines()
    assert max(map(len, lines)) <= 120
    assert " ".join(" ".join(lines).split()).endswith("-> " + command.strip())


def test_words() -> None:
    assert listed([3, 0, 1, 2, 7]) == "ranks 0-3, 7"
    assert listed([4], "core") == "core 4"
    assert [memory(size) for size in (0, 1000, 1024, 1 << 20, 150 << 20, 5 << 40)] == [
        *("0 bytes", "1,000 bytes", "1 KiB", "1 MiB", "150 MiB", "5 TiB")
    ]
    assert leaders(["a", "b", "a", "c", "b"]) == [0, 1, 3]
