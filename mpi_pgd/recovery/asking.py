"""The watchers' conversation: who takes part, and what each is doing."""

import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter, time_ns
from typing import TYPE_CHECKING

from mpi_pgd.recovery.members import Member
from mpi_pgd.recovery.post import Address, Letter, Post
from mpi_pgd.recovery.verdict import Answer

if TYPE_CHECKING:
    from mpi_pgd.recovery.watcher import Watcher

RESEND = 0.25  # seconds
HOLD = 2.0  # seconds, with those for the answers, in which who has been asked does not ask itself
LOOKING = 2.0  # seconds, with those for the answers, for another rank to have looked
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
        suspects: by process, those of this node that another rank holds to be frozen, with its question's turn, and its address.
    """

    def __init__(self, watcher: "Watcher", post: Post, window: float) -> None:
        self.watcher, self.post, self.window = watcher, post, window
        self.ring: Ring = ((), 0)
        self.held_until = 0.0
        self._turn = 0
        self._replies: dict[int, Answer | None] = {}
        self.suspects: dict[int, tuple[Member, int, Address]] = {}
        self._turns: dict[bytes, int] = {}  # of each lower rank's newest question
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

    def all(self, sleep: Sleep, whom: Sequence[Member] = ()) -> dict[int, Answer]:
        """What everyone, or ``whom``, is doing, by rank, this one too; who does not answer is missing."""
        members, me = self.ring
        self._turn, self._replies = time_ns(), {}
        missing = [member for member in whom or members if member is not members[me]]
        until = perf_counter() + self.window
        while missing and perf_counter() < until:
            for member in missing:
                self.post.ask(members[me], member, "ask", self._turn)
            sleep(RESEND, partial(self._answered, missing))
            missing = [member for member in missing if member.rank not in self._replies]
        answers = {rank: answer for rank, answer in self._replies.items() if answer}
        return dict(sorted({members[me].rank: self._own(), **answers}.items()))

    def _answered(self, whom: Sequence[Member]) -> bool:
        return all(member.rank in self._replies for member in whom)

    def have_looked(self, other: Member, suspect: Member, sleep: Sleep) -> bool:
        """Have a rank on the node of one that seems frozen see for itself, and end it if it is; whether it says that it did."""
        members, me = self.ring
        self._turn, self._replies = time_ns(), {}
        until = perf_counter() + self.window + LOOKING
        while perf_counter() < until:
            self.post.ask(members[me], other, "look", self._turn, suspect.pid)
            if sleep(RESEND, lambda: other.rank in self._replies):
                break
        return other.rank in self._replies

    def read(self) -> None:
        """Answer what was asked, and take in what was answered. No letter makes this rank do more, whoever wrote it."""
        ranks = {member.cookie: member.rank for member in self.ring[0]}
        questions = {"hello": self._on_hello, "ask": self._on_ask, "look": self._on_look}
        for letter, address in self.post.read():
            self._heard.add(letter.sender)
            if letter.kind in questions:
                questions[letter.kind](letter, address)
            elif letter.kind == "reply" and letter.turn == self._turn and letter.sender in ranks:
                self._replies[ranks[letter.sender]] = letter.answer

    def tick(self) -> None:
        """Greet if it is time."""
        if self._greetings and perf_counter() >= self._greetings[0]:
            self._greetings.pop(0)
            self._greet()

    def _greet(self) -> None:
        members, me = self.ring
        unheard = [member for member in members if member is not members[me] and member.cookie not in self._heard]
        for member in unheard:
            self.post.ask(members[me], member, "hello", 0)
        if not unheard:
            self._greetings = []

    def _own(self) -> Answer:
        pulse = self.watcher.pulse
        return Answer(pulse.round, pulse.step[:STEP_LETTERS], perf_counter() - pulse.since)

    def _on_hello(self, letter: Letter, address: Address) -> None:
        self.post.reply(address, letter.turn)

    def _on_ask(self, letter: Letter, address: Address) -> None:
        members, me = self.ring
        lower = any(member.cookie == letter.sender for member in members[:me])
        if lower and letter.turn > self._turns.get(letter.sender, 0):  # not one that is sent again
            self._turns[letter.sender] = letter.turn
            self.held_until = perf_counter() + self.window + HOLD
        self.post.reply(address, letter.turn, self._own())

    def _on_look(self, letter: Letter, address: Address) -> None:
        """``Patience.look`` does it; nobody is ended on another's word."""
        members, me = self.ring
        for member in members:
            if member.pid == letter.pid and member.node == members[me].node:
                self.suspects[member.pid] = member, letter.turn, address


def end_process(member: Member) -> None:
    """SIGKILL, which a stopped process does not survive either."""
    with contextlib.suppress(ProcessLookupError):  # it is gone: all the better
        os.kill(member.pid, signal.SIGKILL)
