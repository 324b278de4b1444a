"""Which modes and algorithms differ from each other, by where the ranks are."""

import pytest

from mpi_pgd.modes import ALIKE, MODES, differing

FLAT = [way for way in ALIKE if not MODES[way[0]].nodewise]
NODEWISE = [way for way in ALIKE if way not in FLAT]
ONE_EACH = len({mode for mode, _ in NODEWISE})


@pytest.mark.parametrize(
    ("nodes", "per_node", "count"),
    [
        (["a"], 0, ONE_EACH),  # alone
        (["a", "a", "a"], 0, ONE_EACH),  # one leader, who sends nothing
        (["a", "a", "a"], 2, len(NODEWISE)),
        (["a", "a", "b"], 0, len(NODEWISE)),
        (["a", "b", "c"], 0, 0),  # leaders all
        (["a", "a", "a"], 1, 0),
    ],
)
def test_a_mode_that_tells_nodes_apart_is_there_where_it_differs(nodes: list[str], per_node: int, count: int) -> None:
    ways = differing(ALIKE, nodes, per_node)
    assert [way for way in ways if way in FLAT] == FLAT
    assert len(ways) - len(FLAT) == count
    assert NODEWISE
