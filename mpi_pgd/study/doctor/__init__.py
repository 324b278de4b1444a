"""``doctor``: in seconds, before the hours are spent, what is wrong with the set-up, each finding with what to do.

Every rank tells its facts (``facts``, ``pings``, ``files``); rank 0 judges them (``checks``, ``layout``); all get the findings.
Where looking or judging crashes, that is a finding, too (``crashes``).
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from mpi_pgd import config
from mpi_pgd.options import DATA
from mpi_pgd.report import units
from mpi_pgd.report.export import Column, Table
from mpi_pgd.report.shapes import Record, Shape
from mpi_pgd.study.study import Study

if TYPE_CHECKING:
    from mpi4py import MPI


class Doctor(Study):
    """What is wrong with the set-up."""

    title, lead = "The doctor's findings", 5
    shape: ClassVar[Shape] = {"rows": [{"check": "text", "level": "text", "finding": "text", "advice?": "text"}]}
    usage = "mpirun -n N python -m mpi_pgd doctor [DATA ...] [options]"
    description = (
        "Look at the world, the cores, the memory, the files, the clocks and the network, in seconds, before the hours are spent.\n"
        "Each finding says what to do. Options say what a fit will read."
    )
    settings = (*(name for name, item in config.OPTIONS.items() if item.metadata["group"] == DATA), "init", "quiet")
    out = "the fit's output folder; gets doctor.json"

    def run(self, comm: "MPI.Intracomm", given: Mapping[str, Any], start: float) -> int:
        """Examine, and print on rank 0 (of the first world, if there are many of one rank). Collective."""
        from mpi_pgd.comm.world import agreement, nodes
        from mpi_pgd.study.doctor.examine import examine, usable
        from mpi_pgd.study.doctor.findings import text
        from mpi_pgd.study.record import claim, envelope, spare, write

        chosen = config.settings(given["settings"])
        usable(comm, chosen.data)
        findings = examine(comm, chosen, given["out"], shown=comm.rank == 0 and not given["quiet"])
        names = nodes(comm)
        with agreement(comm):
            if comm.rank == 0 and os.environ.get("SLURM_PROCID", "0") == "0":
                if not given["quiet"]:
                    print(text(findings), flush=True)
                if given["out"]:
                    with claim(given["out"], self.name) as claimed:
                        spare(given["out"], self.name, given["force"])
                        rows = [item._asdict() for item in findings]
                        write(claimed, envelope(self.name, names, rows=rows, data={"files": list(chosen.data)}))
        return 0

    def sentence(self, record: Record) -> str:
        """How many checks and warnings there are."""
        number = sum(row["level"] == "warning" for row in record["rows"])
        checks = units.count(len(record["rows"]), "check")
        return f"{checks.capitalize()}, {units.count(number, 'warning')}." if number else f"{checks.capitalize()}, no warning."

    def tables(self, record: Record) -> list[Table]:
        """The findings."""
        columns = (Column("check", "Check"), Column("level", "Level"), Column("finding", "Finding"), Column("advice", "What to do"))
        return [Table(self.name, "What was looked at", columns, record["rows"])]
