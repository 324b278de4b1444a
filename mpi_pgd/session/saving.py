"""What a run leaves behind on the rank that writes, whatever happens: the checkpoint, or else the coefficients."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from mpi_pgd.comm.world import end
from mpi_pgd.config import Settings
from mpi_pgd.drivers.status import Status
from mpi_pgd.errors import InputError
from mpi_pgd.observers.snapshot import RankState
from mpi_pgd.recovery import checkpoint, saver
from mpi_pgd.recovery.attempts import Team
from mpi_pgd.recovery.resume import Writer
from mpi_pgd.session.course import outside
from mpi_pgd.session.settings import jsonable
from mpi_pgd.system.claims import Claim
from mpi_pgd.system.log import LOG

if TYPE_CHECKING:
    from mpi_pgd.recovery.sentinel import Sentinel

RESCUE = 30.0  # seconds
GO_ON = (Status.SIGNAL, Status.CALLBACK, Status.TIME, Status.ROUNDS)


class Saving:
    """On every rank, as any may become the one that writes.

    Args:
        held: what the checkpoint is made of.
        stack: ends what has to be ended.
    """

    def __init__(self, held: RankState, stack: ExitStack) -> None:
        self.held, self.stack, self.settings = held, stack, Settings()
        self.out: Claim | None = None  # on the folder, on the rank that writes into it
        self._checkpoint: Claim | None = None
        self.writer: Writer | None = None  # of the checkpoint, if there is to be one
        self._sentinel: Sentinel | None = None
        self._first = False  # this rank is rank 0 of the newest attempt
        self._status: Status | None = None  # of a descent that has ended
        self._found: Callable[[], dict[str, Any]] | None = None

    def claim(self, chosen: Settings, team: Team) -> None:
        """Have rank 0 of this attempt write, and no other run, until this one has ended.

        Raises:
            InputError: another one does, or the places can't be written.
        """
        self.settings, self._first = chosen, team.comm.rank == 0
        again = bool(team.lost)  # a rank that was lost may have claimed them
        if self._first and chosen.checkpoint and not self._checkpoint:
            self._checkpoint = self.stack.enter_context(checkpoint.claim(chosen.checkpoint, again=again))
        if self._first and chosen.out and not self.out:
            from mpi_pgd.report import bundle  # not on the other ranks

            self.out = self.stack.enter_context(bundle.claim(chosen.out, again=again))

    def _check(self) -> None:
        if self._checkpoint:
            self._checkpoint.check()

    def begin(self, team: Team) -> None:
        """Make what writes the checkpoint, if there is to be one; once."""
        chosen = self.settings
        if not chosen.checkpoint:
            return
        if self._first and not team.survives:
            from mpi_pgd.recovery.sentinel import Sentinel  # and with it subprocess: not on the other ranks

            self._sentinel = self.stack.enter_context(Sentinel(chosen.checkpoint))
        from mpi_pgd.session import provenance

        # It may be resumed elsewhere.
        settings = jsonable(chosen) | {"out": chosen.out and os.path.abspath(chosen.out)}  # noqa: PTH100
        self.writer = Writer(chosen.checkpoint, self.held, settings, provenance.versions, self._check, self.note)

    def note(self, rounds: int) -> None:
        """The checkpoint has so many rounds: the sentinel may have to tell of them."""
        if self._sentinel:
            self._sentinel.note(rounds)

    def end(self, code: int, sentence: str) -> None:
        """End the job, from the watcher's thread, while the main thread waits in MPI or elsewhere."""
        if self._sentinel:
            self._sentinel.dismiss()
        end(code, f"mpi_pgd: {sentence}\n")

    def descended(self, status: Status | None, found: Callable[[], dict[str, Any]]) -> None:
        """What came out on the rank that writes, not to be lost until ``finish``: why it ended, and what gives the coefficients."""
        self._status, self._found = status, found

    def finish(self) -> None:
        """The checkpoint of the end, on the rank that has the state; the result is written.

        Raises:
            InputError: it can't be written, and who asked the run to stop wants to go on from it.
        """
        try:
            self._save(told=self._status in GO_ON)
        except InputError as error:
            if outside(str(self._status), self.settings.max_seconds):
                raise
            LOG.warning(str(error))
        self._found = None

    def rescue(self, failure: BaseException) -> None:
        """The newest state that there is, as the run fails: the checkpoint may be as old as --every says. Else the coefficients."""
        if self._found and not self.writer:
            from mpi_pgd.report import rescue  # nobody hopes to need it

            found = self._found()
            LOG.warning(f"the coefficients of {found['rounds']} rounds could not be written as asked; {rescue.write(found)}")
        if not (self.writer and self.writer.about and self._first):
            return
        save = saver.Job(partial(self._save, told=True))
        save.start()
        save.join(RESCUE)  # a disk may hang, and the others wait
        if not save.ended:
            LOG.warning(f"the checkpoint {self.writer.path} could not be written within {RESCUE:g} s")
        elif save.bug:
            LOG.warning(f"the checkpoint {self.writer.path} could not be written: {save.bug!r}")
        elif save.sentence and save.sentence != str(failure):
            LOG.warning(save.sentence)

    def _save(self, told: bool) -> str:
        """Nothing, or else raises; what there is to tell is told."""
        if self.writer and self._status != Status.DIVERGED:
            where = self.writer()
            if told and not self.settings.quiet:
                LOG.info(f"{where}; go on with --resume {self.writer.path}")
        return ""
