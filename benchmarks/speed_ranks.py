"""Run by speed.py under mpirun: one line of the table on these ranks. Each line is a function; what it gives are rows of the table.

mpirun -n R python -m mpi4py benchmarks/speed_ranks.py LINE FOLDER REPEATS LONG      # writes FOLDER/LINE-R.json
"""

# ruff: noqa: E402 - this checkout has to be found before it is imported
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import h5py
import mpi4py
import numpy as np

mpi4py.rc.threads = False
from mpi4py import MPI

from benchmarks import reading
from benchmarks.long import bare, reduces
from benchmarks.scripts import ddp, naive
from benchmarks.turns import FLOOR, Program, Row, Turn, Turns, floors, milliseconds, missing
from mpi_pgd import fit, kernel
from mpi_pgd.data.partition import Partition
from mpi_pgd.engine.tasks import Ask

NEAR = {"avx512": 1.2, "avx2": 1.4}  # times the floor, by the kernel's instruction set
ROUNDS = 300  # of a small problem, a turn
SMALL_PIECE = 512  # rows, whose products are made together: they stay in the cache


class Here:
    """These ranks, where the files are, and how long a long gradient is."""

    def __init__(self, comm: MPI.Intracomm, folder: Path, repeats: int, features: int = 25_000_000) -> None:
        self.comm, self.folder, self.repeats, self.features = comm, folder, repeats, features
        self.ranks = f"{self.comm.size} rank{'s' * (self.comm.size > 1)}"

    def share(self, path: Path) -> tuple[Any, Any]:
        """This rank's rows and targets, as a script would read them."""
        with h5py.File(path) as file:
            rows, features = file["X"].shape
            cut = Partition(rows, features)
            mine = cut.span(cut.shard(self.comm.rank, self.comm.size))
            return file["X"][mine.start : mine.stop], file["y"][mine.start : mine.stop]


def point(features: int) -> Any:
    """Weights, the same on all ranks, small enough for any loss."""
    return np.random.default_rng(4).standard_normal(features) / np.sqrt(features)


# The lines


def dense(here: Here) -> list[Row]:
    """Float64 rows against the floor and against scripts; on several ranks, sums and storage as well."""
    found = []
    for loss in ("squared", "logistic"):
        x, y = here.share(here.folder / "float64.h5")
        w, gradient = point(x.shape[1]), np.empty(x.shape[1])
        program = Program(here.comm, here.folder / "float64.h5", loss=loss)
        ours = program.turn(w)
        contestants: dict[str, Turn] = {**floors(here.folder, x), "mpi_pgd": ours}
        contestants["numpy"] = partial(naive, here.comm, loss, x, y, w, gradient)
        peers, absent = ["numpy"], []
        if here.comm.size > 1:
            try:
                contestants["PyTorch"] = ddp(here.comm, here.folder / "gloo", loss, x, y, w)
                peers.append("PyTorch")
            except ImportError as error:
                absent.append(missing(f"{loss}, {here.ranks}, against PyTorch DDP (gloo)", f"PyTorch can't be had here: {error}"))
        contestants["mpi_pgd"](), contestants["numpy"]()
        np.testing.assert_allclose(ours.sums[: len(w)], gradient, rtol=1e-8, atol=1e-9 * np.abs(gradient).max())
        turns = Turns(here.comm, contestants, here.repeats)
        rate = here.comm.allreduce(x.nbytes) / turns.median(FLOOR) / 1e9
        row = turns.row(f"{loss}, {here.ranks}, against the floor", "mpi_pgd", FLOOR, "at most", NEAR.get(kernel.SET))
        row["beside"] += f", {rate:.1f} GB/s"
        titles = {"numpy": "mpi4py and numpy by hand", "PyTorch": "PyTorch DDP (gloo)"}
        goal = 2.5 if here.comm.size > 1 else None
        found += [row, *absent]
        found += [turns.row(f"{loss}, {here.ranks}, as fast as {titles[one]}", one, "mpi_pgd", "at least", goal) for one in peers]
        if here.comm.size > 1 and loss == "squared":
            found.append({"profile": ours.parts(5), "floor": turns.median(FLOOR), "of": "dense"})
        del x, y, program, ours, contestants
    return found


def storage(here: Here) -> list[Row]:
    """Rows kept as float32 and as int8, against float64; and for each, what order-free sums cost."""
    names = ("float64", "float32", "int8")
    programs = {name: Program(here.comm, here.folder / f"{name}.h5", loss="squared") for name in names}
    w = point(programs["float64"].problem.table.features)
    contestants: dict[str, Turn] = {}
    for name, program in programs.items():
        contestants[name] = program.turn(w)
        contestants[f"{name} plain"] = program.turn(w, sums="plain")
    turns = Turns(here.comm, contestants, 2 * here.repeats)
    goals, case = {"float32": 0.7, "int8": 0.65}, f"{{}} rows against float64, {here.ranks}"
    found = [turns.row(case.format(name), name, "float64", "at most", goal) for name, goal in goals.items()]
    case = f"order-free sums against plain, {{}}, {here.ranks}"
    return [*found, *(turns.row(case.format(name), name, f"{name} plain", "at most", 1.02) for name in names)]


def sparse(here: Here) -> list[Row]:
    """A logistic round on CSR, against scipy's products."""
    return _sparse(here, here.folder / "sparse.h5", 0.85)


def wide(here: Here) -> list[Row]:
    """The same where there are more features than rows."""
    return _sparse(here, here.folder / "wide.h5", None)


def _sparse(here: Here, path: Path, goal: float | None) -> list[Row]:
    case = f"logistic, {here.ranks}, against scipy's CSR products by hand"
    try:
        from scipy.sparse import csr_matrix
    except ImportError as error:
        return [missing(case, f"scipy can't be had here: {error}")]
    program = Program(here.comm, path, loss="logistic")
    with h5py.File(path) as file:
        group, rows = file["X"], len(file["y"])
        shape = group.attrs["shape"]
        mine = slice(rows * here.comm.rank // here.comm.size, rows * (here.comm.rank + 1) // here.comm.size)
        ends = group["indptr"][mine.start : mine.stop + 1]
        flat = slice(int(ends[0]), int(ends[-1]))
        parts = group["data"][flat], group["indices"][flat], (ends - ends[0]).astype(np.int32)
        x, y = csr_matrix(parts, shape=(mine.stop - mine.start, shape[1])), file["y"][mine]
    w, gradient = point(shape[1]), np.empty(shape[1])
    ours = program.turn(w)
    scipys = partial(naive, here.comm, "logistic", x, y, w, gradient)
    ours(), scipys()
    np.testing.assert_allclose(ours.sums[: len(w)], gradient, rtol=1e-8, atol=1e-9 * np.abs(gradient).max())
    turns = Turns(here.comm, {"mpi_pgd": ours, "scipy": scipys}, here.repeats)
    row = turns.row(case, "mpi_pgd", "scipy", "at most", goal)
    rate = here.comm.allreduce(x.nnz) / turns.median("mpi_pgd") / here.comm.size
    row["beside"] += f"; {rate / 1e6:.0f} million nonzeros a second a core"
    return [row]


def gram(here: Here) -> list[Row]:
    """X'X of one rank, of whose operations the half counts that a symmetric matrix needs, against the rate of dgemm."""
    a, b, out = (np.random.default_rng(5).standard_normal((1000, 1000)) for _ in range(3))
    found = []
    for features in (200, 1000):
        program = Program(here.comm, here.folder / f"gram{features}.h5", solver="newton", tol=1e-12, l2=0.1)
        ask = Ask.HESSIAN
        contestants: dict[str, Turn] = {"X'X": program.turn(np.zeros(features), ask), "dgemm": lambda: np.dot(a, b, out=out) is out}
        turns = Turns(here.comm, contestants, here.repeats)
        rates = program.problem.rows * features * (features + 1) / turns.seconds["X'X"] / (2e9 / turns.seconds["dgemm"])
        low, value, high = np.quantile(rates, (0.25, 0.5, 0.75)).tolist()
        beside = f"{milliseconds(turns.median('X' + chr(39) + 'X'))} for {program.problem.rows:,} rows, with the gradient's pass; "
        beside += f"dgemm {2 / turns.median('dgemm'):.0f} Gflop/s"
        case = f"X'X at p = {features:,}, order-free, {here.ranks}: share of dgemm's rate"
        span = {"low": low, "high": high, "unit": "times", "word": "at least", "goal": 0.7}
        found.append({"case": case, "value": value, **span, "beside": beside})
    return found


def long(here: Here) -> list[Row]:
    """One reduce of a gradient so long that it alone counts, against the bare MPI calls; and its memory."""
    found = []
    for mode in ("peer-to-peer", "client-server"):
        _, vectors = reduces(here.comm, mode, here.features, 1)
        seconds, _ = reduces(here.comm, mode, here.features, here.repeats, partial(bare, here.comm, mode, np.zeros(here.features)))
        whole, wire, call = seconds.T
        low, value, high = np.quantile(call / whole, (0.25, 0.5, 0.75)).tolist()
        told = [milliseconds(float(np.median(each))) for each in (whole, wire, call)]
        case, span = f"p = {here.features:,}, {mode}", {"low": low, "high": high, "unit": "times", "word": "at least", "goal": 0.9}
        beside = "{}, of which {} on the wire, where it is cut; MPI {}".format(*told)
        found.append({"case": f"{case}: one reduce, rate against the bare MPI calls'", "value": value, **span, "beside": beside})
        limit = {"unit": "vectors", "word": "at most", "goal": 5, "beside": "the largest rank"}
        found.append({"case": f"{case}: memory of the rounds, beside the rows", "value": vectors, **limit})
    return found


def loading(here: Here) -> list[Row]:
    """A file in the page cache read with all checks, against h5py that reads it whole."""
    found = []
    for layout in ("contiguous", "chunks"):
        path = str(here.folder / f"{layout}.h5")
        turns = Turns(here.comm, reading.warm(here.comm, path), here.repeats)
        found.append(turns.row(f"{layout}, {here.ranks}, warm: rate against h5py's", "h5py whole", "load", "at least", 0.9))
        case = f"{layout}, {here.ranks}, warm: likewise, as a fit does, which checks features in its first pass over them"
        found.append(turns.row(case, "h5py whole", "load of a fit", "at least", None))
    return found


def arrays(here: Here) -> list[Row]:
    """``fit(X, y)`` on rows that lie as they are wanted: how long until the first round begins."""
    x, y = here.share(here.folder / "arrays.h5")
    loads, each_round = [], []

    def begin() -> float:
        judged: list[float] = []
        start = perf_counter()
        asked = {"mode": "peer-to-peer", "solver": "nesterov", "rounds": 3, "tol": 0.0}
        record = fit(x, y, comm=here.comm, callback=lambda *_: judged.append(perf_counter()), **asked).record
        loads.append(record["seconds"]["load"])
        each_round.append(record["seconds_per_round"])
        return judged[0] - start - each_round[-1] if judged else 0.0

    low, value, high = (
        1e3 * np.quantile(Turns(here.comm, {"fit": begin}, here.repeats).seconds["fit"], (0.25, 0.5, 0.75))
    ).tolist()
    held, once = (milliseconds(float(np.median(each[1:]))) for each in (loads, each_round))
    span = {"low": low, "high": high, "unit": "ms", "word": "at most", "goal": 50}
    beside = f"{held} until rows are held, then a pass for checks and the columns' scales; a round takes {once}"
    return [{"case": f"fit(X, y), {here.ranks}: until the first round begins", "value": value, **span, "beside": beside}]


def small(here: Here) -> list[Row]:
    """A round of the shipped data: what is neither its products nor the bare MPI call.

    A bare round is products, then the call, as in ours: so in both, who has made its products waits for who has not.
    """
    path = ROOT / "data" / "diamonds.h5"
    program = Program(here.comm, path)
    x, y = here.share(path)
    x, y = x.astype(np.float64), y.astype(np.float64)
    w, out = point(x.shape[1]), np.zeros((3, x.shape[1]))
    ours = program.turn(w, sums="plain")
    ours()
    eta, message = np.empty(len(y)), np.zeros(program.turn(w).kept.bytes // 8)

    def round_of(made: Callable[[], object]) -> float:
        def once() -> None:
            made()
            call()

        return each(once)

    def products(step: int) -> float:
        pieces = [slice(start, start + step) for start in range(0, len(y), step)]
        cut = [(x[piece], x[piece].T, y[piece], eta[piece]) for piece in pieces]

        def once() -> None:
            out[1] = 0.0
            for rows, columns, targets, line in cut:
                np.dot(rows, w, out=line)
                np.subtract(line, targets, out=line)
                np.dot(line, line)
                np.dot(columns, line, out=out[0])
                np.add(out[1], out[0], out=out[1])

        return round_of(once)

    def call() -> None:
        here.comm.Allreduce(MPI.IN_PLACE, message)

    ways: dict[str, Turn] = {f"products {step}": partial(products, step) for step in (SMALL_PIECE, len(y))}
    ways["products"] = partial(round_of, ours.products())
    contestants: dict[str, Turn] = {"mpi_pgd": partial(program.descent, ROUNDS), **ways, "MPI": partial(each, call)}
    turns = Turns(here.comm, contestants, here.repeats)
    fastest = min(ways, key=turns.median)
    rest = 1e6 * (turns.seconds["mpi_pgd"] - turns.seconds[fastest])
    low, value, high = np.quantile(rest, (0.25, 0.5, 0.75)).tolist()
    whole, made, sent = (milliseconds(turns.median(name)) for name in ("mpi_pgd", fastest, "MPI"))
    case = f"a round of the shipped data, {here.ranks}: beside its products and the MPI call"
    span = {"low": low, "high": high, "unit": "us", "word": "at most", "goal": 30}
    parts = program.turn(w).parts(ROUNDS)
    profile = {"profile": parts, "products and MPI": turns.median(fastest), "MPI": turns.median("MPI"), "of": "small"}
    return [{"case": case, "value": value, **span, "beside": f"{whole}: products and MPI {made}; MPI alone {sent}"}, profile]


def each(once: Callable[[], object]) -> float:
    """The seconds of one of many calls."""
    start = MPI.Wtime()
    for _ in range(ROUNDS):
        once()
    return (MPI.Wtime() - start) / ROUNDS


def main(line: str, folder: str, repeats: str, long: str) -> None:
    here = Here(MPI.COMM_WORLD, Path(folder), int(repeats), int(long))
    rows = LINES[line](here)
    if here.comm.rank == 0:
        (here.folder / f"{line}-{here.comm.size}.json").write_text(json.dumps(rows))


LINES = {line.__name__: line for line in (dense, storage, sparse, wide, gram, long, loading, arrays, small)}

if __name__ == "__main__":
    main(*sys.argv[1:])
