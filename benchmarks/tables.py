"""How fast `data convert` is beside pyarrow, which reads the same CSV in batches with as many threads and keeps nothing of it.

    python benchmarks/tables.py [--gigabytes G] [--repeats K] [--folder DIR]

"numbers" is 50 columns of them, which one pass converts; "categories" are 40 of these, 8 of words and 2 with gaps that are
filled, for which all rows are looked at before one is written. Each turn is a process of its own. Memory is the largest
resident set of it. Other load on the machine shows: go by the ratios, and those of processor time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
ROWS = 20_000  # made once, and repeated
WORDS = np.array(["red", "green", "blue", "black", "white", "pink", "grey", "teal"])
READ = """
import os, sys
import pyarrow as pa, pyarrow.csv as csv
pa.set_cpu_count(len(os.sched_getaffinity(0)))
types = {f"c{i}": pa.float64() if i < int(sys.argv[2]) else pa.dictionary(pa.int32(), pa.string()) for i in range(50)}
options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
print(sum(batch.num_rows for batch in csv.open_csv(sys.argv[1], convert_options=options)))
"""


def lines(words: int, gaps: int) -> bytes:
    """Some rows, of which the last columns are words, and the first have gaps."""
    draw = np.random.default_rng(0)
    numbers = np.round(draw.normal(size=(ROWS, 50 - words)) * 10, 5)
    told = [list(map(repr, row)) for row in numbers.tolist()]
    for row, some in zip(told, draw.random((ROWS, gaps)) < 0.1, strict=True):
        row[1 : 1 + gaps] = ["" if gap else value for value, gap in zip(row[1 : 1 + gaps], some, strict=True)]
    ends = draw.choice(WORDS, (ROWS, words)).tolist()
    return "".join(f"{','.join([*row, *end])}\n" for row, end in zip(told, ends, strict=True)).encode()


def made(path: Path, size: float, words: int, gaps: int) -> None:
    part = lines(words, gaps)
    with path.open("wb") as file:
        file.write((",".join(f"c{place}" for place in range(50)) + "\n").encode())
        for _ in range(max(1, round(size / len(part)))):
            file.write(part)


def turn(words: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of processors, and MiB of memory of a process."""
    begun = perf_counter()
    job = subprocess.Popen(words, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)})
    _, status, used = os.wait4(job.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed")
    return perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", help="where the files are made; they are removed at the end")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        table, out = Path(folder, "table.csv"), Path(folder, "out.h5")
        for name, words, gaps, more in (("numbers", 0, 0, []), ("categories", 8, 2, ["--missing", "mean"])):
            made(table, given.gigabytes * 1e9, words, gaps)
            convert = [sys.executable, "-m", "mpi_pgd", "data", "convert", str(table), str(out), "--target", "c0", "--quiet", *more]
            contestants: dict[str, Callable[[], tuple[float, float, float]]] = {
                "pyarrow": lambda words=words: turn([sys.executable, "-c", READ, str(table), str(50 - words)]),  # type: ignore[misc]
                "convert": lambda convert=convert: turn(convert),  # type: ignore[misc]
            }
            for run in contestants.values():
                run()  # into the page cache
            found: dict[str, list[tuple[float, float, float]]] = {each: [] for each in contestants}
            for _ in range(given.repeats):
                for each, run in contestants.items():
                    found[each].append(run())
            size = table.stat().st_size / 1e6
            for each, turns in found.items():
                wall, used, memory = (median(column) for column in zip(*turns, strict=True))
                print(f"{name:<11}{each:<8} {size / wall:6.0f} MB/s  {wall:6.2f} s  {used:6.2f} s of processors  {memory:4.0f} MiB")
            ratios = [median(a[k] / b[k] for a, b in zip(found["pyarrow"], found["convert"], strict=True)) for k in (0, 1)]
            print(f"{name:<11}of pyarrow's rate {ratios[0]:.2f}, by processor time {ratios[1]:.2f}", flush=True)


if __name__ == "__main__":
    main()
