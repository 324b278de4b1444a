"""Graphs of peers: named ones against their definitions, W against dense linear algebra, files with what can be wrong in them."""

from pathlib import Path

import numpy as np
import pytest

from mpi_pgd.comm.graphs import GRAPHS, Graph, graph
from mpi_pgd.errors import InputError

RANKS = (1, 2, 3, 4, 5, 8, 12, 16)
NAMED = [(name, ranks) for name, each in GRAPHS.items() for ranks in RANKS if each.admits(ranks)]
OF_8 = {  # degree, diameter, gap
    "ring": (2, 4, (2 - 2**0.5) / 3),
    "torus": (3, 3, 1 / 2),
    "hypercube": (3, 3, 1 / 2),
    "exponential": (5, 2, 2 / 3),
    "complete": (7, 1, 1.0),
}
DEFINED = {
    "ring": lambda one, other, m: (one - other) % m in (1, m - 1),
    "hypercube": lambda one, other, _: (one ^ other).bit_count() == 1,
    "exponential": lambda one, other, m: any((one - other) % m in (1 << k, m - (1 << k)) for k in range(m) if 1 << k < m),
    "complete": lambda one, other, _: one != other,
}


def mixing(given: Graph) -> np.ndarray:
    matrix = np.zeros((given.ranks, given.ranks))
    for rank in range(given.ranks):
        matrix[rank, [rank, *given.neighbours[rank]]] = given.weights(rank)
    return matrix


def check(given: Graph) -> None:
    """All that is said of a graph follows from its neighbours."""
    everyone = range(given.ranks)
    lists = [given.neighbours[rank] for rank in everyone]
    assert [sorted({*each} - {rank}) for rank, each in enumerate(lists)] == [list(each) for each in lists]
    assert all(rank in lists[other] for rank in everyone for other in lists[rank])
    assert given.degree == max(map(len, lists))
    matrix = mixing(given)
    assert (matrix == matrix.T).all()
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=0), 1, rtol=1e-15)
    reached, steps = np.eye(given.ranks), 0
    while not reached.all():
        reached, steps = reached @ matrix, steps + 1
    assert given.diameter == steps
    second = np.sort(np.abs(np.linalg.eigvalsh(matrix)))[-2] if given.ranks > 1 else 0
    assert given.gap == pytest.approx(1 - second, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("name", "ranks"), NAMED)
def test_named(name: str, ranks: int) -> None:
    given = graph(name, ranks)
    assert given.ranks == ranks
    check(given)
    if name in DEFINED:
        wanted = [
            tuple(other for other in range(ranks) if DEFINED[name](rank, other, ranks) and other != rank) for rank in range(ranks)
        ]
        assert [given.neighbours[rank] for rank in range(ranks)] == wanted


@pytest.mark.parametrize("name", GRAPHS)
def test_known_figures(name: str) -> None:
    given = graph(name, 8)
    degree, diameter, gap = OF_8[name]
    assert (given.degree, given.diameter) == (degree, diameter)
    assert given.gap == pytest.approx(gap, rel=1e-14)
    GRAPHS[name].of(4096).gap  # noqa: B018  thousands of ranks take no more than a moment
    assert GRAPHS[name].of(4096).diameter <= 2048


def test_a_torus_is_as_square_as_can_be() -> None:
    assert [graph("torus", ranks).shape for ranks in (1, 5, 8, 12, 36)] == [(1, 1), (1, 5), (2, 4), (3, 4), (6, 6)]


@pytest.mark.parametrize("ranks", [3, 5, 6, 12])
def test_no_hypercube(ranks: int) -> None:
    below = 2 ** (ranks.bit_length() - 1)
    with pytest.raises(InputError, match=f"here are {ranks}: use {below} or {2 * below}, or ring, torus, exponential and complete"):
        graph("hypercube", ranks)


@pytest.mark.parametrize(
    "text", ["0 1\n1 2 # a star and more\n\n2 3\n3 1\n", "0: 1\n1: 0 2 3\n2: 1 3\n3: 1 2\n", "0 1\n1 2 3\n2 3\n3"]
)
def test_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "graph.txt"
    path.write_text(text)
    given = graph(str(path), 4)
    assert given == Graph(str(path), ((1,), (0, 2, 3), (1, 3), (1, 2)))
    check(given)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty: expected an edge a line, such as 0 1"),
        ("# nothing\n\n", "is empty"),
        ("0 1\n2 3", "is not connected, from rank 0 no way leads to ranks 2 and 3: add edges"),
        ("0 1\n1 2", "no way leads to rank 3: add"),
        ("0 1\n2 2 # itself", "line 2, makes rank 2 its own neighbour"),
        ("0 1\n1 2 3 4", r"line 2, has rank 4, but the last of 4 is 3: mend it, or run on more ranks"),
        ("0 " + "9" * 5000, "line 1, has rank '9{24}' ..., but the last"),
        ("\0" * 5000, r"line 1, has '(\\x00){24}' ...: expected whole numbers"),
        ("0 1 0.5", r"line 1, has 0\.5: expected whole numbers"),
        ("0 -1", "line 1, has -1: expected whole numbers"),
        ("a,b", "line 1, has a,b: expected whole numbers"),
        (b"\xff\x00\xff", r"can't be read \(it is no text\)"),
    ],
)
def test_bad_files(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    path = tmp_path / "graph.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=sentence):
        graph(str(path), 4)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"grid is no graph and no file \(did you mean torus\?\): expected ring, torus, .* or a FILE"
    ):
        graph("grid", 4)
    with pytest.raises(InputError, match=r"can't be read \(Is a directory\)"):
        graph(str(tmp_path), 4)


def test_alone(tmp_path: Path) -> None:
    """One rank has no neighbour, and needs no edge."""
    path = tmp_path / "graph.txt"
    path.write_text("# one\n")
    for name in (*GRAPHS, str(path)):
        given = graph(name, 1)
        assert (given.neighbours[0], given.degree, given.diameter, given.gap, given.weights(0)) == ((), 0, 0, 1.0, (1.0,))
