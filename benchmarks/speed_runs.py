"""Lines of speed.py that are whole runs of the program, and how it starts processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from benchmarks import solvers, speed_data, speed_page

ROOT = Path(__file__).resolve().parents[1]
ALONE = Path(__file__).with_name("speed_alone.py")
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
ENVIRONMENT = {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)}
TIMEOUT = 400.0  # seconds of a line on some ranks
Row = dict[str, Any]


class Asked(NamedTuple):
    """By the options; and a folder for what is made."""

    folder: Path
    scale: float
    repeats: int
    before: str

    def rows(self, count: int) -> int:
        return max(64, int(count * self.scale))


def mpirun(ranks: int, *words: object, **how: Any) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "mpirun", "-n", ranks, sys.executable, *words]
    how = {"env": ENVIRONMENT, "timeout": TIMEOUT, **how}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **how)


def missing(case: str, why: str) -> Row:
    return {"case": case, "value": None, "why": why}


def last(text: str) -> str:
    return (text.strip().splitlines() or ["no word"])[-1]


def memory(asked: Asked) -> list[Row]:
    """Of a whole run with long vectors: beside its rows, and what a run of few features takes."""
    features, path = asked.rows(2_000_000), asked.folder / "wide.h5"
    speed_data.dense(path, 4, features, "float64")
    words = ("--mode", "peer-to-peer", "--solver", "gd", "--rounds", 5, "--tol", 0, "--quiet")
    base = max(answer["peak"] for answer in alone(asked, 2, *words))
    peaks = [(answer["peak"] - base) / (8 * features) - 2 for answer in alone(asked, 2, path, *words)]  # two rows each
    case = f"p = {features:,}, peer-to-peer: memory of a rank in a whole run, beside its rows"
    beside = f"by rank {', '.join(f'{peak:.1f}' for peak in peaks)}"
    return [{"case": case, "value": max(peaks), "unit": "vectors", "word": "", "goal": None, "beside": beside}]


def alone(asked: Asked, ranks: int, *words: object, tree: Path = ROOT, traced: bool = False) -> list[dict[str, float]]:
    """What a run of the program took, by rank."""
    answers = asked.folder / "alone"
    done = mpirun(ranks, ALONE, answers, int(traced), *words, cwd=tree, env={**ENVIRONMENT, "PYTHONPATH": str(tree)})
    if done.returncode:
        raise RuntimeError(last(done.stderr))
    return [json.loads(Path(f"{answers}.{rank}").read_text()) for rank in range(ranks)]


def startup(asked: Asked) -> list[Row]:
    """A run of one round of the shipped data: seconds of the processor, and files opened, beside another commit's."""
    tree, git = asked.folder / "before", ["git", "-C", str(ROOT), "worktree"]
    added = subprocess.run([*git, "add", "--detach", tree, asked.before], capture_output=True, text=True, check=False)
    if added.returncode:
        return [missing("start-up to the first round", f"no commit to hold it against: {last(added.stderr)}")]
    try:
        trees, words = {"now": ROOT, "before": tree}, ("--mode", "peer-to-peer", "--rounds", 1, "--quiet")
        for place in trees.values():  # or what is older than its source would be opened for nothing
            subprocess.run([sys.executable, "-m", "compileall", "-q", place / "mpi_pgd"], check=True)
        turns = [
            {name: alone(asked, 2, *words, tree=place) for name, place in trees.items()} for _ in range(1 + (asked.repeats or 9))
        ]
        opened = {name: alone(asked, 2, *words, tree=place, traced=True) for name, place in trees.items()}
    finally:
        subprocess.run([*git, "remove", "--force", tree], check=True)
    case = f"start-up to the first round, a rank of 2, beside {asked.before}"
    seconds = {name: [max(one["seconds"] for one in turn[name]) for turn in turns[1:]] for name in trees}
    low, value, high = np.quantile(np.divide(seconds["now"], seconds["before"]), (0.25, 0.5, 0.75)).tolist()
    told = " against ".join(f"{1e3 * median(each):.0f} ms" for each in seconds.values())
    goal = {"unit": "times", "word": "at most", "goal": 1.0}
    rows = [{"case": f"{case}: CPU", "value": value, "low": low, "high": high, "beside": told, **goal}]
    files = {name: max(one["opened"] for one in opened[name]) for name in trees}
    if not all(files.values()):
        return [*rows, missing(f"{case}: files opened", "there is no strace to count them")]
    told = " against ".join(f"{each:.0f}" for each in files.values())
    return [*rows, {"case": f"{case}: files opened", "value": files["now"] / files["before"], "beside": told, **goal}]


def whole(asked: Asked) -> list[Row]:
    """A sparse fit from the file to 1e-3, in nonzeros of the data a second."""
    path, out = asked.folder / "sparse.h5", asked.folder / "whole"
    words = ("--loss", "logistic", "--l2", 1e-6, "--tol", 1e-3, "--mode", "peer-to-peer", "--quiet", "--out", out, "--force")
    case = "sparse logistic, 2 ranks, from the file to 1e-3: million nonzeros a second a core"
    done = mpirun(2, "-m", "mpi_pgd", path, *words)
    if done.returncode:
        raise RuntimeError(last(done.stderr))
    record = json.loads((out / "run.json").read_text())
    seconds, nonzeros = record["seconds"]["total"], 30 * asked.rows(1_000_000)
    beside = f"{seconds:.1f} s, {record['rounds']} rounds; {speed_page.PUBLISHED}"
    return [{"case": case, "value": nonzeros / seconds / 2e6, "unit": "", "word": "", "goal": None, "beside": beside}]


def poisson(asked: Asked) -> list[Row]:
    """One-hot columns as CSR, beside glum with all cores."""
    case = "Poisson, 600,000 rows, 322 one-hot columns as CSR, 2 ranks, against glum"
    try:
        seconds, above = solvers.sparse_poisson(asked.scale, asked.repeats or 3)
    except ImportError as error:
        return [missing(case, f"glum can't be had here: {error}")]
    ours = seconds.pop("mpi_pgd")
    best = min(seconds, key=seconds.__getitem__)
    beside = f"{ours:.2f} s against " + ", ".join(f"{name} {taken:.2f} s" for name, taken in seconds.items())
    beside += f"; all within {max(above.values()):.0e} of the optimum"
    return [{"case": case, "value": ours / seconds[best], "unit": "times", "word": "at most", "goal": 0.5, "beside": beside}]
