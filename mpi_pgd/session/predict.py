"""Predictions for rows of files, written into one file as they are made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from mpi_pgd.comm.world import agreement, rest
from mpi_pgd.data.notes import Notes
from mpi_pgd.data.outputs import Column, Output, Put, output_of
from mpi_pgd.data.rooms import held
from mpi_pgd.data.stream import Stream
from mpi_pgd.data.table import Table
from mpi_pgd.drivers.predictor import Predictor
from mpi_pgd.engine.arrays import Vector
from mpi_pgd.engine.block import Block
from mpi_pgd.errors import InputError, Stopped
from mpi_pgd.recovery.attempts import Team, run_attempts
from mpi_pgd.session.fitted import loaded, looked, names_of, predictor, settings
from mpi_pgd.session.inspect import Problem, say_warnings
from mpi_pgd.session.run import one_thread
from mpi_pgd.system import output
from mpi_pgd.system.placed import of_file

WINDOW = 64 << 20  # bytes of rows that a rank reads between two messages: these cost some tenths of a millisecond
GATHERED = 16 << 20  # bytes that all ranks write between two messages, at most
TEXT = 24  # bytes of a number, if that is written as text


def run(world: MPI.Intracomm, given: Mapping[str, Any], stopped: Callable[[], bool]) -> int:
    """``predict``, as the command line does it; gives how many rows there were. Collective.

    Args:
        world: all ranks.
        given: ``model``, ``data`` and ``out``, names of files; ``eta``; and ``options``, settings by name.
        stopped: whether a signal came to this rank.

    Raises:
        InputError: it can't be done; ``Stopped`` after a signal. Nothing is left of it.
    """

    def attempt(team: Team) -> int:
        with ExitStack() as stack:
            return _predict(team, given, stopped, stack)

    with np.errstate(over="ignore", invalid="ignore"), one_thread():
        return run_attempts(world, attempt)


def _predict(team: Team, given: Mapping[str, Any], stopped: Callable[[], bool], stack: ExitStack) -> int:
    comm = team.comm
    model = loaded(comm, given["model"])
    with agreement(comm):
        chosen = settings(model, {**given["options"], **{name: given[name] for name in ("data", "quiet")}, "y": "", "weights": ""})
        found = predictor(model)
    problem = looked(team, chosen, model, given["model"], stopped, stack)
    say_warnings(problem)
    columns = columns_of(found, names_of(model), given["eta"])
    with agreement(comm):
        if comm.rank == 0:
            stack.enter_context(of_file(f"predict ... {given['out']}", given["out"], again=bool(team.lost)))
    served = "mode" in given["options"]
    write(problem, found, columns, output_of(given["out"]), given["out"], served, stopped)
    return problem.rows


def columns_of(model: Predictor, names: Sequence[str], linear: bool) -> list[Column]:
    """What is written of each row; ``names`` are those of the outputs, of classes their words, and ``linear`` asks for eta, too."""
    several = tuple(names) if len(model.w) > 1 else ()
    if not model.classes:
        means = model.means(np.zeros((len(model.w), 1))) is not None
        return [Column("prediction", several)] * means + [Column("eta", several)] * (linear or not means)
    some = model.probabilities(np.zeros((len(model.w), 1))) is not None
    found = [Column("class", words=tuple(names))] + [Column("probability", tuple(names))] * some
    return found + [Column("eta", several)] * (linear or not some)


def numbers(model: Predictor, columns: Sequence[Column], eta: Vector) -> list[Vector]:
    """Of each column (width, rows)."""
    made: dict[str, Callable[[], Any]] = {
        "prediction": lambda: model.means(eta),
        "class": lambda: model.places(eta)[np.newaxis],
        "probability": lambda: model.probabilities(eta),
        "eta": lambda: eta,
    }
    return [made[column.name]() for column in columns]


def write(
    problem: Problem,
    model: Predictor,
    columns: Sequence[Column],
    kind: Output,
    out: str,
    served: bool,
    stopped: Callable[[], bool],
) -> None:
    """Predict all rows of a problem, whose table has the model's features, into the file ``out``. Collective.

    Each rank reads its share of the rows of a window, computes, and gives what is to be written to rank 0, which alone writes:
    window after window, so that memory is bounded, and no rank needs to see the file. Bytes depend on the rows alone.
    All ranks have a share; if ``served``, those alone that have rows in the mode of the settings.

    Raises:
        InputError: on all ranks alike: rows can't be read or used, or the file can't be written; ``Stopped`` after a signal. It is
            then as it was.
    """
    comm = problem.comm
    with ExitStack() as stack:
        put: Put | None = None
        with agreement(comm), _told(out):
            if comm.rank == 0:
                part = stack.enter_context(output.aside(Path(out)))
                put = stack.enter_context(kind.open(part, columns, problem.rows))
        made: list[Any] = []
        for numbered in _windows(problem, model, columns, kind, served):
            with agreement(comm), _rested(comm):
                _put(put, made, out, stopped)
                mine = numbered()
            others = comm.gather(mine if comm.rank else None)
            made = [mine, *others[1:]] if others else []
        with agreement(comm):
            _put(put, made, out, stopped)
        with agreement(comm), _told(out):  # once all have come so far
            stack.close()


@contextmanager
def _rested(comm: MPI.Intracomm) -> Iterator[None]:
    """Whoever is done sleeps until all are: threads that read rows for others need the core."""
    try:
        yield
    except InputError:
        rest(comm)
        raise
    rest(comm)


def _put(put: Put | None, made: Sequence[Any], out: str, stopped: Callable[[], bool]) -> None:
    if stopped():
        raise Stopped
    with _told(out):
        for some in made if put else ():
            if some is not None and put:
                put(some)


@contextmanager
def _told(out: str) -> Iterator[None]:
    try:
        yield
    except output.FAILURES as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{out} can't be written ({output.reason(error)}): make room, or give another place") from None


def _windows(
    problem: Problem, model: Predictor, columns: Sequence[Column], kind: Output, served: bool
) -> Iterator[Callable[[], Any]]:
    """Of each window what makes this rank's rows as they are to be written; None if it has none. As many on every rank."""
    comm, partition, facts = problem.comm, problem.partition, problem.facts
    workers, worker = (facts.workers(comm.size), facts.worker(comm.rank, comm.size)) if served else (comm.size, comm.rank)
    written = TEXT * sum(column.width for column in columns)
    rows = min(WINDOW // problem.table.bytes(1), GATHERED // (workers * written))
    stream = Stream(problem.table, partition)
    together = min(stream.copied, max(1, rows // partition.block_rows))  # blocks at once: a row's bits hang on no other row
    step = max(1, rows // (together * partition.block_rows)) * together  # blocks of a rank in a window
    starts = [range(first + worker * step, first + (worker + 1) * step) for first in range(0, partition.blocks, workers * step)]
    runs = [range(min(run.start, partition.blocks), min(run.stop, partition.blocks)) if worker >= 0 else range(0) for run in starts]
    order = np.array([block for run in runs for block in run], dtype=np.int64)
    with stream.blocks(order, together, lambda *_: None) as ahead:
        blocks = iter(ahead)

        def of(run: range) -> Any:
            if not run:
                return None
            found = [numbers(model, columns, _linear(problem.table, model, next(blocks))) for _ in run[::together]]
            return kind.encode(columns, [np.concatenate(lines, axis=1) for lines in zip(*found, strict=True)])

        for run in runs:
            yield partial(of, run)


def _linear(table: Table, model: Predictor, block: Block) -> Vector:
    """The linear predictors of a block; refuses a row of which a value is not finite, as then neither are they."""
    eta = model.linear(block)
    if not np.isfinite(eta).all():
        for place in np.flatnonzero(~np.isfinite(eta).all(axis=0)).tolist():
            row = range(block.start + place, block.start + place + 1)
            piece = held(table, row)
            piece.read(table, row)
            Notes(table).note(row.start, piece)  # says which value, unless the model alone overflows
    return eta
