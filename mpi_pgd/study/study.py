"""What a study is: a kind of record, with the command that makes it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from mpi_pgd import config
from mpi_pgd.report.export import to_text
from mpi_pgd.report.kinds import Kind
from mpi_pgd.report.shapes import Record

if TYPE_CHECKING:
    from mpi4py import MPI

    from mpi_pgd.engine.loop import StopFlags
    from mpi_pgd.session.inspect import Problem


class Flag(NamedTuple):
    """A flag of a study's command.

    Attributes:
        name: without the dashes.
        default: as typed.
        metavar: for its value, in the help.
        text: its help.
        kind: int and float are numbers, bool takes no value.
        least: of a number.
    """

    name: str
    default: str | None
    metavar: str
    text: str
    kind: type = str
    least: float | None = None


class Study(Kind):
    """A study: all that is particular to one of them. Its record lies in ``NAME.json``.

    Attributes:
        usage: of its command.
        description: above its flags.
        flags: its own.
        settings: those of a fit that it takes; none: nor does it take data.
        rounds: of each descent, unless --rounds says otherwise.
        cache: as of --cache: what is measured is to be the rounds, not the disk.
        out: help of --out.
        files: the names of what is typed beside flags, where there are no settings; and their help.
    """

    usage: ClassVar[str]
    description: ClassVar[str]
    flags: ClassVar[Sequence[Flag]] = ()
    settings: ClassVar[Sequence[str]] = config.having("studies")
    rounds: ClassVar[int] = 100
    cache: ClassVar[str] = config.MEMORY
    out: ClassVar[str] = "folder for the study's numbers"
    files: ClassVar[tuple[str, str] | None] = None

    def given(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values of its flags as ``measure`` wants them. Raises InputError: they make no sense."""
        return values

    def run(self, comm: "MPI.Intracomm", given: Mapping[str, Any], start: float) -> int:
        """Measure, print and write what was typed; gives the exit code. Collective."""
        from mpi_pgd.study.running import on_problem

        return on_problem(self, comm, given, start)

    def alone(self, given: Mapping[str, Any]) -> int:
        """As ``run``, of a study that needs no ranks."""
        raise NotImplementedError

    def measure(self, problem: "Problem", given: Mapping[str, Any], flags: "StopFlags") -> dict[str, Any] | None:
        """The record, without what all have (see ``record.envelope``), on rank 0; None elsewhere, and if a signal ended it early.

        Collective.

        Raises InputError: the rows don't fit into the memory, or the fit diverges.
        """
        raise NotImplementedError

    def brief(self, record: Record) -> Record:
        """The record as a terminal has room for it."""
        return record

    def figures(self, record: Record) -> list[tuple[str, str]]:
        """Of the facts those that are printed, too."""
        return []

    def text(self, record: Record) -> str:
        """What is printed: the tables as aligned lines, and what they say in sentences."""
        shown = self.brief(record)
        tables = [to_text(table) for table in self.tables(shown) if table.rows and not table.folded]
        figures = [f"{key:<24}{value}" for key, value in self.figures(record)]
        return "\n\n".join(filter(None, [*tables, "\n".join(figures), self.headline(record), *self.remarks(record)]))
