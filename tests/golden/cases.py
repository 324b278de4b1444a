"""The cases as data: small tables, and the settings that they are fitted with. What came of each is in golden.json.

The tables are made by exact arithmetic of whole numbers whose stream numpy keeps, so they are the same on every machine.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from mpi_pgd.engine.tasks import Ask
from mpi_pgd.losses import LOSSES
from mpi_pgd.solvers import SOLVERS

RANKS = (1, 2, 3, 5)
OWN = ("linear", "ring", "recursive-doubling", "rabenseifner")  # schedules, whose order of the sums is the package's
WAYS = (
    ("client-server", "library"),
    ("peer-to-peer", "library"),
    ("client-server", "linear"),
    ("peer-to-peer", "ring"),
    ("peer-to-peer", "recursive-doubling"),
    ("peer-to-peer", "rabenseifner"),
)
SERVED = WAYS[:1]
SHIPPED = Path(__file__).parents[2] / "data/diamonds.h5"

# Tables


class Table(NamedTuple):
    """What a file holds: ``kind`` is the type of X, ``flat`` of which columns are constant."""

    rows: int
    features: int
    kind: str = "<f8"
    flat: tuple[int, ...] = ()
    noise: float = 0.25
    slope: float = 1.0  # 0: the targets are constant
    targets: str = ""  # what is made of them


TABLES = {
    "narrow": Table(1000, 7),
    "middle": Table(3000, 40),
    "single": Table(17, 3),  # one block: fewer than ranks
    "wide": Table(200, 1500),
    "column": Table(700, 1),
    "under": Table(10, 90),  # more features than rows
    "exact": Table(1000, 7, noise=0.0),
    "flat": Table(1000, 7, flat=(2, 5)),
    "level": Table(500, 4, noise=0.0, slope=0.0),
    **{kind: Table(600, 5, noise=16.0, targets=kind) for kind in ("binary", "classes", "counts", "amounts")},
    **{f"narrow {kind}": Table(1000, 7, kind) for kind in ("<f4", "<f2", "i1", "<u2")},
}
READ: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "": lambda y: y,
    "binary": lambda y: np.where(y > 3, 1.0, 0.0),
    "classes": lambda y: np.floor(np.abs(y)) % 3,
    "counts": lambda y: np.floor(np.abs(y) / 2),
    "amounts": lambda y: np.abs(y) / 4 + 0.25,
}
STORED: dict[str, dict[str, Any]] = {
    "chunked": {"chunks": (33, 3)},
    "gzip": {"chunks": (130, 7), "compression": "gzip"},
}
CUTS = (0, 1, 130, 131, 700, 1000)


def numbers(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """X (rows, features) of the table's type and y (rows,): fractions of 2**53, and nothing but + - * / by element."""
    rows, features = table.rows, table.features
    words = np.random.Philox(key=rows * 10_000 + features).random_raw((features + 2) * rows)
    parts = ((words >> np.uint64(11)).astype(np.float64) / 2.0**53 - 0.5).reshape(features + 2, rows)
    factor, noise, x = parts[0], parts[1], parts[2:].T.copy()
    place = np.arange(features)
    x = (x + factor[:, None] * 0.5) * (1.0 + place % 5) + (place % 3) * 0.75
    x[:, list(table.flat)] = 1.5
    kind = np.dtype(table.kind)
    if kind.kind in "iu":
        x = np.floor(x * 20) if kind.kind == "i" else np.floor((x + 8) * 1000)
    x = x.astype(kind)
    y = noise * table.noise + 3.0
    for column, value in enumerate(x.T):  # a column at a time: the order of a sum would be numpy's
        y += value.astype(np.float64) * (((column * 7) % 11 - 5) / 4 * table.slope)
    return x, READ[table.targets](y)


def write(folder: Path) -> None:
    """All files."""
    for name, table in TABLES.items():
        _file(folder / f"{name}.h5", *numbers(table))
    x, y = numbers(TABLES["narrow"])
    for name, how in STORED.items():
        _file(folder / f"{name}.h5", x, y, **how)
    _file(folder / "big-endian.h5", x.astype(">f8"), y[:, None])
    for number, (start, stop) in enumerate(pairwise(CUTS), start=7):  # part10 sorts after part9
        _file(folder / f"part{number}.h5", x[start:stop], y[start:stop])
    with h5py.File(folder / "named.h5", "w") as file:
        file["features"], file["price"] = x, y
    with h5py.File(folder / "sides.h5", "w") as file:
        file["X"], file["y"] = x, y
        file["w"], file["o"] = np.arange(len(x)) % 3 + 0.5, x[:, 1] / 2
        file["groups"], file["factors"] = np.array([0, 0, 1, 1, 1, 2, 3]), np.array([1.0, 0.0, 2.0, 1.0, 1.0, 0.5, 1.0])


def _file(path: Path, x: np.ndarray, y: np.ndarray, **how: Any) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=x, **how)
        file["y"] = y


# Cases


class Case(NamedTuple):
    """One fit, as often as it has ways: by name, its files, its settings, and on how many ranks it is made how.

    Attributes:
        like: the case that it has to give the bits of; itself if empty.
        folder: settings that name what is to be written.
        ranks: how many; if empty, one alone and, by turns, two, three or five.
        turns: one way for each number of ranks, another for the next case; else all ways on all ranks.
        first: rounds after which the fit ends, to be resumed with as many ranks as ``ranks`` says, pair by pair.
    """

    name: str
    data: str
    options: dict[str, Any]
    like: str = ""
    folder: tuple[str, ...] = ()
    ways: tuple[tuple[str, str], ...] = WAYS
    ranks: tuple[int, ...] = ()
    turns: bool = True
    first: int = 0


BASE: dict[str, Any] = {"rounds": 30}
MAKES = {"narrow": ("1000", "7", "--condition", "10", "--noise", "0.5", "--seed", "3"), "short": ("40", "90", "--seed", "7")}


def cases() -> Iterator[Case]:
    """All cases."""
    # Every way that sums travel.
    yield Case("shipped", str(SHIPPED), {"rounds": 15})
    for data in ("narrow", "single"):
        yield Case(data, data, BASE, ranks=RANKS, turns=False)
    yield Case("wide", "wide", BASE, ranks=RANKS)
    for data in ("middle", "column", "under", "exact", "flat", "level", *(name for name in TABLES if " " in name)):
        yield Case(data, data, BASE)
    yield from _solvers()
    yield from _members()
    yield from _ends()
    yield from _same()
    yield from _resumed()
    # Sums whose order matters.
    for ways, ranks in ((WAYS, (3, 5)), (WAYS[:2], (1, 2))):
        yield Case("plain", "middle", {"rounds": 12, "sums": "plain"}, ways=ways, ranks=ranks, turns=False)
    for solver, (way, ranks) in product(("gd", "momentum"), ((WAYS[2], 5), (WAYS[3], 3))):
        chosen = {"rounds": 12, "sums": "plain", "solver": solver}
        yield Case(f"plain {solver}", "narrow", chosen, ways=(way,), ranks=(ranks,))


def _solvers() -> Iterator[Case]:
    solvers, steps = ("gd", "momentum", "nesterov"), ("auto", 0.02)
    for solver, step, intercept, standardize in product(solvers, steps, (True, False), (True, False)):
        chosen = {"solver": solver, "step": step, "intercept": intercept, "standardize": standardize}
        yield Case(_name("narrow", chosen), "narrow", {"rounds": 20, **chosen})
    for solver, step, l2 in product(solvers, ("auto", 1e-7), (0.1, 1e6)):
        chosen = {"solver": solver, "step": step, "l2": l2}
        ends = {} if l2 > 1 else {"tol": 0.0}  # else a certificate ends one of them before its last round
        yield Case(_name("narrow", chosen), "narrow", {"rounds": 20, **ends, **chosen})
    for momentum, step in product((0.0, 0.5, 0.99), steps):
        chosen = {"solver": "momentum", "momentum": momentum, "step": step}
        yield Case(_name("narrow", chosen), "narrow", {"rounds": 20, **chosen})
    for solver, data in product(solvers[:2], ("middle", "exact", "flat", "wide")):
        yield Case(_name(data, {"solver": solver}), data, {"rounds": 15, "solver": solver})
    for data in ("flat", "middle", "under", "narrow i1"):
        chosen = {"intercept": False, "standardize": False, "l2": 0.1}
        yield Case(_name(data, chosen), data, {"rounds": 20, **chosen})


def _members() -> Iterator[Case]:
    """Each loss, penalty and solver, as ``auto`` takes them or by itself."""
    targets = {"squared": "narrow", "huber": "narrow", "softmax": "classes", "poisson": "counts", "negative-binomial": "counts"}
    targets |= dict.fromkeys(("logistic", "squared-hinge"), "binary")
    for loss in LOSSES:
        chosen = {"loss": loss, "solver": "auto"}
        yield Case(f"loss={loss}", targets.get(loss, "amounts"), {"rounds": 40, **chosen})
    for penalty in (
        {"l1": 0.1},
        {"l1": 0.1, "l2": 0.1},
        {"l1": 0.1, "groups": "groups"},
        {"l1": 0.1, "penalty_factors": "factors"},
        {"lower": 0.0, "upper": 1.0},
        {"weights": "w", "offset": "o"},
    ):
        for solver in ("auto", "bb", "nesterov"):
            chosen = {"solver": solver, **penalty}
            yield Case(_name("sides", chosen), "sides", {"rounds": 40, **chosen})
    for data, penalty in (("binary", {"l1": 0.01}), ("counts", {"l1": 0.01})):
        chosen = {"loss": "logistic" if data == "binary" else "poisson", "solver": "auto", **penalty}
        yield Case(_name(data, chosen), data, {"rounds": 40, **chosen})
    yield Case("joint", "classes", {"rounds": 40, "loss": "softmax", "solver": "auto", "l1": 0.01, "joint": True})
    for solver in SOLVERS:
        chosen = {"loss": "logistic", "solver": solver}
        batch = {"batch": 64} if Ask.BATCH in SOLVERS[solver]().needs else {}
        yield Case(_name("binary", chosen), "binary", {"rounds": 40, "l2": 1e-3, **batch, **chosen})


def _ends() -> Iterator[Case]:
    for solver, tol, rounds in product(("gd", "nesterov"), (0.0, 1e-6, 1e-12), (1, 20, 200)):
        chosen = {"solver": solver, "tol": tol, "rounds": rounds}
        yield Case(_name("narrow", chosen), "narrow", chosen)
    for solver in ("gd", "nesterov"):
        chosen = {"solver": solver, "tol": 1e-18}
        yield Case(_name("precision", chosen), "narrow", chosen)
    for solver in ("gd", "momentum", "nesterov"):
        chosen = {"solver": solver, "step": 1e4}
        yield Case(_name("diverged", chosen), "narrow", chosen)
    yield Case("default", "narrow", {})
    yield Case("default exact", "exact", {})
    yield Case("ridge", "middle", {"l2": 0.1, "tol": 1e-9})


def _same() -> Iterator[Case]:
    """What decides no bit."""
    for data in (*STORED, "big-endian", "part*"):
        yield Case(f"narrow, {data}", data, BASE, like="narrow")
    yield Case("narrow, named", "named", {**BASE, "x": "features", "y": "price"}, like="narrow")
    for replicas in (1, 2):
        yield Case(f"narrow, replicas={replicas}", "narrow", {**BASE, "replicas": replicas}, "narrow", (), SERVED, (3, 5))
        late = {**BASE, "replicas": replicas, "delay": "exponential:0.0003"}
        yield Case(f"narrow, late, replicas={replicas}", "narrow", late, "narrow", (), SERVED, (5,))
    for balance in (False, True):
        late = {**BASE, "balance": balance, "delay": "1:20"}
        yield Case(f"middle, late, balance={balance}", "middle", late, "middle", ranks=(3, 5))
    yield Case("narrow, fail-slow", "narrow", {**BASE, "fail_slow": "1@5"}, "narrow", ranks=(2, 3))
    yield Case("narrow, out", "narrow", {**BASE, "trace": True}, "narrow", folder=("out",), ranks=(1, 3))
    yield Case("narrow, checkpoint", "narrow", {**BASE, "every": "4rounds"}, "narrow", folder=("checkpoint",))


def _resumed() -> Iterator[Case]:
    for solver, data in (("nesterov", "narrow"), ("gd", "middle"), ("momentum", "wide"), ("momentum", "flat")):
        chosen = {"solver": solver}
        like = data if solver == "nesterov" else _name(data, chosen)
        rounds = 30 if solver == "nesterov" else 15
        if data == "flat":
            yield Case("resumed later", data, {"rounds": 15, **chosen}, like, first=14, ranks=(2, 1))
        else:
            yield Case(f"resumed {solver}", data, {"rounds": rounds, **chosen}, like, first=7, ranks=(5, 2, 1, 3, 3, 5))
    yield Case("resumed balance", "middle", {**BASE, "balance": True}, "middle", first=12, ranks=(3, 5))
    yield Case("resumed replicas", "narrow", {**BASE, "replicas": 2}, "narrow", ways=SERVED, first=11, ranks=(5, 3))


def _name(data: str, chosen: dict[str, Any]) -> str:
    return ", ".join([data, *(f"{key}={value}" for key, value in chosen.items())])


# Fits


class Fit(NamedTuple):
    """One of a case's fits; of one that is resumed, both."""

    case: Case
    mode: str
    algorithm: str
    ranks: int
    then: int  # ranks that resume it; 0 if it is not
    place: int  # of its case, among all
    number: int  # among all

    @property
    def way(self) -> str:
        """In words."""
        ranks = f"{self.ranks} then {self.then}" if self.then else f"{self.ranks}"
        return f"{self.mode} {self.algorithm} on {ranks}"


def key(name: str, mode: str, algorithm: str, ranks: int, library: str) -> str:
    """Where golden.json has what a fit gives: order-free sums give one thing, whatever the way."""
    if not name.startswith("plain"):
        return name
    whose = f" of {library}" if algorithm not in OWN else ""
    return f"{name}: {mode} {algorithm}{whose} on {ranks}"


def fits(share: int = 0, shares: int = 1) -> list[Fit]:
    """All fits, in the order of their cases; or what one of several libraries makes of them.

    The library changes nothing but plain sums: each makes all of those.
    """
    found: list[Fit] = []
    for place, case in enumerate(cases()):
        counts = case.ranks or (1, RANKS[1 + place % 3])
        pairs = list(zip(counts[::2], counts[1::2], strict=True)) if case.first else [(ranks, 0) for ranks in counts]
        for turn, (ranks, then) in enumerate(pairs):
            ways = (case.ways[(place // 3 + turn) % len(case.ways)],) if case.turns else case.ways
            found += [Fit(case, *way, ranks, then, place, len(found) + number) for number, way in enumerate(ways)]
    return [one for one in found if one.case.name.startswith("plain") or (one.place + one.number) % shares == share]
