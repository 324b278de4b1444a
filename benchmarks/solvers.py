"""Fits beside those of the programs that people would use else, from the rows to weights of the same quality.

    python benchmarks/solvers.py [--only LETTERS] [--scale S] [--ranks R] [--environments DIR]

(a) least squares 1,000,000 x 200, condition 1e4, from the file to the weights; (b) l2 logistic 1,000,000 x 100, rows in memory;
(c) Poisson, 600,000 rows of 322 one-hot columns, l2 and elastic net; (d) lasso 100,000 x 1,000 at a tenth of the largest penalty;
(e) ``auto`` beside each fixed choice, 30 problems. ``--scale`` multiplies the rows. Peers are installed into environments of their
own in DIR, and use both cores; each fit is made in a process of its own, turn by turn, medians of three turns. All are held to a
suboptimality of 1e-6: what was reached is printed beside, from one function that judges all. Prints Markdown.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.speed_data import csr

TURNS, NEAR = 3, 1e-6
RANKS = Path(__file__).with_name("solvers_ranks.py")
READ = """
import json, sys, warnings
from time import perf_counter
began = perf_counter()
import h5py, numpy as np
warnings.simplefilter("ignore")
with h5py.File("rows.h5") as file: X, y = file["X"][:].astype(np.float64, copy=False), file["y"][:]
n, read = len(y), perf_counter()
"""
TOLD = """
found = {"read": read - began, "fit": perf_counter() - read, "coef": np.ravel(coef).tolist(), "intercept": float(intercept)}
print(json.dumps(found))
"""
RIDGE = """
from sklearn.linear_model import Ridge
model = Ridge(alpha=0, solver="cholesky").fit(X, y)
coef, intercept = model.coef_, model.intercept_
"""
LOGISTIC = """
from sklearn.linear_model import LogisticRegression
model = LogisticRegression(C=1 / (n * L2), solver="SOLVER", tol=TOL, max_iter=10_000).fit(X, y)
coef, intercept = model.coef_, model.intercept_[0]
"""
FIT = """
from glum import GeneralizedLinearRegressor
read = perf_counter()
model = GeneralizedLinearRegressor(family="poisson", alpha=ALPHA, l1_ratio=RATIO, scale_predictors=False, gradient_tol=TOL)
model.fit(X, y)
coef, intercept = model.coef_, model.intercept_
"""
LEVELS = (2, 6, 10, 11, 22, 30, 41, 60, 140)  # of the categories behind one-hot columns
GLUM = "import tabmat, scipy.sparse\nX = tabmat.from_csc(scipy.sparse.csc_matrix(X))\n" + FIT
CATEGORIES = (
    f"""
import tabmat
starts = np.cumsum((0, *{LEVELS}))
coded = lambda a, b: tabmat.CategoricalMatrix(X[:, a:b].argmax(1), categories=np.arange(b - a))
X = tabmat.SplitMatrix([coded(a, b) for a, b in zip(starts, starts[1:])])
"""
    + FIT
)
LASSO = """
from sklearn.linear_model import Lasso
model = Lasso(alpha=L1, tol=TOL, max_iter=100_000).fit(X, y)
coef, intercept = model.coef_, model.intercept_
"""
CELER = """
from celer import Lasso
X = np.asfortranarray(X)
model = Lasso(alpha=L1, tol=TOL).fit(X, y)
coef, intercept = model.coef_, model.intercept_
"""

Judge = Callable[[np.ndarray, float], float]  # the objective of coefficients and an intercept


class Contest(NamedTuple):
    """One of (a) to (d).

    Attributes:
        title: of its table.
        make: writes X and y into an open file.
        ours: flags.
        peers: by name, what is installed, and the code.
        whole: seconds from the file on, imports as well; else those of the fit alone, rows being in memory.
        objective: of X, y, coefficients and intercept.
    """

    title: str
    make: Callable[[h5py.File, float], None]
    ours: list[str]
    peers: dict[str, tuple[str, str]]
    whole: bool
    objective: Callable[[np.ndarray, np.ndarray, np.ndarray, float], float]


def rows(file: h5py.File, n: int, p: int, condition: float, seed: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Correlated normal columns, written in parts; X'X has about this condition."""
    draw = np.random.default_rng(seed)
    turned = np.linalg.qr(draw.normal(size=(p, p)))[0] * np.sqrt(np.geomspace(1, 1 / condition, p))
    x = file.create_dataset("X", (n, p), "f8")
    file.create_dataset("y", (n,), "f8")
    for start in range(0, n, 50_000):
        here = slice(start, min(start + 50_000, n))
        part = draw.normal(size=(here.stop - here.start, p)) @ turned.T
        x[here] = part
        yield here, part


def squared(file: h5py.File, scale: float) -> None:
    draw = np.random.default_rng(1)
    w = draw.normal(size=200)
    for here, part in rows(file, int(1_000_000 * scale), 200, 1e4, 2):
        file["y"][here] = part @ w + 3.0 + draw.normal(size=len(part))


def classes(file: h5py.File, scale: float) -> None:
    draw = np.random.default_rng(3)
    w = draw.normal(size=100)
    for here, part in rows(file, int(1_000_000 * scale), 100, 1e4, 4):
        file["y"][here] = draw.random(len(part)) < 1 / (1 + np.exp(-(part @ w)))


def insurance(file: h5py.File, scale: float) -> None:
    """Nine variables of 322 levels in all, as 0 and 1 of one byte."""
    draw, n = np.random.default_rng(5), int(600_000 * scale)
    x = file.create_dataset("X", (n, sum(LEVELS)), "i1")
    effects = [draw.normal(size=count) * 0.3 for count in LEVELS]
    file.create_dataset("y", (n,), "f8")
    for start in range(0, n, 50_000):
        size = min(50_000, n - start)
        picked = [np.minimum(draw.geometric(2.0 / count, size) - 1, count - 1) for count in LEVELS]
        hot = np.concatenate([np.eye(count, dtype="i1")[found] for count, found in zip(LEVELS, picked, strict=True)], axis=1)
        x[start : start + size] = hot
        eta = sum(effect[found] for effect, found in zip(effects, picked, strict=True)) - 1.5
        file["y"][start : start + size] = draw.poisson(np.exp(eta))


def sparse_truth(file: h5py.File, scale: float) -> None:
    draw, n, p = np.random.default_rng(7), int(100_000 * scale), 1_000
    x = file.create_dataset("X", (n, p), "f8")
    file.create_dataset("y", (n,), "f8")
    w = np.where(np.arange(p) < 50, draw.normal(size=p), 0.0)
    for start in range(0, n, 20_000):
        part = draw.normal(size=(min(20_000, n - start), p)) * np.sqrt(0.5) + draw.normal(
            size=(min(20_000, n - start), 1)
        ) * np.sqrt(0.5)
        x[start : start + len(part)] = part
        file["y"][start : start + len(part)] = part @ w + 5 * draw.normal(size=len(part))


def half_squares(x: np.ndarray, y: np.ndarray, coef: np.ndarray, intercept: float) -> float:
    return float(0.5 * np.mean((x @ coef + intercept - y) ** 2))


def log_losses(x: np.ndarray, y: np.ndarray, coef: np.ndarray, intercept: float) -> float:
    eta = x @ coef + intercept
    return float(np.mean(np.logaddexp(0, eta) - y * eta) + 0.5 * L2 * coef @ coef)


def poisson_losses(l1: float, l2: float) -> Callable[[np.ndarray, np.ndarray, np.ndarray, float], float]:
    def objective(x: np.ndarray, y: np.ndarray, coef: np.ndarray, intercept: float) -> float:
        eta = x @ coef + intercept
        return float(np.mean(np.exp(eta) - y * eta) + 0.5 * l2 * coef @ coef + l1 * np.abs(coef).sum())

    return objective


def lasso_objective(x: np.ndarray, y: np.ndarray, coef: np.ndarray, intercept: float) -> float:
    return half_squares(x, y, coef, intercept) + tenth(x, y) * float(np.abs(coef).sum())


def tenth(x: np.ndarray, y: np.ndarray) -> float:
    """Of the largest l1 that matters."""
    return 0.1 * float(np.abs((x - x.mean(axis=0)).T @ (y - y.mean())).max()) / len(y)


L2, ALPHA = 1e-4, 1e-3
SKLEARN, GLUMS, CELERS = "scikit-learn h5py", "glum h5py", "celer h5py"
PLAIN = ["--no-standardize", "--mode", "peer-to-peer", "--tol", "1e-7", "--quiet"]
CONTESTS = {
    "a": Contest(
        "least squares, 1,000,000 x 200, condition 1e4, from the file to the weights",
        squared,
        [],
        {"scikit-learn, Ridge, cholesky": (SKLEARN, RIDGE)},
        True,
        half_squares,
    ),
    "b": Contest(
        "l2 logistic, 1,000,000 x 100, condition 1e4, rows in memory",
        classes,
        ["--loss", "logistic", "--l2", str(L2)],
        {
            f"scikit-learn, {solver}": (SKLEARN, LOGISTIC.replace("L2", str(L2)).replace("SOLVER", solver).replace("TOL", tol))
            for solver, tol in (("newton-cholesky", "1e-5"), ("lbfgs", "1e-6"))
        },
        False,
        log_losses,
    ),
    "c": Contest(
        "Poisson, 600,000 rows, 322 one-hot columns, l2, rows in memory",
        insurance,
        ["--loss", "poisson", "--l2", str(ALPHA)],
        {"glum": (GLUMS, GLUM.replace("ALPHA", str(ALPHA)).replace("RATIO", "0").replace("TOL", "1e-5"))},
        False,
        poisson_losses(0.0, ALPHA),
    ),
    "C": Contest(
        "the same, elastic net, half of it l1",
        insurance,
        ["--loss", "poisson", "--l2", str(ALPHA / 2), "--l1", str(ALPHA / 2)],
        {"glum": (GLUMS, GLUM.replace("ALPHA", str(ALPHA)).replace("RATIO", "0.5").replace("TOL", "1e-5"))},
        False,
        poisson_losses(ALPHA / 2, ALPHA / 2),
    ),
    "d": Contest(
        "lasso, 100,000 x 1,000, correlation 0.5, at a tenth of the largest penalty, rows in memory",
        sparse_truth,
        ["--l1", "L1"],
        {"scikit-learn, Lasso": (SKLEARN, LASSO.replace("TOL", "1e-6")), "celer": (CELERS, CELER.replace("TOL", "1e-6"))},
        False,
        lasso_objective,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="abcCde")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--environments", type=Path, default=Path(tempfile.gettempdir()) / "mpi_pgd-peers")
    asked = parser.parse_args()
    print(f"{machine()}, {asked.ranks} ranks, medians of {TURNS}\n")
    for letter in asked.only:
        if letter == "e":
            choices(asked.ranks, asked.scale)
        else:
            contest(CONTESTS[letter], asked.scale, asked.ranks, asked.environments)


def contest(one: Contest, scale: float, ranks: int, environments: Path) -> None:
    """A table: seconds, the ratio of ours to each, and the suboptimality that was reached."""
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(Path(folder, "rows.h5"), "w") as file:
            one.make(file, scale)
        x, y = loaded(folder)
        l1 = repr(tenth(x, y)) if "L1" in one.ours else ""
        fits: dict[str, Callable[[], dict[str, Any]]] = {
            "mpi_pgd": lambda: ours(folder, [word if word != "L1" else l1 for word in one.ours], ranks)
        }
        for name, (packages, code) in one.peers.items():
            python = environment(environments, packages)
            text = READ + code.replace("L1", l1) + TOLD
            fits[name] = lambda python=python, text=text: peer(folder, python, text)  # type: ignore[misc]
        seconds, above = race(one, fits, x, y)
    print(f"{one.title}:\n\n| | seconds | mpi_pgd takes times that | above the best, relative |\n|---|---|---|---|")
    for name in fits:
        ratio = seconds["mpi_pgd"] / seconds[name]
        print(f"| {name} | {seconds[name]:.2f} | {ratio:.2f} | {above[name]:.1e} |")
    print(flush=True)


def race(
    one: Contest, fits: Mapping[str, Callable[[], dict[str, Any]]], x: np.ndarray, y: np.ndarray, repeats: int = TURNS
) -> tuple[dict[str, float], dict[str, float]]:
    """The median seconds of each, turn by turn, and how far above the best it ended, of what can be gained."""
    turns = [{name: fit() for name, fit in fits.items()} for _ in range(repeats)]
    values = {name: one.objective(x, y, np.array(found["coef"]), found["intercept"]) for name, found in turns[0].items()}
    empty = float(np.mean(y)) if one.make in (squared, sparse_truth) else null(one, y)
    best, start = min(values.values()), one.objective(x, y, np.zeros(x.shape[1]), empty)
    seconds = {name: median(turn[name]["read"] * one.whole + turn[name]["fit"] for turn in turns) for name in fits}
    return seconds, {name: (value - best) / (start - best) for name, value in values.items()}


def sparse_poisson(scale: float, repeats: int) -> tuple[dict[str, float], dict[str, float]]:
    """(c) with rows in CSR, as of ``race``: glum is in this environment, and has the columns in CSC or as categories.

    Raises:
        ImportError: it is not.
    """
    import glum  # noqa: F401 - before anything is made
    from scipy.sparse import csr_matrix

    one, python = CONTESTS["c"], Path(sys.executable)
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(Path(folder, "rows.h5"), "w") as file:
            one.make(file, scale)
        x, y = loaded(folder)
        csr(Path(folder, "csr.h5"), csr_matrix(x.astype(np.int8)), y)
        fits: dict[str, Callable[[], dict[str, Any]]] = {"mpi_pgd": lambda: ours(folder, one.ours, 2, "csr.h5")}
        for name, code in (("glum, CSC", GLUM), ("glum, categories", CATEGORIES)):
            text = READ + code.replace("ALPHA", str(ALPHA)).replace("RATIO", "0").replace("TOL", "1e-5") + TOLD
            fits[name] = lambda text=text: peer(folder, python, text)  # type: ignore[misc]
        return race(one, fits, x, y, repeats)


def null(one: Contest, y: np.ndarray) -> float:
    mean = float(np.mean(y))
    return float(np.log(mean / (1 - mean))) if one.make is classes else float(np.log(mean))


def loaded(folder: str) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(Path(folder, "rows.h5")) as file:
        return file["X"][:].astype(np.float64, copy=False), file["y"][:]


def ours(folder: str, words: list[str], ranks: int, rows: str = "rows.h5") -> dict[str, Any]:
    """Seconds of the program: from its start, and of its passes over the rows in memory."""
    mpirun = [str(Path(sys.executable).parent / "mpirun"), "-n", str(ranks)]
    command = [*mpirun, sys.executable, "-m", "mpi_pgd", rows, *words, *PLAIN, "--out", "run", "--force"]
    subprocess.run(command, cwd=folder, check=True)
    record = json.loads(Path(folder, "run/run.json").read_text())
    with h5py.File(Path(folder, "run/model.h5")) as file:
        coef, intercept = file["coef"][()], float(file["intercept"][()])
    seconds = record["seconds"]
    return {"read": seconds["total"] - seconds["solve"], "fit": seconds["solve"], "coef": coef, "intercept": intercept}


def peer(folder: str, python: Path, text: str) -> dict[str, Any]:
    told = subprocess.run([str(python), "-c", text], cwd=folder, check=True, capture_output=True, text=True, env=threads()).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def threads() -> dict[str, str]:
    """Of a peer: all cores, as it is started by a user."""
    unset = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_CORETYPE", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if name not in unset}


def environment(folder: Path, packages: str) -> Path:
    """The Python of an environment that has these packages."""
    place = folder / packages.split()[0]
    python = place / "bin/python"
    if not (place / "ready").exists():
        venv.create(place, clear=True, with_pip=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages.split()], check=True
        )
        (place / "ready").touch()
    return python


def choices(ranks: int, scale: float) -> None:
    """(e): the solve's seconds by each solver, on one job's ranks, turn by turn."""
    mpirun = [str(Path(sys.executable).parent / "mpirun"), "-n", str(ranks)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*mpirun, sys.executable, "-m", "mpi4py", str(RANKS), folder, str(scale)], check=True)
        print(Path(folder, "table.md").read_text())


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
