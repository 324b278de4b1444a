"""The watchers' conversation: who takes part, what each is doing, and what one has another do."""

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from time import perf_counter, time_ns
from typing import TYPE_CHECKING

from mpi_pgd.survive.members import Member
from mpi_pgd.survive.post import Address, Letter, Post
from mpi_pgd.survive.saver import Job
from mpi_pgd.survive.verdict import Answer

if TYPE_CHECKING:
    from mpi_pgd.survive.watcher import Watcher

RESEND = 0.25  # seconds
HOLD = 2.0  # seconds, with those for the answers, in which who has been asked does not ask itself
GREETERS = 8  # ranks
GREETINGS = (0.0, 1.0, 3.0, 10.0, 30.0)  # seconds
STEP_LETTERS = 400  # of a step's name

Ring = tuple[Sequence[Member], int]  # who takes part, and which of them this rank is
Sleep = Callable[[float, Callable[[], bool]], bool]  # go on listening for some seconds, or until something holds


class Asking:
    """Asks, and answers what others ask. The watcher's thread alone calls it, but for ``join``.

    Attributes:
        ring: who takes part.
        held_until: until when another rank, lower than this, is looking after things.
    """

    def __init__(self, watcher: "Watcher", post: Post, window: float) -> None:
        self.watcher, self.post, self.window = watcher, post, window
        self.ring: Ring = ((), 0)
        self.held_until = 0.0
        self._turn = 0
        self._replies: dict[int, Letter] = {}
        self._saves: dict[int, tuple[Job, Address]] = {}
        self._heard: set[bytes] = set()  # whose datagrams have come here
        self._greetings: list[float] = []  # when to greet those that have not been heard

    def join(self, members: Sequence[Member], me: int) -> None:
        """Who is asked from now on. Called by the main thread."""
        self.ring = (members, me)  # at once: the thread reads both
        # Those that may come to speak find out whom they can reach; the others hear of it.
        self._greetings = [perf_counter() + later for later in (GREETINGS if me < GREETERS else ())]

    @property
    def next(self) -> list[float]:
        """When there is something to do that nothing wakes it for: one number, or none."""
        return self._greetings[:1]

    def unknown(self) -> Sequence[Member]:
        """Who can't be asked: all ranks elsewhere, if none of them was ever heard. They may be well behind a firewall."""
        members, me = self.ring
        elsewhere = [member for member in members if member.net != members[me].net]
        return [] if any(member.cookie in self._heard for member in elsewhere) else elsewhere

    def all(self, sleep: Sleep) -> dict[int, Answer]:
        """What everyone is doing, by rank, this one too; who does not answer is missing."""
        members, me = self.ring
        self._turn, self._replies = time_ns(), {}
        missing = [member for member in members if member is not members[me]]
        until = perf_counter() + self.window
        while missing and perf_counter() < until:
            for member in missing:
                self.post.ask(members[me], member, kind="ask", turn=self._turn)
            sleep(RESEND, lambda: len(self._replies) == len(members) - 1)
            missing = [member for member in missing if member.rank not in self._replies]
        answers = {rank: Answer(*letter["answer"]) for rank, letter in self._replies.items()}
        return dict(sorted({members[me].rank: self._own(), **answers}.items()))

    def order(self, other: Member, seconds: float, sleep: Sleep, **letter: object) -> Letter | None:
        """Have another rank do something; its reply."""
        members, me = self.ring
        self._turn, self._replies = time_ns(), {}
        until = perf_counter() + seconds
        while perf_counter() < until:
            self.post.ask(members[me], other, turn=self._turn, **letter)
            if sleep(RESEND, lambda: other.rank in self._replies):
                break
        return self._replies.get(other.rank)

    def read(self) -> None:
        """Answer what was asked, and take in what was answered."""
        ranks = {member.cookie: member.rank for member in self.ring[0]}
        for cookie, letter, address in self.post.read(ranks):
            if self.post.asked(cookie):
                self._heard.add(bytes.fromhex(letter["from"]))
                getattr(self, f"_on_{letter['kind']}")(letter, address)
                continue
            self._heard.add(cookie)
            if letter["turn"] == self._turn:
                self._replies[ranks[cookie]] = letter

    def tick(self) -> None:
        """Greet if it is time, and tell who asked for a save that it has ended."""
        if self._greetings and perf_counter() >= self._greetings[0]:
            self._greetings.pop(0)
            self._greet()
        for turn, (job, address) in list(self._saves.items()):
            if job.ended:
                self.post.reply(address, turn=turn, sentence=job.sentence)
                del self._saves[turn]

    def _greet(self) -> None:
        members, me = self.ring
        unheard = [member for member in members if member is not members[me] and member.cookie not in self._heard]
        for member in unheard:
            self.post.ask(members[me], member, kind="hello", turn=0)
        if not unheard:
            self._greetings = []

    def _own(self) -> Answer:
        pulse = self.watcher.pulse
        return Answer(pulse.round, pulse.step[:STEP_LETTERS], perf_counter() - pulse.since, self.watcher.save is not None)

    def _on_hello(self, letter: Letter, address: Address) -> None:
        self.post.reply(address, turn=letter["turn"])

    def _on_ask(self, letter: Letter, address: Address) -> None:
        members, me = self.ring
        if any(member.cookie.hex() == letter["from"] for member in members[:me]):
            self.held_until = perf_counter() + self.window + HOLD
        self.post.reply(address, turn=letter["turn"], answer=self._own())

    def _on_save(self, letter: Letter, address: Address) -> None:
        turn = letter["turn"]
        if turn not in self._saves:
            job = self.watcher.request()
            if job:
                self._saves[turn] = (job, address)
            else:
                self.post.reply(address, turn=turn, sentence="")

    def _on_kill(self, letter: Letter, address: Address) -> None:
        members, me = self.ring
        for member in members:
            if member.pid == letter["pid"] and member.node == members[me].node:
                end_process(member)
                self.post.reply(address, turn=letter["turn"])


def end_process(member: Member) -> None:
    """SIGKILL, which a stopped process does not survive either."""
    with contextlib.suppress(ProcessLookupError):  # it is gone: all the better
        os.kill(member.pid, signal.SIGKILL)
