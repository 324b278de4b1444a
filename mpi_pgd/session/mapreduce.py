"""The user's own map: the public ``mapreduce``, and ``Rows``, which are read once for any number of them."""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from itertools import chain
from types import TracebackType
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd import config
from mpi_pgd.comm.world import agreement, everyone, guard, once
from mpi_pgd.config import Settings
from mpi_pgd.drivers.mapreduce import DeferredSums, MapDriver, MapTask
from mpi_pgd.drivers.reductions import REDUCTIONS
from mpi_pgd.engine import trees
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.query import Query
from mpi_pgd.errors import InputError, nearest
from mpi_pgd.recovery.attempts import Team, run_attempts
from mpi_pgd.session.given import Given
from mpi_pgd.session.inspect import dense_only, inspect_files, say_warnings
from mpi_pgd.session.load import check_room, choose_mode, load_rows
from mpi_pgd.session.passes import make_rounds
from mpi_pgd.session.rows import rows_of
from mpi_pgd.session.run import one_thread, ranks_of
from mpi_pgd.user import load

Map = Callable[..., Any] | str


def mapreduce(
    data: Any, map: Map, reduce: str = "sum", *, broadcast: Any = None, comm: MPI.Intracomm | None = None, **options: Any
) -> Any:
    """One function on every block of rows, in parallel, and its results reduced to one. Collective over ``comm``.

    Args:
        data: a file, a glob, or several of them, as text or paths; or X, with ``y`` as an option, the rows that this rank has, as
            of ``fit``.
        map: ``map(X, y)``, or ``map(broadcast, X, y)`` if there is a ``broadcast``: from X (rows, features) and y (rows,) of some
            rows, or (rows, k) where each has k targets, float64 and read-only, to a number, an array, or dicts, lists and tuples of
            them, of the same shapes always. Or where it is, as text: ``package.module:function`` or ``FILE.py:function``.
        reduce: ``sum``; ``mean``, the sum over the number of rows; ``max``, ``min``, elementwise; or ``collect``, a list of the
            results, which may be anything, in the order of the rows, of at most 256 MiB together.
        broadcast: a number, an array, or dicts, lists and tuples of them; the numbers of the first rank go to all. Arrays arrive as
            float64 or int64, read-only.
        comm: the ranks that take part; all of the world if not given.
        options: ``x``, ``y``, ``mode``, ``algorithm``, ``memory`` and ``cache``, and those of tables, as of ``fit``.

    Returns:
        The reduced result, on every rank, to the same bits for any number of ranks, in every mode. Sums of floats are float64, sums
        of whole numbers exact; where they can't be, they are refused.

    Raises:
        InputError: data, options, or what ``map`` gave can't be used; on every rank alike. Any other exception on one of several
            ranks ends them all, with its traceback.
    """
    with guard(everyone()):
        world = ranks_of(comm)
    with guard(world), one_thread():
        return run(world, data, map, reduce, broadcast, options)


def run(
    world: MPI.Intracomm,
    data: Any,
    map: Map,
    reduce: str,
    broadcast: Any,
    options: dict[str, Any],
    show: Callable[[Any], None] = lambda _: None,
) -> Any:
    """``mapreduce``, as the command line does it: ``show`` is given the result on one rank, before the others may leave."""

    def attempt(team: Team) -> Any:
        with agreement(team.comm):
            _asked(map, reduce, broadcast)  # before rows are read, which may take long
        result = _Held(team, data, options).reduced(map, reduce, broadcast)
        with agreement(team.comm):
            if team.comm.rank == 0:
                show(result)
        return result

    return run_attempts(world, attempt)


class Rows:
    """Rows of HDF5 files, or of arrays, read once and held by the ranks, for any number of ``mapreduce``. Collective over ``comm``.

    Used in a ``with`` statement, an exception in its lines on one of several ranks ends them all, with its traceback. It does not
    go on without a rank that is lost.

    Args:
        data, comm, options: of ``mpi_pgd.mapreduce``.

    Attributes:
        shape: how many rows and features.
        names: of the features, if the input has them.
        comm: a communicator of these ranks, for the program's own use.
    """

    def __init__(self, data: Any, *, comm: MPI.Intracomm | None = None, **options: Any) -> None:
        with guard(everyone()):
            world = ranks_of(comm)
        self._open = ExitStack()
        with guard(world):
            self._open.enter_context(one_thread())
            self.comm = world.Dup()
            self._open.callback(self.comm.Free)
            self._held = _Held(Team(self.comm, range(self.comm.size), survives=False), data, options)
        table = self._held.problem.table
        self.shape, self.names = (table.rows, table.features), table.names

    def mapreduce(self, map: Map, reduce: str = "sum", *, broadcast: Any = None) -> Any:
        """As ``mpi_pgd.mapreduce``, on these rows. Collective."""
        with guard(self.comm):
            return self._held.reduced(map, reduce, broadcast)

    def close(self) -> None:
        """Let the rows go. Collective."""
        self._open.close()
        del self._held

    def __enter__(self) -> "Rows":
        self._guard = ExitStack()
        self._guard.enter_context(guard(self.comm))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._guard.__exit__(kind, error, trace)
        self.close()


class _Held:
    """Rows in memory, on the ranks of a team."""

    def __init__(self, team: Team, data: Any, options: dict[str, Any]) -> None:
        comm = self.comm = team.comm
        given = Given("mapreduce", data, (), options)
        given.agree(comm)
        chosen = once(comm, None, lambda: _settings(given))
        self.problem = inspect_files(comm, chosen, ids=team.ids, shrunk=bool(team.lost), given=given)
        dense_only(self.problem)
        self.mode = choose_mode(self.problem).whole
        check_room(self.problem, self.mode)
        self.shard = load_rows(self.problem, self.mode)
        say_warnings(self.problem)

    def reduced(self, map: Map, reduce: str, broadcast: Any) -> Any:
        """The result, on every rank. Collective."""
        comm, problem, facts = self.comm, self.problem, self.problem.facts
        with agreement(comm):
            task, point = _asked(map, reduce, broadcast)
        with agreement(comm):
            self._check_alike(f"{task.name} of {getattr(task.function, '__module__', '')}, {reduce}, {_told(task.broadcast)}")
        first = facts.first_worker(comm.size) + int(self.shard.owners[0])

        def prepare(query: Query) -> None:
            form = None
            with agreement(comm):
                form = task.look(query.point, next(iter(self.shard.blocks(query)), None)) if reduction.formed else None
            task.prepare(comm.bcast(form, first))

        reduction = task.reduction
        query = Query([task])
        sums = DeferredSums(prepare, problem.partition.blocks, reduction.peak)
        driver = MapDriver(task, problem.rows, point, lambda vector: None if facts.servers else comm.Bcast(vector))
        make_rounds(comm, self.mode, self.shard, sums, driver, query)
        if not query.point[0]:
            with agreement(comm):
                if task.error:
                    raise task.error
        total = driver.total if len(driver.total) else np.empty(task.layout.width)
        if facts.servers:
            comm.Bcast(total)
        return reduction.result(total, problem.rows, self)

    def maximum(self, vector: Vector) -> None:
        """As ``drivers.reductions.Ranks``."""
        self.mode.maximum(vector)

    def gather(self, pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """As ``drivers.reductions.Ranks``."""
        return list(chain.from_iterable(self.comm.allgather(pieces)))

    def _check_alike(self, call: str) -> None:
        """Whether all ranks ask for the same."""
        number = float(int.from_bytes(hashlib.sha256(call.encode(errors="replace")).digest()[:6]))
        both = np.array([number, -number])
        self.comm.Allreduce(MPI.IN_PLACE, both, MPI.MAX)
        if both[0] != -both[1]:
            calls = self.comm.allgather(call)
            other = next(rank for rank, its in enumerate(calls) if its != calls[0])
            raise InputError(
                f"mapreduce was called for {calls[0]} on rank 0, and for {calls[other]} on rank {other}: expected the same"
            )


def _settings(given: Given) -> Settings:
    for name in given.options:
        if name not in config.MAPPED:
            raise InputError(
                f"mapreduce has no option {name}{nearest(name, config.MAPPED)}: expected one of {', '.join(config.MAPPED)}"
            )
    settings = given.start().settings
    return config.settings(settings if given.names else rows_of(settings))


def _asked(map: Map, reduce: str, broadcast: Any) -> tuple[MapTask, Vector]:
    """The task, and its point."""
    function = load(map) if isinstance(map, str) else map
    if not callable(function):
        raise InputError(f"map was given {function!r}: expected a function of X and y")
    if reduce not in REDUCTIONS:
        raise InputError(f"reduce was given {reduce!r}{nearest(str(reduce), REDUCTIONS)}: expected one of {', '.join(REDUCTIONS)}")
    try:
        form = None if broadcast is None else trees.form(broadcast)
        task = MapTask(function, getattr(function, "__name__", type(function).__name__), form, REDUCTIONS[reduce]())
        point = np.zeros(task.width)
        if form is not None:
            trees.write(broadcast, form, point[: trees.width(form)])
    except InputError as error:
        raise InputError(f"broadcast was given {error}") from None
    return task, point


def _told(form: Any) -> str:
    return "no broadcast" if form is None else f"broadcast {trees.told(form)}"
