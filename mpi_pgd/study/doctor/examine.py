"""All ranks look, rank 0 judges, and all get the findings."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from mpi4py import MPI

from mpi_pgd.comm.world import guard, nodes, rest
from mpi_pgd.config import Settings
from mpi_pgd.data.files import find
from mpi_pgd.data.table import Table
from mpi_pgd.errors import InputError
from mpi_pgd.observers.alignment import offsets
from mpi_pgd.report.progress import Steps
from mpi_pgd.session.load import SPARE
from mpi_pgd.study.doctor import checks, files, layout
from mpi_pgd.study.doctor.crashes import Crashes, told
from mpi_pgd.study.doctor.facts import about_me
from mpi_pgd.study.doctor.files import Folder, Store
from mpi_pgd.study.doctor.findings import Finding
from mpi_pgd.study.doctor.pings import pings
from mpi_pgd.study.doctor.signs import Rank, leaders

PARTS = 4  # the ranks' facts, the network, the data, and what to make of it all

Judge = tuple[str, Callable[[], Finding]]  # a check, and what makes its finding


def examine(comm: MPI.Intracomm, chosen: Settings, out: str = "", shown: bool = False) -> list[Finding]:
    """Look at everything before a fit on these ranks. Collective; the findings are the same on every rank.

    What it finds, it does not raise: that becomes a finding. An exception amid messages ends all ranks.

    Args:
        chosen: the settings of the fit; with no data, the checks that need them become one note.
        out: the output folder, made if need be; none if empty.
        shown: whether this rank says how far it is.
    """
    with guard(comm):
        mine = comm.Dup()
        try:
            with Steps("part", range(PARTS), shown) as line:
                return _examine(mine, chosen, out, line)
        finally:
            mine.Free()


def usable(comm: MPI.Intracomm, data: Sequence[str]) -> None:
    """Raise InputError if there are no such files, on no node; what only some nodes lack is a finding. Collective."""
    mine = ""
    if comm.rank in leaders(nodes(comm)):
        try:
            find(data)
        except InputError as error:
            mine = str(error)
    rest(comm)
    errors, names = comm.allgather(mine), nodes(comm)
    missing = [errors[rank] for rank in leaders(names)]
    if all(missing):
        raise InputError.again(missing[0])


def _examine(comm: MPI.Intracomm, chosen: Settings, out: str, line: Steps) -> list[Finding]:
    names, crashes = nodes(comm), Crashes()
    line.next()
    firsts = leaders(names)
    clocks = offsets(comm, firsts)
    me = about_me(comm, names, crashes)
    rest(comm)
    everyone = comm.gather(me) or []
    line.next()
    found = pings(comm, names, crashes)
    line.next()
    seen = _look(comm, names, chosen, crashes)
    line.next()
    later = offsets(comm, firsts)
    findings: list[Finding] = []
    if comm.rank == 0:
        first = {names[rank]: rank for rank in firsts}  # a rank's clock is that of the first rank of its node
        at = [(facts, first[facts.node]) for facts in everyone]
        ranks = [replace(facts, offset=clocks[one], moved=later[one] - clocks[one]) for facts, one in at]
        place = Folder("")
        with crashes.part("out"):
            place = files.out_folder(out) if out else place
        folders = [folder for folder in (seen.folder, place if place.path else None) if folder]
        on_folders = (("locking", lambda: layout.locking(folders, len(firsts))), ("out", lambda: layout.output(place)))
        for check, judge in [*checks.setup(ranks, found), *_on_data(seen, ranks, chosen.data), *on_folders]:
            with crashes.part(check):
                findings.append(judge())
    rest(comm)
    crashed = comm.gather(crashes.found) or []
    broken = {finding.check: finding for finding in told(crashed, names)}  # a check of facts that a crash left out says nothing
    findings = [broken.pop(finding.check, finding) for finding in findings] + list(broken.values())
    return list(comm.bcast(findings))


@dataclass(frozen=True)
class _Seen:
    """What the nodes see of the data; ``read``: bytes and seconds of the first rows."""

    errors: dict[str, str]
    others: list[str]
    table: Table | None = None
    stores: tuple[Store, ...] = ()
    read: tuple[int, float] = (0, 0.0)
    folder: Folder | None = None


def _look(comm: MPI.Intracomm, names: Sequence[str], chosen: Settings, crashes: Crashes) -> _Seen:
    """The first rank of each node looks; the first that can read the data tells about them. On rank 0. Collective."""
    if not chosen.data:
        return _Seen({}, [])
    table, error, mark = None, "", ""
    if comm.rank in leaders(names):
        with crashes.part("data"):
            table, error = files.table(chosen)
            mark = hashlib.sha256(repr(table).encode()).hexdigest() if table else ""
    rest(comm)
    answers = comm.allgather((mark, error))
    marks = {rank: answers[rank] for rank in leaders(names)}
    errors = {names[rank]: error for rank, (_, error) in marks.items() if error}
    teller = next((rank for rank, (mark, _) in marks.items() if mark), -1)
    if teller < 0:
        return _Seen(errors, [])
    others = [names[rank] for rank, (mark, _) in marks.items() if mark not in ("", marks[teller][0])]
    told = _tell(table, errors, others, crashes) if table and comm.rank == teller else None
    rest(comm)
    return cast(_Seen, comm.bcast(told, teller))


def _tell(table: Table, errors: dict[str, str], others: list[str], crashes: Crashes) -> _Seen:
    layouts: list[Store] = []
    read, folder = (0, 0.0), None
    try:
        with crashes.part("chunks"):
            layouts = files.stores(table)
        with crashes.part("reading"):
            read = files.timed_read(table, layouts)
        with crashes.part("locking"):
            folder = files.data_folder(table.parts[0].path)
    except InputError as error:  # it has gone, or has changed, since it was looked at
        return _Seen({"": str(error), **errors}, others)
    return _Seen(errors, others, table, tuple(layouts), read, folder)


def _on_data(seen: _Seen, ranks: Sequence[Rank], data: Sequence[str]) -> Sequence[Judge]:
    if not data:
        nothing = Finding("data", "note", "no data were named: memory, blocks and chunks were not looked at", "name the files")
        return [("data", lambda: nothing)]
    table = seen.table
    access = ("data", lambda: layout.access(seen.errors, seen.others, table))
    return (
        [access]
        if table is None
        else [
            access,
            ("memory", lambda: layout.room(table, ranks, SPARE)),
            ("blocks", lambda: layout.blocks(table, len(ranks))),
            ("chunks", lambda: layout.chunks(table, seen.stores, len(ranks))),
            ("reading", lambda: layout.reading(*seen.read)),
        ]
    )
