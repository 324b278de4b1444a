"""The chaos suite: `make chaos`, or `python -m tests.chaos --help`.

It prints a line a case, and at the end the account; it exits with 1 if anything failed.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.chaos import cluster, disk, fuzz, kills, losses, neighbours, resumes, storm, tables
from tests.chaos.common import Ground, Tally, available

Part = Callable[[int, Random, Ground, Tally], None]


def bad_files(count: int, random: Random, ground: Ground, tally: Tally) -> None:
    """The fuzzer has an account of its own."""
    folder = tally.folder / "fuzz"
    tally.failures = fuzz.main(["--cases", str(count), "--seed", str(tally.seed), "--keep", str(folder)])
    if not tally.failures:
        shutil.rmtree(folder)
    tally.counts["ended in good order"] = count - tally.failures
    tally.counts["FAILED"] = tally.failures


PARTS: dict[str, tuple[Part, int, str]] = {
    "kills": (kills.run, 100, "random kills of ranks (Open MPI with ULFM)"),
    "nodes": (kills.run_on_hosts, 100, "the same on 2 and 3 hosts with 2 ranks each (root)"),
    "storm": (storm.run, 200, "deaths in one run of 8 ranks on 2 hosts, started again from its checkpoint (root)"),
    "resumes": (resumes.run, 50, "random kills of the whole job, which then goes on elsewhere"),
    "neighbours": (neighbours.run, 200, "fits of peers with neighbours under random delays, ended in every way"),
    "cluster": (cluster.run, len(cluster.cases()), "nodes killed, links cut (root)"),
    "losses": (losses.run, len(losses.cases()), "nodes of a SLURM lost, each under eight jobs (root, and SLURM's packages)"),
    "disk": (disk.run, len(disk.cases()), "full and read-only disks, data that go or change (root)"),
    "fuzz": (bad_files, 500, "bad files"),
    "tables": (tables.run, 500, "damaged tables, converted"),
}


def main() -> int:
    """Run the parts."""
    arguments = _parser().parse_args()
    counts = {name: getattr(arguments, name) for name in PARTS}
    if all(count is None for count in counts.values()):
        counts = {name: default for name, (_, default, _) in PARTS.items()}
    failures = Path(tempfile.mkdtemp(prefix="mpi_pgd-chaos-failures-"))
    print(f"seed {arguments.seed}; libraries: {', '.join(library.name for library in available())}", flush=True)
    tallies = [_run(name, count, Tally(name, failures, arguments.seed)) for name, count in counts.items() if count]
    print("\n" + "\n".join(line for tally in tallies for line in tally.lines()))
    if not any(failures.iterdir()):
        failures.rmdir()
    return int(any(tally.failures for tally in tallies))


def _run(name: str, count: int, tally: Tally) -> Tally:
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mpi_pgd-chaos-", ignore_cleanup_errors=True) as folder:
        PARTS[name][0](count, Random(f"{tally.seed} {name}"), Ground(Path(folder)), tally)
    tally.notes.append(f"{time.monotonic() - start:.0f} s")
    return tally


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser("python -m tests.chaos", description=f"{__doc__} Without a count, all parts are run in full.")
    made.add_argument("--seed", type=int, default=0, help="another seed, other cases (default 0)")
    for name, (_, default, text) in PARTS.items():
        made.add_argument(f"--{name}", type=int, metavar="N", help=f"{text} (in full: {default})")
    return made


if __name__ == "__main__":
    sys.exit(main())
