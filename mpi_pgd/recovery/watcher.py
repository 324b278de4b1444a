"""One daemon thread a rank that makes no MPI call, so that it can act while the main thread waits in one.

It hears signals at once, and does what the watchdog says: has checkpoints written, and finds out who keeps everyone waiting.
"""

import contextlib
import math
import os
import select
import signal
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from threading import Thread
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from mpi_pgd.observers.heartbeat import Heartbeat
from mpi_pgd.recovery.events import Action, Beat, End, Event, Joined, Kill, Save, Saved, Say, Send, Tick, Wanted
from mpi_pgd.recovery.hang_timeout import HangTimeout
from mpi_pgd.recovery.saver import Job, Saver, Write
from mpi_pgd.recovery.signals import SignalFlag
from mpi_pgd.recovery.watchdog import Watchdog

if TYPE_CHECKING:
    from mpi_pgd.recovery.datagrams import Datagrams

NAP = 3600.0  # seconds of sleep, at most: poll counts milliseconds in an int, in which 25 days have room
PAUSE = 1.0  # seconds after a bug


class Watcher:
    """Started and stopped by the main thread; a context manager.

    Args:
        pulse: what the main thread is doing.
        save: writes the checkpoint and returns where it is; raises ``InputError`` if it can't. None where there is none to write.
        every: seconds between two saves; inf for none.
        patience: see ``HangTimeout``.
        flag: tells of signals.
        end: ends the job with an exit code, after last words; called in the thread, and not to return. With ULFM it takes
            MPI_Abort to end all.
        frozen: what happens to a rank that is frozen: ``end`` the run, or ``drop`` the rank, which ULFM survives.
        say: tells the user a sentence; called in the thread.
        key: what all ranks, and nobody else, know: it signs the datagrams of a patience.
        host: the address at which those are received (``members.meeting``).
    """

    def __init__(
        self,
        pulse: Heartbeat,
        *,
        save: Write | None = None,
        every: float = math.inf,
        patience: str | float = math.inf,
        flag: SignalFlag | None = None,
        end: Callable[[int, str], object] = lambda code, _: os._exit(code),
        frozen: str = "end",
        say: Callable[[str], None],
        key: bytes = b"",
        host: str = "127.0.0.1",
    ) -> None:
        self.pulse, self.save, self.every, self.flag = pulse, save, every, flag
        self.timeout = HangTimeout(patience)
        self.end, self.frozen, self.say, self.key, self.host = end, frozen, say, key, host
        self.fallback_save: Write | None = None
        self._datagrams: Datagrams | None = None
        self._thread: Thread | None = None
        self._poked = self._stopping = False
        self._joins: deque[Joined] = deque()
        self._last: Job | None = None  # the save whose end the watchdog waits for
        self._bug: BaseException | None = None
        self._bugs: set[str] = set()

    def __enter__(self) -> "Watcher":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to watch."""
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)  # rung by other threads
        if self.timeout.after(0.0) < math.inf:
            from mpi_pgd.recovery.datagrams import Datagrams  # hardly anyone asks for it, and it takes an import of sockets

            self._datagrams = Datagrams(self.key, self.host)
        self._saver = Saver(self.say, self._wake, self._note)
        self._watchdog = Watchdog(self.every, self.timeout, self.frozen == "drop", perf_counter())
        self._poll = select.poll()
        for source in (self._bell, self.flag, self._datagrams):
            if source is not None:
                self._poll.register(source, select.POLLIN)
        self._listens = self._datagrams is not None
        self._thread = Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

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
        if self._datagrams:
            self._datagrams.close()
        os.close(self._bell)
        if self._bug:
            raise self._bug

    def saves(self, save: Write | None, fallback: Write | None = None) -> None:
        """Another rank has become the one that writes; ``fallback`` is called on others, when that one does not answer."""
        self.save, self.fallback_save = save, fallback

    def poke(self) -> None:
        """Have a checkpoint written now. For the main thread; one system call, or none if one has been asked for already."""
        if not self._poked:
            self._poked = True
            self._wake()

    def card(self) -> bytes:
        """What the others have to know of this rank to ask it: 128 bytes, to be gathered by MPI. Only with a patience."""
        assert self._datagrams
        return self._datagrams.card

    def join(self, cards: Sequence[bytes], me: int, ids: Sequence[int] = ()) -> None:
        """Who takes part from now on: the cards of ranks 0, 1, ... of the communicator, of which this is ``me``.

        ``ids`` are the ranks' numbers as a person knows them, if they are others.
        """
        from mpi_pgd.recovery.members import unpack

        members = [unpack(card, rank) for card, rank in zip(cards, ids or range(len(cards)), strict=True)]
        self._joins.append(Joined(members, me))
        self._wake()

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except BaseException as bug:
                self._note(bug)
                self._deafen()
                sleep(PAUSE)
        if self._poked:
            self._do(Save())
        self._saver.finish()

    def _turn(self) -> None:
        """Sleep until something happens or is due, and do what is to be done at once."""
        seconds = min(NAP, self._watchdog.due - perf_counter())
        ready = {number for number, _ in self._poll.poll(max(0, math.ceil(seconds * 1e3)))}
        if self._bell in ready:
            os.eventfd_read(self._bell)
        pulse = self.pulse
        self._tell(Beat(pulse.round, pulse.step, pulse.since, pulse.finished, pulse.longest))
        self._tell_own()
        if self.flag and self.flag.fileno() in ready and self.flag.hear():
            self._tell(Wanted())
        if self._listens and self._datagrams and self._datagrams.fileno() in ready:
            for heard in self._datagrams.read():
                self._tell(heard)
        if not self._stopping:
            self._tell(Tick())

    def _tell_own(self) -> None:
        """What came from this process's other threads; first, as a bug in the rest must not keep it."""
        if self._poked:
            self._poked = False
            self._tell(Wanted())
        self._saver.advance()
        if self._last and self._last.ended:
            ended, self._last = self._last, None
            self._tell(Saved(ended.sentence))
        while self._joins and self._listens:
            self._tell(self._joins.popleft())

    def _tell(self, event: Event) -> None:
        for action in self._watchdog.on(event, perf_counter()):
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Save():
                self._request(action.last)
            case Say():
                self.say(action.sentence)
            case Send():
                assert self._datagrams
                self._datagrams.send(action)
            case Kill():
                with contextlib.suppress(ProcessLookupError):  # it is gone: all the better
                    os.kill(action.pid, signal.SIGKILL)
            case End():
                self.end(*action)

    def _request(self, last: bool) -> None:
        """Begin to save, if this rank has anything to write."""
        write = self.save or (self.fallback_save or str if last else None)  # str() says nothing, but that it has ended
        job = self._saver.request(write) if write else None
        if last:
            self._last = job

    def _note(self, bug: BaseException) -> None:
        """Tell of a bug at once, each once; ``stop`` raises the first of them in the main thread, which may be hours away."""
        self._bug = self._bug or bug
        kind = repr(bug)
        if kind not in self._bugs:
            self._bugs.add(kind)
            self.say("a bug in the watcher; the run and its checkpoints go on:\n" + "".join(traceback.format_exception(bug)))

    def _deafen(self) -> None:
        """Go on without the others: it is they who bring what is not foreseen, and signals and checkpoints matter more."""
        if self._listens and self._datagrams:
            self._listens = False
            self._poll.unregister(self._datagrams.fileno())
            self._watchdog.on(Joined((), 0), perf_counter())
            self.say("this rank neither asks nor answers any more who keeps all waiting (--patience)")

    def _wake(self) -> None:
        os.eventfd_write(self._bell, 1)
