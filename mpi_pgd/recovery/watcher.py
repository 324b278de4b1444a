"""One daemon thread a rank that makes no MPI call, so that it can act while the main thread waits in one.

It hears signals at once, has checkpoints written, and finds out who keeps everyone waiting.
"""

import contextlib
import math
import os
import select
import traceback
from collections.abc import Callable, Sequence
from threading import Thread
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from mpi_pgd.observers.pulse import Pulse
from mpi_pgd.recovery.saver import Job, Save, Saver
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.recovery.silence import Silence

if TYPE_CHECKING:
    from mpi_pgd.recovery.patience import Patience
    from mpi_pgd.recovery.post import Post


NAP = 3600.0  # seconds of sleep, at most: poll counts milliseconds in an int, in which 25 days have room
PAUSE = 1.0  # seconds after a bug


class Watcher:
    """Started and stopped by the main thread; a context manager.

    Args:
        pulse: what the main thread is doing.
        save: writes the checkpoint and returns where it is; raises ``InputError`` if it can't. None where there is none to write.
        every: seconds between two saves; inf for none.
        patience: seconds without a finished round until everyone is asked what they wait for; inf for never; or ``auto``.
        flag: tells of signals.
        end: ends the job with an exit code; called in the thread, and not to return. With ULFM it takes MPI_Abort to end all.
        frozen: what happens to a rank that is frozen: ``end`` the run, or ``drop`` the rank, which ULFM survives.
        say: tells the user a sentence; called in the thread.
        key: what all ranks, and nobody else, know: it signs the datagrams of a patience.
        host: the address at which those are received (``members.meeting``).

    Attributes:
        save: may be set later, as another rank may become the one that writes.
        fallback_save: as ``save``, on other ranks: for when the rank that writes does not answer.
    """

    def __init__(
        self,
        pulse: Pulse,
        *,
        save: Save | None = None,
        every: float = math.inf,
        patience: str | float = math.inf,
        flag: SignalFlag | None = None,
        end: Callable[[int], object] = os._exit,
        frozen: str = "end",
        say: Callable[[str], None],
        key: bytes = b"",
        host: str = "127.0.0.1",
    ) -> None:
        self.pulse, self.save, self.every, self.flag = pulse, save, every, flag
        self.silence = Silence(patience, pulse)
        self.end, self.frozen, self.say, self.key, self.host = end, frozen, say, key, host
        self.fallback_save: Save | None = None
        self.post: Post | None = None
        self._patience: Patience | None = None
        self._thread: Thread | None = None
        self._asked = self._stopping = False
        self._bug: BaseException | None = None
        self._bugs: set[str] = set()

    def __enter__(self) -> "Watcher":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to watch."""
        self._ours, self._theirs = os.pipe()
        for end in (self._ours, self._theirs):
            os.set_blocking(end, False)
        if self.silence.patience < math.inf:
            self._listen()
        self.saver = Saver(self.say, self._wake, self._note)
        self._due = perf_counter() + self.every
        self._poll = select.poll()
        self._poll.register(self._ours, select.POLLIN)
        for source in (self.flag, self.post):
            if source:
                self._poll.register(source.fileno(), select.POLLIN)
        self._thread = Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        from mpi_pgd.recovery.patience import Patience  # hardly anyone asks for it, and it takes an import of sockets
        from mpi_pgd.recovery.post import Post

        self.post = Post(self.key, self.host)
        self._patience = Patience(self, self.post)

    def stop(self) -> None:
        """End the thread, after the saves that were asked for. May be called again.

        Raises:
            Exception: a bug in the thread, which was told before.
        """
        if self._thread is None:
            return
        self._stopping = True
        self._wake()
        self._thread.join()
        self._thread = None
        if self.post:
            self.post.close()
        os.close(self._ours)
        os.close(self._theirs)
        if self._bug:
            raise self._bug

    def poke(self) -> None:
        """Have a checkpoint written now. For the main thread; one system call, or none if one has been asked for already."""
        if not self._asked:
            self._asked = True
            self._wake()

    def card(self) -> bytes:
        """What the others have to know of this rank to ask it: 128 bytes, to be gathered by MPI. Only with a patience."""
        assert self.post
        return self.post.card

    def join(self, cards: Sequence[bytes], me: int, ids: Sequence[int] = ()) -> None:
        """Who takes part from now on: the cards of ranks 0, 1, ... of the communicator, of which this is ``me``.

        ``ids`` are the ranks' numbers as a person knows them, if they are others.
        """
        if self._patience:
            from mpi_pgd.recovery.members import unpack

            self._patience.asking.join([unpack(card, rank) for card, rank in zip(cards, ids or range(len(cards)), strict=True)], me)
            self._wake()

    @property
    def stopping(self) -> bool:
        """Whether the main thread has asked the thread to end."""
        return self._stopping

    def turn(self, until: float) -> None:
        """Sleep until something happens, or it is ``until``, and do what is to be done at once. For the thread."""
        try:
            self._hear(min(NAP, min(until, self._due) - perf_counter()))
        finally:  # whatever was heard
            if self._asked or perf_counter() >= self._due:
                self._asked = False
                self.request()
            self.saver.advance()

    def _hear(self, seconds: float) -> None:
        ready = {number for number, _ in self._poll.poll(max(0, math.ceil(seconds * 1e3)))}
        if self._ours in ready:
            self._drain()
        if self.flag and self.flag.fileno() in ready and self.flag.hear():
            self.request()
        if self._patience and self.post and self.post.fileno() in ready:
            self._patience.asking.read()
        if self._patience:
            self._patience.asking.tick()

    def request(self, other: Save | None = None) -> Job | None:
        """Begin to save, if this rank has anything to write."""
        self._due = perf_counter() + self.every
        save = other or self.save
        return self.saver.request(save) if save else None

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.turn(self._patience.next if self._patience else math.inf)
                if self._patience and not self._stopping:
                    self._patience.look()
                    if perf_counter() >= self._patience.due:
                        self._patience.inquire()
            except BaseException as bug:
                self._note(bug)
                self._deafen()
                sleep(PAUSE)
        if self._asked:
            self.request()
        self.saver.finish()

    def _note(self, bug: BaseException) -> None:
        """Tell of a bug at once, each once; ``stop`` raises the first of them in the main thread, which may be hours away."""
        self._bug = self._bug or bug
        kind = repr(bug)
        if kind not in self._bugs:
            self._bugs.add(kind)
            self.say("a bug in the watcher; the run and its checkpoints go on:\n" + "".join(traceback.format_exception(bug)))

    def _deafen(self) -> None:
        """Go on without the others: it is they who bring what is not foreseen, and signals and checkpoints matter more."""
        if self._patience and self.post:
            self._patience = None
            self._poll.unregister(self.post.fileno())
            self.say("this rank neither asks nor answers any more who keeps all waiting (--patience)")

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # the pipe is full: it wakes anyway
            os.write(self._theirs, b".")

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):  # the pipe is empty
            os.read(self._ours, 4096)
