"""How near a round is to what the machine can do, and what others take: `make bench`. Writes the page docs/speed.md shows.

    python benchmarks/speed.py [LINE ...] [--before COMMIT] [--scale S] [--repeats K] [--write]

Without a LINE (--help names them) all are run, in under 15 minutes on two cores. Contestants of a line take turns in one run, in
another order each time; told are the medians of the ratios turn by turn. Peers that are not installed here are said so. ``--write``
puts the figures into benchmarks/speed.json, the page, the picture and the README; lines that were not run keep their figures of
before, with their date. ``--scale`` multiplies the rows: then figures tell nothing, and none are written.
"""

# ruff: noqa: E402 - this checkout has to be found before it is imported
import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]  # this checkout, installed or not, here and in children
sys.path.insert(0, str(ROOT))

from benchmarks import reading, speed_data, speed_page
from benchmarks.speed_runs import Asked, Row, last, memory, missing, mpirun, poisson, startup, whole
from mpi_pgd import kernel
from mpi_pgd.session.provenance import blas, machine
from mpi_pgd.system import load

RANKS = Path(__file__).with_name("speed_ranks.py")
GCC = ["gcc", "-O3", "-march=native", "-shared", "-fPIC", Path(__file__).with_name("floor.c"), "-o"]
BEFORE = "64069d1"  # the last commit without a compiled kernel


class Line(NamedTuple):
    """Of the table: what it makes beforehand, on which numbers of ranks it runs, and the turns of each contestant."""

    make: Callable[[Asked], None]
    ranks: tuple[int, ...]
    repeats: int
    more: Callable[[Asked], list[Row]] = lambda _: []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", nargs="*", metavar="LINE", help=", ".join(LINES))
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help=f"whose start-up is held against ({BEFORE})")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=0, help="turns of each contestant, in place of each line's own")
    parser.add_argument("--write", action="store_true", help="the page, the picture and the README")
    asked = parser.parse_args()
    unknown = set(asked.lines) - set(LINES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: expected some of {', '.join(LINES)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that files and ranks go, too
    found, begun = {}, perf_counter()
    with tempfile.TemporaryDirectory(prefix="mpi_pgd-speed-") as folder:
        here = Asked(Path(folder), asked.scale, asked.repeats, asked.before)
        subprocess.run([*GCC, here.folder / "floor.so"], check=True)
        for name in asked.lines or LINES:
            found[name] = measured(name, here)
            print(speed_page.table({name: found[name]}), flush=True)
            if asked.write and asked.scale == 1.0:
                speed_page.write({name: found[name]})
    print(f"{perf_counter() - begun:.0f} s")
    return int(any(row.get("failed") for line in found.values() for row in line["rows"]))


def measured(name: str, asked: Asked) -> dict[str, Any]:
    """The rows of a line, and with what they were measured."""
    line, rows = LINES[name], []
    facts = {
        "date": f"{date.today():%Y-%m-%d}",
        "processor": machine([""])["processor"],
        "cores": os.cpu_count(),
        "kernel": f"{kernel.NAME} {kernel.SET}".strip(),
        "blas": blas(),
    }
    line.make(asked)
    with watched() as others:
        for ranks in line.ranks:
            rows += on_ranks(name, ranks, asked.repeats or line.repeats, asked)
        try:
            rows += line.more(asked)
        except (RuntimeError, subprocess.SubprocessError) as error:
            rows.append(failed(name, str(error)))
    return {**facts, "others": others, "rows": rows}


def on_ranks(name: str, ranks: int, repeats: int, asked: Asked) -> list[Row]:
    """What speed_ranks.py answers; a line that fails says so, and the others go on."""
    done = mpirun(ranks, "-m", "mpi4py", RANKS, name, asked.folder, repeats, asked.rows(25_000_000))
    if done.returncode:
        return [failed(f"{name}, {ranks} ranks", done.stderr)]
    rows: list[Row] = json.loads((asked.folder / f"{name}-{ranks}.json").read_text())
    return rows


def failed(case: str, text: str) -> Row:
    return {**missing(case, f"failed: {last(text)}"), "failed": True}


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """What else the machine does meanwhile: cores that ``others`` than these processes keep busy, and the share ``stolen``."""
    told: dict[str, float] = {"load": os.getloadavg()[0]}
    before, own = load.usage(), _own()
    yield told
    after = load.usage()
    if before and after:
        seconds = after.at - before.at
        told["others"] = max(0.0, after.busy - before.busy - (_own() - own)) / seconds
        told["stolen"] = (after.stolen - before.stolen) / (seconds * after.cores)


def _own() -> float:
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


# What the lines need


def dense_file(asked: Asked, *names: str) -> None:
    for name in names:
        path = asked.folder / f"{name}.h5"
        if not path.exists():
            speed_data.dense(path, asked.rows(1_000_000), 200, name)


def sparse_file(asked: Asked) -> None:
    speed_data.sparse(asked.folder / "sparse.h5", asked.rows(1_000_000), asked.rows(100_000), 30)


def wide_file(asked: Asked) -> None:
    speed_data.sparse(asked.folder / "wide.h5", asked.rows(200_000), asked.rows(1_000_000), 30)


def gram_files(asked: Asked) -> None:
    for features, rows in ((200, 200_000), (1000, 20_000)):
        speed_data.dense(asked.folder / f"gram{features}.h5", asked.rows(rows), features, "float64")


def loading_files(asked: Asked) -> None:
    for layout in ("contiguous", "chunks"):
        reading.make(str(asked.folder / f"{layout}.h5"), asked.rows(200_000), 200, reading.LAYOUTS[layout])


def arrays_file(asked: Asked) -> None:
    speed_data.dense(asked.folder / "arrays.h5", asked.rows(1_000_000), 50, "float64")


LINES = {
    "dense": Line(lambda asked: dense_file(asked, "float64"), (1, 2), 11),
    "storage": Line(lambda asked: dense_file(asked, "float64", "float32", "int8"), (2,), 11),
    "sparse": Line(sparse_file, (2,), 15, whole),
    "wide": Line(wide_file, (1, 2), 15),
    "poisson": Line(lambda _: None, (), 3, poisson),
    "gram": Line(gram_files, (1,), 7),
    "long": Line(lambda _: None, (2,), 7, memory),
    "loading": Line(loading_files, (1, 2), 11),
    "arrays": Line(arrays_file, (1, 2), 15),
    "small": Line(lambda _: None, (2,), 15),
    "startup": Line(lambda _: None, (), 9, startup),
}

if __name__ == "__main__":
    sys.exit(main())
