"""Ranks, nodes, memory and time, and what a site's answers are read as: pure."""

import math

import pytest

from mpi_pgd.data.partition import Partition
from mpi_pgd.errors import InputError
from mpi_pgd.slurm.site import Kind, chosen, kinds, types, words
from mpi_pgd.slurm.sizing import RANK, Asked, Node, Rows, layout, limit, mebibytes, memory, needed

NODE = Node(cores=64, threads=2, memory=256_000, where="a node of the partition long (sinfo)", limit=86400.0)
BIG = Rows(Partition(1_000_000_000, 100), 808, "peer-to-peer")  # 770,569 MiB
SMALL = Rows(Partition(1000, 10), 88, "client-server")  # 16 blocks
SINFO = """\
short|2|64|2|32|1|128000|30:00|1-2
long*|30|128|2|32|2|256000+|1-00:00:00|1-infinite
long*|2|48+|2|12|2|64000|1-00:00:00|1-infinite
long*|1|256|2|64|2|512000|1-00:00:00|1-infinite
any|10|4|4|1|1|4096|infinite|4
"""

BOTH = "MPICH Version:      5.0.2\nMPICH Device:       ch4:ucx ofi\nMPICH CC:           cc"


def test_the_fewest_nodes_that_hold_the_rows() -> None:
    found = layout(BIG, Asked(), NODE)
    (nodes,) = found.nodes
    assert memory(BIG, 64, nodes) <= NODE.memory < memory(BIG, 64, nodes - 1)
    assert (found.ranks, found.cpus) == (64, 2)
    assert nodes * found.memory > 770_569 + nodes * 64 * RANK


def test_each_worker_gets_a_block() -> None:
    assert layout(SMALL, Asked(), NODE)[:2] == ((1,), 17)  # with a server, one rank more
    assert layout(SMALL._replace(mode="peer-to-peer"), Asked(nodes=[4]), NODE)[:2] == ((4,), 4)
    assert layout(SMALL, Asked(nodes=[40]), NODE).ranks == 1


def test_more_ranks_than_cores_have_a_thread_each() -> None:
    assert layout(BIG, Asked(nodes=[8], ranks=128), NODE).cpus == 1


def test_replicas_are_held_as_often() -> None:
    rows = BIG._replace(mode="client-server")
    assert memory(rows._replace(replicas=2), 64, 8) > 1.9 * (memory(rows, 64, 8) - 64 * RANK)


def test_one_rank_alone_holds_all() -> None:
    assert memory(BIG._replace(whole=True), 64, 100) > 770_569 > memory(BIG, 64, 100)


def test_memory_never_grows_with_the_nodes() -> None:
    found = [memory(BIG, 64, nodes) for nodes in range(1, 200)]
    assert found == sorted(found, reverse=True)
    assert needed(BIG, 64, found[56]) <= 57
    assert needed(BIG, 64, 64 * RANK) == 0


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Asked(nodes=[2]), r"need \d+ MiB on a node with 2 of them, and a node of .* has 256000: 4 nodes hold them"),
        (Asked(memory=100_000, nodes=[2]), r"--mem gives 100000: \d+ nodes hold them"),
        (Asked(memory=300_000), "expected at most 256000"),
        (Asked(ranks=129), "expected at most 128, the processors"),
        (Asked(memory=1000, ranks=64), "no number of nodes holds them so: give fewer --ranks-per-node"),
    ],
)
def test_what_cannot_be_is_refused(asked: Asked, answer: str) -> None:
    with pytest.raises(InputError, match=answer):
        layout(BIG, asked, NODE)


def test_nothing_is_refused_on_a_guess() -> None:
    guess = Node(cores=2, threads=1, memory=4000, where="this machine", known=False)
    assert layout(BIG, Asked(nodes=[2], ranks=8), guess).ranks == 8


@pytest.mark.parametrize(
    ("asked", "predicted", "chain", "minutes"),
    [
        (3600.0, 0.0, False, 60),
        (61.0, 1e9, False, 2),  # what the user says
        (0.0, 0.0, False, 60),
        (0.0, 1000.0, False, 39),  # twice, and 300 s
        (0.0, 1e9, True, 1440),  # the partition's
    ],
)
def test_the_time_limit(asked: float, predicted: float, chain: bool, minutes: int) -> None:
    assert limit(asked, predicted, NODE, chain)[0] == minutes


@pytest.mark.parametrize(("asked", "predicted", "chain"), [(86401.0, 0.0, True), (0.0, 50000.0, False)])
def test_more_time_than_the_partition_gives_is_refused(asked: float, predicted: float, chain: bool) -> None:
    with pytest.raises(InputError, match=r"expected at most 1-00:00:00"):
        limit(asked, predicted, NODE, chain)


def test_memory_is_read_as_sbatch_reads_it() -> None:
    assert [mebibytes(text) for text in ("4096", "4096M", "4G", "1t", "100K")] == [4096, 4096, 4096, 1 << 20, 1]
    with pytest.raises(InputError, match="expected MiB"):
        mebibytes("0")


def test_a_partitions_nodes() -> None:
    found = kinds(f"a warning\n{SINFO}")
    assert found[1] == Kind("long", True, 30, 64, 2, 256_000, 86400.0, math.inf)
    assert [kind.threads for kind in found] == [1, 2, 2, 2, 1]  # 48 processors on 24 cores
    assert [kind.most for kind in found] == [2, math.inf, math.inf, math.inf, 4]
    assert (chosen(found, "", Asked()).cores, chosen(found, "any", Asked()).limit) == (64, math.inf)
    large = [Asked(ranks=200), Asked(memory=300_000), Asked(ranks=1000)]
    assert [chosen(found, "", asked).cores for asked in large] == [128] * 3
    with pytest.raises(InputError, match=r"'shrot' \(did you mean short\?\): expected --partition with one of short, long, any"):
        chosen(found, "shrot", Asked())
    with pytest.raises(InputError, match="no default partition"):
        chosen([found[0]], "", Asked())


@pytest.mark.parametrize(
    ("partition", "asked", "answer"),
    [
        (
            "",
            Asked(nodes=[34]),
            "34 nodes are asked for .--nodes.: expected at most 33, as so many of the partition have 2 processors",
        ),
        ("", Asked(nodes=[4], ranks=60, memory=100_000), ""),
        ("", Asked(nodes=[2], ranks=200), "expected at most 1, as so many of the partition have 200 processors"),
        ("", Asked(nodes=[2], memory=300_000), "expected at most 1, as so many of .* and 300000 MiB"),
        ("", Asked(ranks=257), "expected at most 256, the processors"),
        ("", Asked(memory=600_000), "expected at most 512000, the memory"),
        ("any", Asked(nodes=[1, 5]), "5 nodes are asked for .--nodes.: expected at most 4, as a node of the partition any"),
    ],
)
def test_what_the_partition_has_not_is_refused(partition: str, asked: Asked, answer: str) -> None:
    node = chosen(kinds(SINFO), partition, asked)
    if not answer:
        assert layout(SMALL, asked, node).nodes == tuple(asked.nodes)
        return
    with pytest.raises(InputError, match=answer):
        layout(SMALL, asked, node)


def test_the_plugins_that_srun_lists() -> None:
    new = "MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\nspecific pmix plugin versions available: pmix_v3,pmix_v4\n"
    old = "srun: MPI types are...\nsrun: none\nsrun: pmi2\nsrun: openmpi\n"
    assert (types(new), types(old), types("")) == ({"none", "pmi2", "pmix"}, {"none", "pmi2", "openmpi"}, set())


@pytest.mark.parametrize(
    ("vendor", "version", "plugins", "environment", "found"),
    [
        ("Open MPI", "", {"pmix", "pmi2"}, {}, "srun --mpi=pmix --kill-on-bad-exit=1"),
        ("MPICH", "MPICH Device: ch3:nemesis", {"pmix", "pmi2"}, {}, "srun --mpi=pmi2 --kill-on-bad-exit=1"),
        ("MPICH", BOTH, {"pmi2"}, {}, "srun --mpi=pmi2 --kill-on-bad-exit=1 --export=ALL,MPIR_CVAR_CH4_NETMOD=ofi"),
        ("MPICH", "MPICH Device:      ch4:ucx\nMPICH CC: cc", {"pmi2"}, {}, "mpirun"),
        ("Open MPI", "", {"pmi2"}, {}, "mpirun"),
        ("Intel MPI", "", {"pmi2"}, {}, "mpirun"),
        ("Intel MPI", "", {"pmi2"}, {"I_MPI_PMI_LIBRARY": "/usr/lib/libpmi2.so"}, "srun --mpi=pmi2 --kill-on-bad-exit=1"),
        ("Open MPI", "", set(), {}, ""),
        ("Open MPI", "", set(), {"SLURM_JOB_ID": "7"}, "srun --mpi=pmix --kill-on-bad-exit=1"),  # in a container, without a srun
    ],
)
def test_the_launcher_goes_with_the_library(
    vendor: str, version: str, plugins: set[str], environment: dict[str, str], found: str
) -> None:
    assert " ".join(words(vendor, version, plugins, False, environment, "mpirun")) == found


def test_srun_binds_where_it_can() -> None:
    assert words("Open MPI", "", {"pmix"}, True, {}, "mpirun")[-1] == "--cpu-bind=cores"
