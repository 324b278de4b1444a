"""From the ranks' facts to findings on the set-up: launcher, cores, threads, software, clocks, network. Pure functions."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

from mpi_pgd.comm import components
from mpi_pgd.kernel import ALIKE
from mpi_pgd.report.units import count, rate, seconds
from mpi_pgd.study.doctor.findings import Finding, listed
from mpi_pgd.study.doctor.links import network, speed
from mpi_pgd.study.doctor.signs import Ping, Rank
from mpi_pgd.system import scheduler
from mpi_pgd.system.scheduler import LAUNCHERS, right_launcher, started

THREADS = "export OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 OMP_NUM_THREADS=1 (python -m mpi_pgd does so itself)"
WALL, MOVED = 1.0, 1e-3  # seconds
ALPHA, BANDWIDTH = 5e-6, 2e9  # of shared memory: seconds, bytes a second


def setup(ranks: Sequence[Rank], found: Sequence[Ping]) -> list[tuple[str, Callable[[], Finding]]]:
    """All checks that need no data, by name, each with what makes its finding."""
    alone: dict[str, Callable[[Sequence[Rank]], Finding]] = {
        "world": world,
        "launcher": launcher,
        "lost ranks": lost_ranks,
        "slurm": slurm,
        "cores": cores,
        "pinning": pinning,
        "threads": threads,
        "kernels": kernels,
        "software": software,
        "processors": processors,
        "clocks": clocks,
    }
    both = {"shared memory": partial(node_network, ranks, found), "network": partial(network, ranks, found)}
    return [*((name, partial(check, ranks)) for name, check in alone.items()), *both.items()]


def world(ranks: Sequence[Rank]) -> Finding:
    """Worlds of one rank by mistake."""
    first = ranks[0]
    by, tasks = started(first.environment)
    if first.world < tasks:
        words = f"{LAUNCHERS[by]} started {count(tasks, 'rank')}, but this MPI world has {first.world}: each fits alone"
    elif first.world == 1 and first.twins > 1:
        words = f"{first.twins} processes with this command run side by side, each an MPI world of one rank"
    else:
        return Finding("world", "ok", f"{count(len(ranks), 'rank')} on {count(len(_by_node(ranks)), 'node')}")
    return Finding("world", "warning", words, right_launcher(by, first.vendor))


def launcher(ranks: Sequence[Rank]) -> Finding:
    """Launcher and library that do not match."""
    first = ranks[0]
    by, _ = started(first.environment)
    library = first.software.get("mpi", first.vendor)
    words = f"the library is {library}, started by {LAUNCHERS.get(by, 'no launcher that is known')}"
    if by in ("Open MPI", "Hydra") and (by == "Open MPI") != (first.vendor == "Open MPI"):  # srun belongs to all
        return Finding("launcher", "warning", words + ": they do not belong together", right_launcher(by, first.vendor))
    return Finding("launcher", "ok", words)


def lost_ranks(ranks: Sequence[Rank]) -> Finding:
    """Components of Open MPI that do not survive a lost rank."""
    given = ranks[0].environment
    what = components.intolerant(given)
    if what and len(_by_node(ranks)) > 1:
        return Finding("lost ranks", "warning", what, f"start with {components.ADVICE}")
    survived = "survived, with the collectives that tolerate it" if components.ulfm(given) else "not survived: it ends the job"
    return Finding("lost ranks", "ok", f"the loss of a rank is {survived}")


def slurm(ranks: Sequence[Rank]) -> Finding:
    """Cores and nodes that SLURM gave and the ranks do not have."""
    given, nodes = ranks[0].environment, len(_by_node(ranks))
    job = scheduler.read(given)
    if job is None:
        return Finding("slurm", "ok", "not a SLURM job")
    for trap in scheduler.traps(given, nodes, [len(rank.cpus) for rank in ranks]):
        return Finding("slurm", *trap)
    if job.cpus_per_task > 1:
        cpus = job.cpus_per_task
        advice = (
            f"a rank computes with one core: give a fit --threads {cpus}, or ask for {cpus} times the tasks and --cpus-per-task=1"
        )
        return Finding("slurm", "note", f"each task has {cpus} cores", advice)
    return Finding("slurm", "ok", f"job {job.job}, {count(nodes, 'node')}")


def cores(ranks: Sequence[Rank]) -> Finding:
    """Ranks of a node against its cores."""
    nodes = _by_node(ranks)
    most = max(nodes, key=lambda name: len(nodes[name]) / _cores(nodes[name][0]))
    first, there = nodes[most][0], _cores(nodes[most][0])
    words = f"{count(len(nodes[most]), 'rank')} on node {most}, which has {count(there, 'core')}"
    words += f" (granted, of {first.cores})" if there < first.cores else ""
    if len(nodes[most]) > there:
        advice = f"start at most {there} a node (mpirun -n {there} on one; -ppn {there}, or Open MPI's --map-by ppr:{there}:node)"
        return Finding("cores", "warning", f"{words}: they take turns, and each waits for those not running", advice)
    if len(nodes[most]) > first.physical > 0:
        advice = f"two threads of a core share its arithmetic and its cache: try {first.physical} ranks a node as well"
        return Finding("cores", "note", f"{words}, but {first.physical} without hardware threads", advice)
    return Finding("cores", "ok", words)


def _cores(rank: Rank) -> int:
    """Processors that the node's ranks may use at a time, at least one: the control group's quota may be less than one."""
    return max(1, min(rank.cores, round(rank.quota))) if rank.quota else rank.cores


def pinning(ranks: Sequence[Rank]) -> Finding:
    """Ranks bound to the same cores, or to too few; or not bound though the node is full."""
    for name, here in _by_node(ranks).items():
        for cpus, bound in _groups(here, lambda rank: tuple(rank.cpus)).items():
            if len(cpus) < min(len(bound), here[0].cores):
                words = f"{listed(bound)} on node {name} are all bound to {listed(cpus, 'core')} of {here[0].cores}"
                advice = "bind each to its own: mpirun --bind-to core (Open MPI), -bind-to core (MPICH), srun --cpu-bind=cores; "
                return Finding("pinning", "warning", words, advice + "take away any taskset around the job")
    short = [rank for rank in ranks if len(rank.cpus) < min(rank.threads, rank.cores)]
    if short:
        words = f"{listed([rank.rank for rank in short])} bound to {count(len(short[0].cpus), 'core')} "
        return Finding("pinning", "warning", words + f"with {short[0].threads} threads each", THREADS)
    loose = [rank.rank for rank in ranks if len(rank.cpus) == rank.cores > 1]
    full = [name for name, here in _by_node(ranks).items() if len(here) >= here[0].cores > 1]
    if loose and full:
        advice = "where ranks lose their cache by moving: mpirun --bind-to core (Open MPI), -bind-to core (MPICH)"
        return Finding("pinning", "note", f"{listed(loose)} not bound, with as many ranks as cores on node {full[0]}", advice)
    return Finding("pinning", "ok", "not bound, with cores to spare" if loose else "no more ranks are bound to a core than need be")


def threads(ranks: Sequence[Rank]) -> Finding:
    """More than one BLAS thread a rank."""
    most = max(ranks, key=lambda rank: rank.threads)
    set_by = ", ".join(f"{name}={value}" for name, value in most.environment.items() if name.endswith("_NUM_THREADS"))
    words = f"{count(most.threads, 'BLAS thread')} in rank {most.rank} ({set_by or 'no variable says how many'})"
    if most.threads > 1:
        words += ": they and the other ranks fight over the cores, and the bits change"
        return Finding("threads", "warning", words, THREADS)
    return Finding("threads", "ok", words if len(ranks) == 1 else f"1 BLAS thread a rank ({set_by or 'no variable says so'})")


def kernels(ranks: Sequence[Rank]) -> Finding:
    """Kernels that compute other bits."""
    groups = _groups(ranks, lambda rank: rank.kernels)
    if len(groups) == 1:
        return Finding("kernels", "ok", f"every rank computes a block to the same bits ({ranks[0].kernel})")
    firsts = ((members, ranks[members[0]]) for members in groups.values())
    words = "; ".join(f"{listed(members)} with {first.kernel} on {first.node}" for members, first in firsts)
    return Finding("kernels", "warning", f"ranks compute a block to different bits: {words}", f"a fit will be refused: {ALIKE}")


def software(ranks: Sequence[Rank]) -> Finding:
    """Versions that differ between ranks."""
    first = ranks[0].software
    other = [name for name in first if any(rank.software.get(name) != first[name] for rank in ranks)]
    if not other:
        return Finding("software", "ok", "the same everywhere: " + ", ".join(f"{name} {first[name]}" for name in first))
    words = "; ".join(f"{name} {_spread(ranks, [rank.software.get(name, 'none') for rank in ranks])}" for name in other)
    return Finding("software", "warning", f"versions differ: {words}", "use one environment for all ranks, on a shared file system")


def processors(ranks: Sequence[Rank]) -> Finding:
    """Hardware that differs between nodes."""
    if len({rank.processor for rank in ranks}) == 1:
        return Finding("processors", "ok", ranks[0].processor)
    advice = "every round waits for the slowest: ask for one kind (srun --constraint), or expect the others to idle"
    return Finding("processors", "note", f"they differ: {_spread(ranks, [rank.processor for rank in ranks])}", advice)


def _spread(ranks: Sequence[Rank], values: Sequence[str]) -> str:
    groups = _groups(ranks, lambda rank: values[rank.rank])
    return ", ".join(f"{value} on {listed(members)} ({ranks[members[0]].node})" for value, members in groups.items())


def clocks(ranks: Sequence[Rank]) -> Finding:
    """The time of day between nodes, and whether the clocks that time the rounds can be aligned."""
    nodes = _by_node(ranks)
    if len(nodes) == 1:
        return Finding("clocks", "ok", "one node, one clock")
    skews = [rank.wall + rank.offset - ranks[0].wall for rank in ranks]
    worst = max(range(len(ranks)), key=lambda i: abs(skews[i]))
    moved = max(ranks, key=lambda rank: abs(rank.moved))
    words = f"the time of day on node {ranks[worst].node} is {seconds(skews[worst])} off rank 0's; "
    words += f"aligned twice, the timing clocks moved by at most {seconds(abs(moved.moved))} (rank {moved.rank}, {moved.node})"
    if abs(skews[worst]) > WALL:
        advice = "have the nodes keep time by NTP or chrony: file times and logs do not fit together"
        return Finding("clocks", "warning", words, advice)
    if abs(moved.moved) > MOVED:
        return Finding("clocks", "note", words, "wait and wire of a round can't be told apart more finely than that")
    return Finding("clocks", "ok", words)


def node_network(ranks: Sequence[Rank], found: Sequence[Ping]) -> Finding:
    """Shared memory within a node."""
    here = [ping for ping in found if ping.here]
    if not here:
        return Finding("shared memory", "ok", f"node {ranks[0].node} has one rank: nothing is sent within it")
    words = speed(here[0])
    if here[0].alpha < ALPHA and here[0].bandwidth >= BANDWIDTH:
        return Finding("shared memory", "ok", words)
    words += f"; shared memory gives less than {seconds(ALPHA)} and more than {rate(BANDWIDTH)}"
    if any(finding.level == "warning" for finding in (cores(ranks), pinning(ranks))):
        return Finding("shared memory", "note", words, "mend cores and pinning first: ranks that share a core answer late")
    advice = "see that shared memory is used: UCX_TLS must allow sm, Open MPI's --mca btl must name sm, /dev/shm must have room"
    return Finding("shared memory", "warning", words, advice)


def _by_node(ranks: Sequence[Rank]) -> dict[str, list[Rank]]:
    nodes: dict[str, list[Rank]] = {}
    for rank in ranks:
        nodes.setdefault(rank.node, []).append(rank)
    return nodes


def _groups(ranks: Sequence[Rank], key: Callable[[Rank], Hashable]) -> dict[Any, list[int]]:
    groups: dict[Any, list[int]] = {}
    for rank in ranks:
        groups.setdefault(key(rank), []).append(rank.rank)
    return groups
