"""One speedup curve out of the ``scaling`` studies of several jobs, as those of an array over node counts. Without MPI."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from mpi_pgd.errors import InputError
from mpi_pgd.report import records, units
from mpi_pgd.report.shapes import Record, check, fields
from mpi_pgd.study.record import claim, write
from mpi_pgd.study.scaling import Scaling
from mpi_pgd.study.scaling.limits import conclusions

SCALING = Scaling()
FILE = f"{SCALING.name}.json"
# Beyond what a report needs: all that ``scaling`` writes and that is held together here.
NEEDED = {
    **fields(whole="rounds repeats largest?", text="command sums?"),
    "rows": [
        fields(whole="rows", text="weights_sha256")
        | dict.fromkeys(("seconds_per_round", "low", "high", "compute", "speedup"), "number above 0")
    ],
    "data": fields(whole="rows features"),
    "baselines": [{"name": "text"}],
    "machine": {"hosts": {"*": "whole"}, "cores": "whole"},
    "versions": {},
}


class Job(NamedTuple):
    """A job's record, the name of the folder that it lies in, and how many ranks it had."""

    folder: str
    ranks: int
    record: Record


def merge(folder: str) -> Path | None:
    """Make ``FOLDER/scaling.json`` of those in its subfolders; None, and nothing is done, if there are none.

    Nor is anything done where the folder has a run or a measured scaling study of its own: that is what is reported.

    Raises InputError: one of them can't be used; they are not of the same problem; it can't be written.
    """
    own = Path(folder, FILE)
    files = sorted(Path(folder).glob(f"*/{FILE}"))
    if not files or Path(folder, "run.json").exists() or (own.exists() and "jobs" not in records.study(own, SCALING)):
        return None
    record = joined([_job(file) for file in files])
    with claim(folder, SCALING.name) as claimed:
        return write(claimed, record)


def _job(file: Path) -> Job:
    record = records.study(file, SCALING)
    check(file, record, NEEDED)
    if not any(row["scaling"] == "strong" for row in record["rows"]):
        raise InputError(f"{file} holds no rows of strong scaling: make the study again")
    return Job(file.parent.name, sum(record["machine"]["hosts"].values()), record)


def joined(jobs: Sequence[Job]) -> dict[str, Any]:
    """The content of the one scaling.json. What several jobs measured is taken from the smallest of them.

    Raises InputError: the jobs are not of the same problem.
    """
    jobs = sorted(jobs, key=lambda job: (job.ranks, job.folder))
    _check_problems(jobs)
    _check_weights(jobs)
    weak = len({_largest(job) for job in jobs}) == 1
    rows = [row for row in _rows(jobs) if weak or row["scaling"] != "weak"]
    first, last = jobs[0].record, jobs[-1].record
    hosts: Counter[str] = Counter()
    for job in jobs:
        hosts |= Counter(job.record["machine"]["hosts"])  # the larger of each
    doubts = [f"{job.folder}: {doubt}" for job in jobs for doubt in job.record.get("doubts") or []]
    cores = min(job.record["machine"]["cores"] for job in jobs)
    return {
        **first,
        "largest": max(map(_largest, jobs)),
        "repeats": min(job.record["repeats"] for job in jobs),
        **conclusions(rows, last["machine"]["hosts"], cores, first["baselines"], doubts),
        "doubts": doubts,
        "notes": list(_notes(jobs, weak)),
        "jobs": [{"folder": job.folder, "ranks": job.ranks, "hosts": job.record["machine"]["hosts"]} for job in jobs],
        "rows": rows,
        "machine": {**first["machine"], "hosts": hosts, "cores": cores},
        "command": "\n".join(dict.fromkeys(job.record["command"] for job in jobs)),
    }


def _rows(jobs: Sequence[Job]) -> list[Mapping[str, Any]]:
    found: dict[tuple[str, str, str, int], Mapping[str, Any]] = {}
    for row in (row for job in jobs for row in job.record["rows"]):
        found.setdefault((row["scaling"], row["mode"], row["algorithm"], row["ranks"]), row)
    return [found[which] for which in sorted(found)]


def _largest(job: Job) -> int:
    return int(job.record.get("largest") or job.ranks)


def _check_problems(jobs: Sequence[Job]) -> None:
    first, *others = jobs
    for other, name in product(others, ("rows", "features", "rounds", "sums")):
        there, here = ({**job.record, **job.record["data"]}.get(name) for job in (first, other))
        if there != here:
            raise InputError(
                f"{first.folder} and {other.folder} can't become one curve: {name}, {there} there and {here} here; "
                f"make them of the same data with the same settings, or report each folder alone"
            )


def _check_weights(jobs: Sequence[Job]) -> None:
    """The same rows have to give the same weights, whoever computed; but for plain sums, whose bits depend on the ranks."""
    if jobs[0].record.get("sums") == "plain":
        return
    prints: dict[int, tuple[str, str]] = {}
    for job in jobs:
        for row in job.record["rows"]:
            folder, weights = prints.setdefault(row["rows"], (job.folder, row["weights_sha256"]))
            if weights != row["weights_sha256"]:
                raise InputError(
                    f"{folder} and {job.folder} can't become one curve: {row['rows']:,} rows gave the weights {weights[:8]} there "
                    f"and {row['weights_sha256'][:8]} here; make them of the same data with the same settings, on equal processors"
                )


def _notes(jobs: Sequence[Job], weak: bool) -> Iterator[str]:
    """How the rows were put together, and what in them is not alike."""
    names = ", ".join(f"{job.folder} ({units.count(job.ranks, 'rank')})" for job in jobs)
    ones = [one for job in jobs for one in job.record["baselines"] if one["name"] == "one rank"]
    alone = sorted(filter(None, (one.get("seconds_per_round") for one in ones)))
    took = f", which took {units.seconds(alone[0])} to {units.seconds(alone[-1])} a round" if len(alone) > 1 else ""
    yield (
        f"joined from {units.count(len(jobs), 'job')}, {names}: each speedup is over one rank in its own job{took}; "
        f"what several of them measured is taken from the smallest"
    )
    if not weak:
        yield "weak scaling is left out, as the jobs' ranks held different numbers of rows: give all of them the same --largest"
    first = jobs[0].record
    facts = [("machine", "cores"), ("machine", "processor"), *(("versions", name) for name in first["versions"])]
    unlike = [key for part, key in facts if any(job.record[part].get(key) != first[part].get(key) for job in jobs)]
    if unlike:
        yield f"the jobs differ in {', '.join(unlike)} (what {jobs[0].folder} has is shown): that may be a part of the speedup"
