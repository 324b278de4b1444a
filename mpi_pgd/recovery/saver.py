"""Saves in a thread of their own, one at a time: a slow or hung disk does not keep the watcher from listening."""

import re
from collections.abc import Callable
from threading import Thread

from mpi_pgd.errors import InputError

Write = Callable[[], str]


class Job(Thread):
    """One save: waiting, running or ended.

    Args:
        save: the saving.
        wake: called when it has ended.
    """

    def __init__(self, save: Write, wake: Callable[[], None] = lambda: None) -> None:
        super().__init__(name="save", daemon=True)
        self.save, self.wake = save, wake
        self.ended = self.saved = False  # it was tried; it went well
        self.sentence = ""  # where the checkpoint is, or what went wrong
        self.bug: BaseException | None = None  # what was raised, if that was no InputError

    def start(self) -> None:
        """In a thread of its own; in the caller's, if the system gives no more of them."""
        try:
            super().start()
        except RuntimeError:
            self.run()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the thread, if there is one."""
        if self.ident:
            super().join(timeout)

    def run(self) -> None:
        """Save."""
        try:
            self.sentence = self.save()
            self.saved = True
        except InputError as error:
            self.sentence = str(error)
        except BaseException as bug:
            self.bug = bug  # for the watcher, which tells it
        self.ended = True
        self.wake()


class Saver:
    """Runs jobs for the watcher, whose thread alone calls it.

    Args:
        say: tells the user; of each kind of failure, once.
        wake: ends the watcher's sleep when a job has ended.
        note: is told of a bug in a save; the next may go well.
    """

    def __init__(self, say: Callable[[str], None], wake: Callable[[], None], note: Callable[[BaseException], None]) -> None:
        self.say, self.wake, self.note = say, wake, note
        self._running: Job | None = None
        self._next: Job | None = None
        self._failures: set[str] = set()

    def request(self, save: Write) -> Job:
        """A save that begins now, or when the present one has ended: what it writes is never older than the request."""
        if self._next is None or self._next.save != save:
            self._next = Job(save, self.wake)
        job = self._next
        self.advance()
        return job

    def advance(self) -> None:
        """Take in what has ended, and begin what waits."""
        if self._running and self._running.ended:
            ended, self._running = self._running, None
            ended.join()  # its thread may be about to ring the bell of the watcher, which closes it
            self._judge(ended)
        if self._next and not self._running:
            self._running, self._next = self._next, None
            self._running.start()

    def finish(self) -> None:
        """Wait for what is running or waiting."""
        while self._running:
            self._running.join()
            self.advance()

    def _judge(self, job: Job) -> None:
        if job.bug:
            self.note(job.bug)
        elif not job.saved:
            kind = re.sub(r"\d", "", job.sentence)  # rounds and bytes change from one failure to the next
            if kind not in self._failures:
                self._failures.add(kind)
                self.say(job.sentence)
