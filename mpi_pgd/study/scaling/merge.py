"""One speedup curve out of the ``scaling`` studies of several jobs, as those of an array over node counts. Without MPI."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mpi_pgd.errors import InputError
from mpi_pgd.report import records, units
from mpi_pgd.report.shapes import Record, check
from mpi_pgd.study.record import claim, write
from mpi_pgd.study.scaling import Scaling
from mpi_pgd.study.scaling.limits import conclusions

SCALING = Scaling()
FILE = f"{SCALING.name}.json"
# Beyond what a report needs: all that ``scaling`` writes and that is held together here.
NEEDED = {
    "rows": [
        {"rows": "whole", "weights_sha256": "text"} | dict.fromkeys(("seconds_per_round", "compute", "speedup"), "number above 0")
    ],
    "data": {"rows": "whole", "features": "whole"},
    **dict.fromkeys(("rounds", "repeats"), "whole"),
    "baselines": [{"name": "text"}],
    "machine": {"hosts": {"*": "whole"}, "cores": "whole"},
    "versions": {},
    "command": "text",
    "sums?": "text",
    "largest?": "whole",
}


class Job(NamedTuple):
    """A job's record, the name of the folder that it lies in, and how many ranks it had."""

    folder: str
    ranks: int
    record: Record


def merge(folder: str) -> Path | None:
    """Make ``FOLDER/scaling.json`` of those in its subfolders; None, and nothing is done, if there are none.

    Nor is anything done where the folder has a run or a measured scaling study of its own: that is what is reported.

    Raises:
        InputError: one of them can't be used; they are not of the same problem; it can't be written.
    """
    path = Path(folder)
    files = sorted(path.glob(f"*/{FILE}"))
    if not files or _own(path):
        return None
    record = joined([_job(file) for file in files])
    with claim(folder, SCALING.name) as claimed:
        return write(claimed, record)


def _own(path: Path) -> bool:
    if (path / "run.json").exists():
        return True
    return (path / FILE).exists() and "jobs" not in records.study(path / FILE, SCALING)


def _job(file: Path) -> Job:
    record = records.study(file, SCALING)
    check(file, record, NEEDED)
    if not any(row["scaling"] == "strong" for row in record["rows"]):
        raise InputError(f"{file} holds no rows of strong scaling: make the study again")
    return Job(file.parent.name, sum(record["machine"]["hosts"].values()), record)


def joined(jobs: Sequence[Job]) -> dict[str, Any]:
    """The content of the one scaling.json. What several jobs measured is taken from the smallest of them.

    Raises:
        InputError: the jobs are not of the same problem.
    """
    jobs = sorted(jobs, key=lambda job: (job.ranks, job.folder))
    _check_problems(jobs)
    _check_weights(jobs)
    weak = len({_largest(job) for job in jobs}) == 1
    rows = [row for row in _rows(jobs) if weak or row["scaling"] != "weak"]
    first, last = jobs[0].record, jobs[-1].record
    hosts = {host: max(job.record["machine"]["hosts"].get(host, 0) for job in jobs) for host in _hosts(jobs)}
    cores = min(job.record["machine"]["cores"] for job in jobs)
    return {
        **first,
        "largest": max(map(_largest, jobs)),
        "repeats": min(job.record["repeats"] for job in jobs),
        **conclusions(rows, last["machine"]["hosts"], cores),
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


def _hosts(jobs: Sequence[Job]) -> list[str]:
    return list(dict.fromkeys(host for job in jobs for host in job.record["machine"]["hosts"]))


def _largest(job: Job) -> int:
    return int(job.record.get("largest") or job.ranks)


def _check_problems(jobs: Sequence[Job]) -> None:
    first, *others = ((job.folder, _problem(job.record)) for job in jobs)
    for folder, problem in others:
        for name, value in problem.items():
            if value != first[1][name]:
                raise InputError(
                    f"{first[0]} and {folder} can't become one curve: {name}, {first[1][name]} there and {value} here; "
                    f"make them of the same data with the same settings, or report each folder alone"
                )


def _problem(record: Record) -> dict[str, Any]:
    data = record["data"]
    return {"rows": data["rows"], "features": data["features"], "rounds": record["rounds"], "sums": record.get("sums")}


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
    alone = sorted(filter(None, (one.get("seconds_per_round") for job in jobs for one in _one_rank(job))))
    took = f", which took {units.seconds(alone[0])} to {units.seconds(alone[-1])} a round" if len(alone) > 1 else ""
    yield (
        f"joined from {units.count(len(jobs), 'job')}, {names}: each speedup is over one rank in its own job{took}; "
        f"what several of them measured is taken from the smallest"
    )
    if not weak:
        yield "weak scaling is left out, as the jobs' ranks held different numbers of rows: give all of them the same --largest"
    unlike = ", ".join(_unlike(jobs))
    if unlike:
        yield f"the jobs differ in {unlike} (what {jobs[0].folder} has is shown): that may be a part of the speedup"


def _one_rank(job: Job) -> list[Mapping[str, Any]]:
    return [one for one in job.record["baselines"] if one["name"] == "one rank"]


def _unlike(jobs: Sequence[Job]) -> Iterator[str]:
    for part, keys in (("machine", ("cores", "processor")), ("versions", jobs[0].record["versions"])):
        for key in keys:
            if any(job.record[part].get(key) != jobs[0].record[part].get(key) for job in jobs):
                yield key
