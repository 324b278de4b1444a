"""What a program gives as rows: taken as it is, or refused in a sentence."""

import re
from typing import Any

import h5py
import numpy as np
import pytest

from mpi_pgd import InputError
from mpi_pgd.data.arrays import Facts, table_of
from mpi_pgd.data.frames import names_of
from mpi_pgd.data.given import taken
from mpi_pgd.data.held import Held
from mpi_pgd.engine.arrays import Rows
from mpi_pgd.session.settings import is_array

pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")
X, Y = np.arange(6.0).reshape(3, 2), np.arange(3)
MASKED = np.ma.masked_greater(X, 4)
MIXED = pandas.DataFrame({"a": [1.5, 2, 3], "b": [True, False, True], "c": pandas.array([1, 2, 3], dtype="Int64")})
SCORES = pyarrow.table({"a": [1, 2, 3], "b": [True, False, True], "c": [0.5, 1.5, 2.5]})


def of(x: Any, y: Any = Y, **more: Any) -> tuple[Held, Facts, tuple[str, ...]]:
    return taken({"X": x, "y": y, **more}, "", "")


class Bare:
    """A frame that has the protocol of frames alone."""

    def __init__(self, table: Any) -> None:
        self.__dataframe__ = table.__dataframe__


@pytest.mark.parametrize(
    "x",
    [
        X,
        X.astype("f4"),
        X.astype(">f8"),
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        X > 2,
        X.astype("u1"),
        X.astype("f2"),
    ],
)
def test_arrays_are_taken_as_they_are(x: Rows) -> None:
    held, facts, names = of(x, Y[:, None], weights=Y.tolist(), offset=pandas.Series(Y))
    assert held.x is x
    assert np.array_equal(held.y, Y)
    assert names == ()
    assert facts == Facts(3, 2, 1, str(x.dtype.newbyteorder("=")), "int64", -1, "", ("weights", "offset"))


def test_frames_keep_the_names_of_their_columns() -> None:
    held, _, names = of(pandas.DataFrame(X, columns=["a", "b\n"], copy=False))
    assert names == ("a", "b\\n")
    assert np.shares_memory(held.x, X)
    assert of(pandas.DataFrame(X))[2] == names_of(pandas.DataFrame(X)) == ()
    held, _, names = of(MIXED)
    assert names == ("a", "b", "c")
    assert held.x.tolist() == [[1.5, 1, 1], [2, 0, 2], [3, 1, 3]]
    for table in (SCORES, Bare(SCORES), Bare(pyarrow.concat_tables([SCORES[:1], SCORES[1:]]))):
        held, _, names = of(table)
        assert names == ("a", "b", "c")
        assert held.x.tolist() == [[1, 1, 0.5], [2, 0, 1.5], [3, 1, 2.5]]


def test_data_sets_and_sparse_rows() -> None:
    with h5py.File("x", "w", driver="core", backing_store=False) as file:
        file["X"] = X
        assert is_array(file["X"])
        assert np.array_equal(of(file["X"])[0].x, X)
    sparse = pytest.importorskip("scipy.sparse")
    for made in (sparse.csr_matrix, sparse.csr_array, sparse.csc_array, sparse.coo_matrix):
        held, facts, _ = of(made(X))
        assert held.x.values.tolist() == [1, 2, 3, 4, 5]
        assert held.x.starts.tolist() == [0, 1, 3, 5]
        assert (facts.features, facts.numbers, facts.indices) == (2, 5, "int32")
        assert is_array(made(X))


@pytest.mark.parametrize("given", [{}, {"X": None, "y": None}, {"X": [], "y": []}, {"X": X[:0], "y": Y[:0]}, {"X": np.empty(0)}])
def test_a_rank_may_have_no_rows(given: dict[str, Any]) -> None:
    assert taken(given, "", "")[1] == Facts()


def test_what_is_an_array() -> None:
    assert all(map(is_array, (X, Y, [1.0], [[1, 2]], [np.float32(1)], (X[0], X[1]), MIXED, SCORES, X.astype(object))))
    assert not any(map(is_array, (None, "a.h5", ["a.h5"], [], np.array(["a.h5"]), np.array(["a.h5"], object), 3.0)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((X[0], Y), "X of rank 7 has shape (2,): expected two dimensions, rows and features (X[:, None] is one feature)"),
        ((X[None], Y), "X of rank 7 has shape (1, 3, 2): expected two dimensions, rows and features"),
        ((X[:, :0], Y), "X of rank 7 has no features"),
        ((X, Y[:2]), "y of rank 7 has shape (2,), and X has 3 rows: expected (3,)"),
        ((X, 3.0), "y of rank 7 has shape (), and X has 3 rows: expected (3,)"),
        ((X, X[:, :0]), "y of rank 7 has shape (3, 0)"),
        ((X, None), "X of rank 7 has 3 rows, and there is no y"),
        ((None, Y), "y of rank 7 has shape (3,), and X has 0 rows"),
        ((X, Y, X), "weights of rank 7 has shape (3, 2): expected (3,), a number for each row"),
        ((X + 1j, Y), "X of rank 7 holds complex numbers: expected real numbers"),
        ((X.astype(object), Y), "X of rank 7 holds objects"),
        ((X, Y.astype(str)), "y of rank 7 holds text, and the loss is of numbers"),
        ((X, Y.astype("M8[s]")), "y of rank 7 holds dates"),
        ((X.astype("longdouble"), Y), "X of rank 7 holds numbers of 128 bits"),
        (([[1, 2], [3]], Y), "X of rank 7 can't be read as an array"),
        ((MASKED, Y), "X of rank 7 has masked values"),
        ((MIXED.assign(city="Ulm"), Y), "column city of X of rank 7 holds"),
        ((Bare(pyarrow.table({"a": [1, None, 3]})), Y), "column a of X of rank 7 has 1 missing values"),
        ((Bare(pyarrow.table({"a": ["x", "y", "z"]})), Y), "column a of X of rank 7 holds STRING"),
        ((pandas.concat([MIXED, MIXED], axis=1), Y), "X of rank 7 has two columns a, and not all hold numbers of one type"),
    ],
)
def test_what_is_refused(given: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        taken(dict(zip(("X", "y", "weights"), given, strict=False)), " of rank 7", "the loss is of numbers")


TEXT = np.array(["b", "ä", "b"])


@pytest.mark.parametrize(
    ("y", "codes", "known"),
    [
        (TEXT, [0, 1, 0], ("b", "ä")),
        (TEXT[:, None], [0, 1, 0], ("b", "ä")),
        (TEXT.tolist(), [0, 1, 0], ("b", "ä")),
        (np.array(["b", "a", "b"], dtype="S"), [1, 0, 1], ("a", "b")),
        (TEXT.astype(object), [0, 1, 0], ("b", "ä")),
        (pandas.Series(TEXT, dtype="category"), [0, 1, 0], ("b", "ä")),
        (pandas.Series(TEXT, dtype="string"), [0, 1, 0], ("b", "ä")),
        (pandas.DataFrame({"y": TEXT}), [0, 1, 0], ("b", "ä")),
        (pyarrow.chunked_array([["b"], ["ä", "b"]]), [0, 1, 0], ("b", "ä")),
        (Y > 0, [0, 1, 1], (False, True)),
        ((Y > 0).astype(object), [0, 1, 1], (False, True)),
        (pandas.Series(Y > 0, dtype="boolean"), [0, 1, 1], (False, True)),
        (np.array([0, 1.5, 2], dtype=object), [0, 1.5, 2], ()),
        (pandas.Series(Y, dtype="category"), [0, 1, 2], ()),
    ],
)
def test_targets_may_be_words(y: Any, codes: list[float], known: tuple[Any, ...]) -> None:
    held, facts, _ = of(X, y)
    assert (held.y.tolist(), facts.words) == (codes, known)
    if known in ((), (False, True)):
        held, facts, _ = taken({"X": X, "y": y}, "", "the loss is of numbers")
        assert (held.y.tolist(), facts.words) == (codes, ())


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (["b", None, "b"], "y has None in row 1: expected a number, a text, or true or false, alike in all rows"),
        (["b", 1, "b"], "y has 1 in row 1"),
        (np.array([True, 1, False], object), "y has 1 in row 1"),
        (np.array([1, 2, "b" * 99], object), "y has 1 in row 0"),
        (np.array([1, 2, 3 + 1j], object), r"y has (3+1j) in row 2"),
        (np.array([1, 2, 10**400], object), "y has a whole number beyond what float64 holds"),
        (["b", "\udc80", "b"], "y has text with half a character"),
        (["b", "b" * 1001, "b"], "y holds 2 different texts, of up to 1,001 characters: expected at most 1,000 classes"),
        (np.array([["a", "b"]] * 3), "y holds text: expected real numbers"),
    ],
)
def test_targets_that_are_no_words(y: Any, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        of(X, y)


def test_ranks_that_don_t_agree() -> None:
    first = of(X)[1]
    assert table_of([Facts(), first, of(X.astype("i1"))[1]], range(3), "").x_type == "float64"
    for other in (of(X, weights=Y)[1], of(X[:, :1])[1], of(X, X)[1], of(X, TEXT)[1], first._replace(numbers=3)):
        with pytest.raises(InputError, match=r"rank 0 was given .*, and rank 2 .*: expected the same of all ranks"):
            table_of([first, Facts(), other], range(3), "")
    with pytest.raises(InputError, match="X has other column names on rank 1 than on rank 0"):
        table_of([first._replace(names="1"), first._replace(names="2")], range(2), "")
    assert "two columns a" in table_of([first], [0], "a\na\n").warnings[0]


def test_stretches_of_whole_steps() -> None:
    """Of rows that lie together, those of whole steps are taken as they are, and a step across a seam is put together."""
    from mpi_pgd.data.arrays import here

    x = np.zeros((100, 2))
    given = [of(x[:33], np.zeros(33)), of(x[:9], np.zeros(9)), of(x[:58], np.zeros(58))]
    table, _ = here(table_of([facts for _, facts, _ in given], range(3), ""), {n: [held] for n, (held, _, _) in enumerate(given)})
    found = [(each.start, each.stop) for each in table.stretches(range(100), 8)]
    assert found == [(0, 32), (32, 48), (48, 100)]
    assert [table.given(range(*each)) is not None for each in found] == [True, False, True]
    assert table.more_bytes(range(100)) == 100 * 8  # for targets
