"""From the ranks' facts to a finding on the network between nodes."""

from collections.abc import Sequence

from mpi_pgd.report.units import rate, seconds
from mpi_pgd.study.doctor.findings import Finding
from mpi_pgd.study.doctor.signs import Ping, Rank

SHARE = 0.5  # of the link's bandwidth: less is a fault
SLOW_INFINIBAND = 15e-6  # seconds: InfiniBand's own latency is 1 to 3 us, TCP over it 15 and more
SLOWEST = "100 Mbit/s Ethernet or slower"
# Least bandwidth, bytes a second, and largest latency, seconds: about two thirds of what such a link gives, with TCP for Ethernet.
CLASSES = (
    ("InfiniBand or the like, 100 Gbit/s or more", 8e9, 6e-6),
    ("InfiniBand or the like", 2e9, 6e-6),
    ("Ethernet of 25 Gbit/s or more", 2e9, 1e-4),
    ("10 Gbit/s Ethernet", 7e8, 1e-4),
    ("1 Gbit/s Ethernet", 7e7, 5e-4),
    (SLOWEST, 0.0, float("inf")),
)


def network(ranks: Sequence[Rank], found: Sequence[Ping]) -> Finding:
    """Latency and bandwidth between nodes, against what the link says of itself, or the kind it looks like."""
    others = [ping for ping in found if not ping.here]
    if not others:
        return Finding("network", "ok", "one node: nothing is sent between nodes")
    slowest = min(others, key=lambda ping: ping.bandwidth)
    ends = (ranks[0], ranks[slowest.rank])
    link = min(rank.link for rank in ends)
    words = f"{speed(slowest)}, the slowest of {len(others)}: like {kind(slowest)}"
    words += f"; the link says {rate(link)}" if link else "; the link does not say what it gives"
    advice = "name the fast interface: UCX_NET_DEVICES, Open MPI's --mca btl_tcp_if_include, MPICH's -iface or FI_TCP_IFACE"
    if all(rank.infiniband for rank in ends) and slowest.alpha > SLOW_INFINIBAND:
        return Finding("network", "warning", words + ": there is InfiniBand, but TCP's latency", advice)
    if link and slowest.bandwidth < SHARE * link:
        return Finding("network", "warning", f"{words}: {slowest.bandwidth / link:.0%} of it", advice)
    uneven = max(ping.bandwidth for ping in others) > 2 * slowest.bandwidth
    if uneven or not link:
        fair = "compare that with what the network should give"
        what = f"look at node {slowest.node}, others are twice as fast" if uneven else fair
        level = "warning" if uneven or kind(slowest) == SLOWEST else "note"
        return Finding("network", level, words, f"{what}; {advice}")
    return Finding("network", "ok", words)


def kind(ping: Ping) -> str:
    """The best class of links whose figures this one reaches."""
    return next(name for name, least, most in CLASSES if ping.bandwidth >= least and ping.alpha <= most)


def speed(ping: Ping) -> str:
    """Of a link, in words."""
    return f"rank 0 to rank {ping.rank} on node {ping.node}: {seconds(ping.alpha)}, {rate(ping.bandwidth)}"
