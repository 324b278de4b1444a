"""Saves in a thread of their own, one at a time: a slow or hung disk does not keep the watcher from listening."""

from collections.abc import Callable
from threading import Thread

from mpi_pgd.errors import InputError

Save = Callable[[], str]


class Job:
    """One save: waiting, running or ended.

    Attributes:
        ended: it was tried.
        saved: it went well.
        sentence: where the checkpoint is, or what went wrong.
    """

    def __init__(self, save: Save) -> None:
        self.save = save
        self.ended = self.saved = False
        self.sentence = ""
        self.bug: BaseException | None = None
        self.thread = Thread(target=self._run, name="save", daemon=True)
        self.wake: Callable[[], None] = lambda: None

    def _run(self) -> None:
        try:
            self.sentence = self.save()
            self.saved = True
        except InputError as error:
            self.sentence = str(error)
        except BaseException as bug:
            self.bug = bug  # for the watcher, which brings it to the main thread
        self.ended = True
        self.wake()


class Saver:
    """Runs jobs for the watcher, whose thread alone calls it.

    Args:
        say: tells the user; of each kind of failure, once.
        wake: ends the watcher's sleep when a job has ended.
    """

    def __init__(self, say: Callable[[str], None], wake: Callable[[], None]) -> None:
        self.say, self.wake = say, wake
        self._running: Job | None = None
        self._next: Job | None = None
        self._failures: set[str] = set()

    def request(self, save: Save) -> Job:
        """A save that begins now, or when the present one has ended: what it writes is never older than the request."""
        if self._next is None or self._next.save != save:
            self._next = Job(save)
            self._next.wake = self.wake
        job = self._next
        self.advance()
        return job

    def advance(self) -> None:
        """Take in what has ended, and begin what waits.

        Raises:
            Exception: a bug in a save.
        """
        if self._running and self._running.ended:
            ended, self._running = self._running, None
            ended.thread.join()  # which may be about to wake the watcher, through a pipe that would be closed
            self._judge(ended)
        if self._next and not self._running:
            self._running, self._next = self._next, None
            self._running.thread.start()

    def finish(self) -> None:
        """Wait for what is running or waiting."""
        while self._running:
            self._running.thread.join()
            self.advance()

    def _judge(self, job: Job) -> None:
        if job.bug:
            raise job.bug
        if not job.saved:
            kind = _kind(job.sentence)
            if kind not in self._failures:
                self._failures.add(kind)
                self.say(job.sentence)


def _kind(sentence: str) -> str:
    """A failure's sentence without its numbers, such as rounds and bytes that change from one to the next."""
    return "".join(letter for letter in sentence if not letter.isdigit())
