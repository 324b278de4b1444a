"""Which modes and algorithms differ from each other, by where the ranks are."""

import pytest

from mpi_pgd.modes import ALIKE, MODES, differing

FLAT = [way for way in ALIKE if not MODES[way[0]].nodewise]


@pytest.mark.parametrize(
    ("nodes", "per_node", "algorithms"),
    [
        (["a"], 0, 1),  # alone
        (["a", "a", "a"], 0, 1),  # one leader, who sends nothing
        (["a", "a", "a"], 2, 5),
        (["a", "a", "b"], 0, 5),
        (["a", "b", "c"], 0, 0),  # leaders all
        (["a", "a", "a"], 1, 0),
    ],
)
def test_a_mode_that_tells_nodes_apart_is_there_where_it_differs(nodes: list[str], per_node: int, algorithms: int) -> None:
    ways = differing(ALIKE, nodes, per_node)
    nodewise = [way for way in ways if MODES[way[0]].nodewise]
    assert [way for way in ways if way not in nodewise] == FLAT
    assert len(nodewise) == algorithms
