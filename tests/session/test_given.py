"""Fits of arrays that ranks have: one fingerprint, that of the same rows in a file, however they are cut over the ranks."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest
from mpi4py import MPI

from mpi_pgd import InputError, Rows, fit, kernel, load, mapreduce
from mpi_pgd.data import memory
from mpi_pgd.session import exchange

ROWS, FEATURES = 1500, 5  # 24 blocks, the last one short
ASKED: dict[str, Any] = {"solver": "nesterov", "rounds": 8, "tol": 0.0}
SMALL = np.arange(12.0).reshape(6, 2) ** 2, np.arange(6.0)


class Csr(NamedTuple):
    """What scipy has, which one of the environments has not."""

    data: Any
    indices: Any
    indptr: Any
    shape: tuple[int, int]
    ndim: int = 2

    @classmethod
    def of(cls, x: Any) -> "Csr":
        rows, columns = np.nonzero(x)
        starts = np.searchsorted(rows, np.arange(len(x) + 1)).astype(np.int32)
        return cls(x[rows, columns], columns.astype(np.int32), starts, x.shape)

    def tocsr(self) -> "Csr":
        return self


class Frame:
    """A data frame of no library: of the protocol the names alone."""

    def __init__(self, x: Any) -> None:
        self.x, self.columns = x, ["size", "colour", "e", "f", "g"][: x.shape[1]]

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.x

    def __dataframe__(self) -> Any:
        return self


def problem(kind: str = "f8") -> tuple[Any, Any]:
    draw = np.random.default_rng(5)
    x = draw.standard_normal((ROWS, FEATURES)) * 30
    x[draw.random(x.shape) < 0.5] = 0
    return (np.abs(x) if kind == "u2" else x > 0 if kind == "?" else x).astype(kind), np.sin(np.arange(ROWS))


# The type of the numbers, how a rank has its rows, the options, and those that are arrays, too.
CASES: dict[str, tuple[str, Callable[[Any], Any], dict[str, Any], tuple[str, ...]]] = {
    "contiguous": ("f8", np.ascontiguousarray, {"mode": "peer-to-peer"}, ()),
    "across": ("f8", np.asfortranarray, {"mode": "client-server", "solver": "newton"}, ()),
    "weighted": ("f4", np.ascontiguousarray, {"mode": "client-server"}, ("weights", "offset")),
    "stored": ("f8", lambda x: np.repeat(x, 2, axis=0)[::2], {"mode": "peer-to-peer", "store": "bfloat16"}, ()),
    "bytes": ("i1", np.ascontiguousarray, {"mode": "peer-to-peer", "share_rows": True}, ("offset",)),
    "truth": ("?", np.ascontiguousarray, {"mode": "client-server", "l1": 0.1, "solver": "auto"}, ()),
    "swapped": (">i4", np.ascontiguousarray, {"mode": "peer-to-peer", "solver": "sgd"}, ("weights",)),
    "frame": ("u2", Frame, {"mode": "peer-to-peer", "balance": True}, ()),
    "sparse": ("f4", Csr.of, {"mode": "client-server"}, ("weights",)),
    "list": ("f8", lambda x: x.tolist(), {"mode": "client-server", "replicas": 2}, ()),
}

OFTEN = ("contiguous", "weighted", "sparse")  # on any number of ranks, with any library


def write(path: Path, x: Any, **beside: Any) -> None:
    with h5py.File(path, "w") as file:
        if isinstance(x, Csr):
            group = file.create_group("X")
            group.attrs["shape"] = x.shape
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(x, name)
        else:
            file["X"] = np.asarray(x)
        file.update(beside)


def cuts(ranks: int, draw: np.random.Generator) -> list[slice]:
    """Of all rows, a run for each rank; some are empty."""
    ends = [0, *sorted(draw.integers(0, ROWS, ranks - 1).tolist()), ROWS]
    if ranks > 2:
        ends[1] = 0
    return [slice(*both) for both in itertools.pairwise(ends)]


@pytest.mark.parametrize("name", OFTEN)
def test_one_fingerprint_for_any_cut(comm: MPI.Intracomm, folder: Path, name: str) -> None:
    check_fingerprint(comm, folder, name)


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("name", [name for name in CASES if name not in OFTEN])
def test_one_fingerprint_for_any_rows(comm: MPI.Intracomm, folder: Path, name: str) -> None:
    check_fingerprint(comm, folder, name)


def check_fingerprint(comm: MPI.Intracomm, folder: Path, name: str) -> None:
    """All rows on the last rank, and cut at random, as in a file."""
    kind, made, options, also = CASES[name]
    if comm.size < 3:
        options = {**options, "mode": "peer-to-peer", "replicas": 1}
    x, y = problem(kind)
    draw = np.random.default_rng(comm.size)
    beside = {"weights": draw.random(ROWS), "offset": draw.random(ROWS)}
    named = {key: beside[key] for key in also}
    if comm.rank == 0:
        write(folder / "rows.h5", made(x), y=y, **named)
    comm.Barrier()
    asked = ASKED | options
    expected = fit(str(folder / "rows.h5"), comm=comm, **asked, **dict(zip(also, also, strict=True)))
    for turn in range(2):
        here = cuts(comm.size, draw)[comm.rank] if turn else slice(0, ROWS * (comm.rank == comm.size - 1))
        none = turn == 1 and here.start == here.stop
        mine: Any = (None, None) if none else (made(x[here]), y[here])
        found = fit(*mine, comm=comm, **asked, **{key: None if none else each[here] for key, each in named.items()})
        assert found.record["weights_sha256"] == expected.record["weights_sha256"]
        assert np.array_equal(found.coef, expected.coef)
        assert found.record["files"] == []
        assert found.record["rows"] == ROWS
        assert found.feature_names == (("size", "colour", "e", "f", "g") if name == "frame" else ())


@pytest.mark.ranks(3, others=())
@pytest.mark.parametrize("loss", ["softmax", "squared"])
def test_several_targets_and_what_features_have(comm: MPI.Intracomm, folder: Path, loss: str) -> None:
    x, y = problem()
    y = (np.arange(ROWS) % 3).astype("i2") if loss == "softmax" else y
    sides = {"penalty_factors": np.arange(5.0), "lower": np.full(5, -0.5)} if loss == "squared" else {}
    if comm.rank == 0:
        write(folder / "rows.h5", x, y=y, **sides)
    comm.Barrier()
    asked = {"loss": loss, "l2": 0.1, "rounds": 20, "solver": "auto"}
    expected = fit(str(folder / "rows.h5"), comm=comm, **asked, **{name: name for name in sides})
    here = slice(comm.rank * 490, (comm.rank + 1) * 490 if comm.rank < 2 else ROWS)
    found = fit(x[here], y[here, None], comm=comm, **asked, **sides)  # type: ignore[arg-type]
    assert found.record["weights_sha256"] == expected.record["weights_sha256"]


@pytest.mark.ranks(1, 3, others=(2,))
def test_words_are_classes(comm: MPI.Intracomm, folder: Path) -> None:
    """Also where a rank has some of them, or none: the fit is that of their numbers, and what people read are the words."""
    x, _ = problem()
    codes = np.arange(ROWS) * 3 // ROWS  # rank 0 has the first word, and rank 2 the last
    words = np.array(["coal", "gas", "öl"])
    here = slice(500 * comm.rank, ROWS if comm.rank == comm.size - 1 else 500 * comm.rank + 500)
    asked = {"loss": "softmax", "l2": 0.1, "rounds": 5, "comm": comm}
    expected = fit(x[here], codes[here], **asked)
    found = fit(x[here], words[codes[here]], **asked, out=str(folder / "run"))
    assert found.record["weights_sha256"] == expected.record["weights_sha256"]
    assert (found.classes, found.codes) == (tuple(words), (0.0, 1.0, 2.0)) == (tuple(words), expected.classes)
    comm.Barrier()
    for model in (found, load(folder / "run")):
        assert np.array_equal(model.predict(x), words[expected.predict(x).astype(int)])
        assert model.score(x, words[codes]) == model.score(x, codes) == expected.score(x, codes)
        assert all("x1 of öl" in text for text in (repr(model), model.summary(), model._repr_html_()))
    truths = fit(x[here], codes[here] > 1, **asked | {"loss": "logistic"})
    assert truths.classes == (False, True)
    assert truths.predict(x).dtype == np.bool_


@pytest.mark.ranks(1, 3, others=())
def test_a_map_of_arrays(comm: MPI.Intracomm) -> None:
    x, y = problem()
    here = slice(comm.rank, ROWS, 1) if comm.size == 1 else slice(comm.rank * 500, comm.rank * 500 + 500)
    total = mapreduce(x[here], lambda x, y: (x.sum(axis=0), len(y)), y=y[here], comm=comm)
    assert total[1] == ROWS
    assert np.allclose(total[0], x.sum(axis=0), rtol=1e-12)
    with Rows(x[here], y=y[here], comm=comm) as rows:
        assert np.array_equal(rows.mapreduce(lambda x, y: x.sum(axis=0)), total[0])


@pytest.mark.ranks(1, 3, others=())
def test_a_callback_sees_the_rounds_and_may_stop_them(comm: MPI.Intracomm) -> None:
    x, y = problem()
    rows = (x, y) if comm.rank == comm.size - 1 else (None, None)
    seen: list[tuple[int, float, float]] = []

    def callback(*figures: Any) -> bool:
        seen.append(figures)
        return figures[0] == 4

    found = fit(*rows, comm=comm, callback=callback, solver="gd", tol=0.0)
    assert (found.status, found.record["rounds"]) == ("stopped by callback", 5)
    told = zip(*(found.history[name] for name in ("round", "objective", "gradient_norm")), strict=True)
    assert seen[1:] == ([*told] if comm.rank == 0 else [])


@pytest.mark.ranks(1, others=())
def test_an_exception_in_a_callback_ends_the_fit(comm: MPI.Intracomm) -> None:
    def harmed(*_: Any) -> None:
        raise InputError("no bytes left")

    with pytest.raises(TypeError, match="callback was given 3: expected a function"):
        fit(*SMALL, comm=comm, callback=3)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="the callback failed: no bytes left"):
        fit(*SMALL, comm=comm, callback=harmed)


@pytest.mark.ranks(2, others=())
def test_a_checkpoint_is_of_its_rows(comm: MPI.Intracomm, folder: Path) -> None:
    x, y = problem()
    here, there = slice(comm.rank * 100, 100 if comm.rank == 0 else ROWS), slice(comm.rank * 900, 900 if comm.rank == 0 else ROWS)
    asked = ASKED | {"comm": comm}
    whole = fit(x[here], y[here], **asked | {"rounds": 16})
    fit(x[here], y[here], **asked, checkpoint=str(folder / "c"))
    again = fit(x[there], y[there], **asked | {"rounds": 16}, resume=str(folder / "c"))
    assert again.record["weights_sha256"] == whole.record["weights_sha256"]
    with pytest.raises(InputError, match="the checkpoint is of other rows than the data have now"):
        fit(x[there], y[there] + 1, **asked, resume=str(folder / "c"))


OTHER = "expected the same of all ranks"
REFUSED: dict[str, tuple[Callable[[int], tuple[Any, ...]], dict[str, Any], str]] = {
    "files": (lambda rank: SMALL if rank else ("rows.h5",), {}, "the name of a file on rank 0, and X and y as arrays on rank 1"),
    "features": (lambda rank: (SMALL[0][:, : 1 + rank], SMALL[1]), {}, OTHER),
    "targets": (lambda rank: (SMALL[0], np.ones((6, 1 + rank))), {}, OTHER),
    "kinds": (lambda rank: (Csr.of(SMALL[0]) if rank else SMALL[0], SMALL[1]), {}, "was given no sparse rows, and rank 1 some"),
    "one": (lambda rank: (SMALL[0], SMALL[1] if rank else None), {}, "X of rank 0 has 6 rows, and there is no y"),
    "nan": (lambda rank: (SMALL[0] + (np.nan if rank else 0), SMALL[1]), {}, "row 6, column 0 of X is nan"),
    "none": (lambda _: (None,), {}, "no data were given: name one or more HDF5 files, or give arrays X and y"),
    "neither": (lambda _: (None, None), {}, "fit was given 2 arguments"),
    "empty": (lambda _: (np.empty((0, 3)), []), {}, "X has no rows on any rank"),
    "names": (lambda _: SMALL, {"weights": "w"}, "weights was given 'w', the name of a data set in a file"),
    "thrice": (lambda _: (*SMALL, SMALL[1]), {}, "was given X or y twice, or more by place"),
    "cache": (lambda _: SMALL, {"cache": "none"}, "cache none has rows read again from files"),
    "shared": (lambda _: (Csr.of(SMALL[0]), SMALL[1]), {"share_rows": True}, "share_rows is of dense arrays"),
    "loss": (lambda _: SMALL, {"loss": "logistic"}, "logistic"),
    "words": (lambda rank: (SMALL[0], ["a"] * 6 if rank else SMALL[1]), {"loss": "logistic"}, "no text in y, and rank 1 some"),
    "words of numbers": (lambda _: (SMALL[0], ["a"] * 6), {}, "y of rank 0 holds text, and the loss squared is of numbers: give"),
    "one word": (lambda _: (SMALL[0], ["a"] * 6), {"loss": "logistic"}, "targets that are all a: expected two classes"),
    "factors": (lambda _: SMALL, {"penalty_factors": [1.0]}, r"--penalty-factors has shape \(1,\): expected \(2,\)"),
    "bounds": (lambda _: SMALL, {"lower": np.array([np.inf, 0])}, "--lower is inf for feature 0"),
}


@pytest.mark.ranks(2, others=())
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_on_all_ranks_alike(comm: MPI.Intracomm, name: str) -> None:
    rows, options, words = REFUSED[name]
    with pytest.raises(InputError, match=words) as raised:
        fit(*rows(comm.rank), comm=comm, **{key: value for key, value in options.items() if value is not None})
    assert len(set(comm.allgather(str(raised.value)))) == 1


@pytest.mark.ranks(1, others=())
def test_rows_that_lie_well_are_not_copied(comm: MPI.Intracomm, monkeypatch: pytest.MonkeyPatch) -> None:
    """So they need no room; others do."""
    if not kernel.STORED:
        pytest.skip("numpy's bits depend on how rows lie")
    x, y = problem()
    x.flags.writeable = False
    seen: list[bool] = []
    hold = memory.MemoryShard.hold

    def held(shard: memory.MemoryShard, *args: Any) -> None:
        hold(shard, *args)
        seen.extend(np.shares_memory(piece.x, x) for piece in shard.pieces)

    monkeypatch.setattr(memory.MemoryShard, "hold", held)
    classes, before = y > 0, y.copy()
    fit(x, y, comm=comm, memory="20KiB")
    fit(x, classes, comm=comm, weights=np.abs(before), loss="logistic", class_weight="balanced", rounds=2)
    assert seen == [True, True]
    assert np.array_equal(y, before)
    assert np.array_equal(classes, y > 0)
    with pytest.raises(InputError, match=r"the rows need .* where --memory gives .*: use more ranks$"):
        fit(np.asfortranarray(x), y, comm=comm, memory="20KiB")


@pytest.mark.ranks(1, others=())
def test_what_comes_is_never_received_into_a_copy(comm: MPI.Intracomm) -> None:
    with pytest.raises(TypeError, match="C-contiguous"):
        exchange._move(comm, [], [(0, np.empty((4, 4))[:, ::2])])


@pytest.mark.ranks(1, others=())
def test_in_a_thread(comm: MPI.Intracomm) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(fit(*SMALL, comm=comm)))
    thread.start()
    thread.join()
    assert np.array_equal(found[0].coef, fit(*SMALL, comm=comm).coef)
