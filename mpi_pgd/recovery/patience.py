"""When no round finishes: the watchers ask one another who keeps everyone waiting; one of them speaks, and acts.

A rank that notices asks all. The lowest rank that answers speaks; the others notice later, and stay silent when they have
been asked. Nobody acts on what may be old: if a round finishes meanwhile, or this process was itself stopped, all is asked anew.
"""

import contextlib
import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

from mpi_pgd.recovery.asking import RESEND, Asking, Ring, end_process
from mpi_pgd.recovery.members import Member
from mpi_pgd.recovery.post import Post
from mpi_pgd.recovery.verdict import Answer, frozen, names, sentence

if TYPE_CHECKING:
    from mpi_pgd.recovery.watcher import Watcher

TRY_AGAIN = 75
LATER = 0.5  # seconds by which a rank notices later than one of half its number: most will have been asked by then
SAVING = 60.0  # seconds to write the checkpoint
GAP = 1.0  # seconds of sleep too many by which a process knows that it was stopped


class _Stale(Exception):
    """What was asked may no longer hold."""


class Patience:
    """The watcher's part that judges and acts. Its thread alone calls it."""

    def __init__(self, watcher: "Watcher", post: Post) -> None:
        self.watcher, self.pulse = watcher, watcher.pulse
        self.silence = watcher.silence
        self.asking = Asking(watcher, post, window=self.silence.window)
        self._wait_until = 0.0
        self._asked_of: tuple[Ring, float] = (self.asking.ring, 0.0)  # whom, and when their last round had finished
        self._killed: set[int] = set()
        self._said: object = None

    @property
    def next(self) -> float:
        """Until when the watcher may sleep."""
        return min([self.due, *self.asking.next])

    @property
    def due(self) -> float:
        """When to inquire, if nothing happens until then."""
        members, me = self.asking.ring
        if not members:
            return math.inf
        noticed = self.pulse.finished + self.silence.patience + LATER * me.bit_length()
        return max(noticed, self._wait_until, self.asking.held_until)

    def inquire(self) -> None:
        """Ask everyone; say what was found, and act, if that is for this rank to do."""
        self._asked_of = (self.asking.ring, self.pulse.finished)
        self._wait_until = perf_counter() + self.silence.patience
        try:
            answers = self.asking.all(self._sleep)
            if min(answers) == self._me.rank:
                self._judge(answers)
        except _Stale:
            self._wait_until = 0.0

    def look(self) -> None:
        """Another rank holds one of this node to be frozen, and can't end it: see whether it is, and end it then."""
        if self.asking.suspects:
            suspect, turn, address = self.asking.suspects.pop(next(iter(self.asking.suspects)))
            self._asked_of = (self.asking.ring, self.pulse.finished)
            with contextlib.suppress(_Stale):
                if self.watcher.frozen == "drop" and perf_counter() - self.pulse.finished > self.silence.patience:
                    answers = self.asking.all(self._sleep, [suspect])
                    if frozen([suspect], answers, self.silence.stuck):
                        end_process(suspect)
                        self.asking.post.reply(address, turn)

    @property
    def _members(self) -> Sequence[Member]:
        return self._asked_of[0][0]

    @property
    def _me(self) -> Member:
        members, me = self._asked_of[0]
        return members[me]

    def _sleep(self, seconds: float, done: Callable[[], bool]) -> bool:
        """Go on listening until ``done`` or for some seconds; whether it was done."""
        until = perf_counter() + seconds
        while not done() and (now := perf_counter()) < until:
            slice_end = min(until, now + RESEND)
            self.watcher.turn(slice_end)
            self._check(slice_end)
        return done()

    def _check(self, awake: float) -> None:
        thawed = perf_counter() > awake + GAP
        if thawed or self.watcher.stopping or self._asked_of != (self.asking.ring, self.pulse.finished):
            raise _Stale

    def _judge(self, answers: dict[int, Answer]) -> None:
        asked, patience, stuck = perf_counter(), self.silence.patience, self.silence.stuck
        unknown = self.asking.unknown()
        guilty = [member for member in frozen(self._members, answers, stuck) if member not in unknown]
        busy = max((answer.inside for answer in answers.values() if not answer.waits), default=-math.inf)
        soon = stuck - busy  # until the first of the busy is frozen
        if not guilty:
            self._wait_until = asked + min(patience, max(soon, RESEND))
        if guilty or soon > self.asking.window:  # else all is said then
            self._tell(sentence(self._members, answers, asked - self._asked_of[1], unknown), answers, bool(guilty))
            self._check(asked)
        if guilty and self.watcher.frozen == "drop":
            self._drop(answers, guilty)
        elif guilty:
            self._end()

    def _tell(self, text: str, answers: dict[int, Answer], always: bool) -> None:
        """Of a round that is only slow, once; again if others are slow then."""
        said = (self.pulse.round, [rank for rank, answer in answers.items() if answer.waits])
        if always or said != self._said:
            self._said = said
            self.watcher.say(text)

    def _drop(self, answers: dict[int, Answer], guilty: Sequence[Member]) -> None:
        trouble = "no rank would be left" if len(guilty) == len(self._members) else ""
        if not trouble:
            ranks = [member.rank for member in guilty]
            self.watcher.say(f"{names(ranks)} {'is' if len(ranks) == 1 else 'are'} ended, so that the others can go on")
        for victim in guilty:
            trouble = trouble or self._kill(answers, victim)
        if trouble:
            self._end(trouble)

    def _kill(self, answers: dict[int, Answer], victim: Member) -> str:
        """Why it could not be killed; nothing if it was."""
        near = [member for member in self._members if member.node == victim.node and member.rank in answers]
        near.sort(key=lambda member: (member is victim, member is not self._me))
        if victim.pid in self._killed:
            return f"rank {victim.rank} was ended, and is still waited for"
        if not near:
            return f"rank {victim.rank} can't be ended, as no other rank of its node {victim.host} answers"
        self._killed.add(victim.pid)
        if near[0] is self._me:
            end_process(victim)
        elif not self.asking.have_looked(near[0], victim, self._sleep) and near[0] is not victim:
            return f"rank {near[0].rank} was asked to end rank {victim.rank}, and did not"
        return ""

    def _end(self, why: str = "") -> None:
        where = self._save()
        self.watcher.say("; ".join(filter(None, [why, "the run ends", where])))
        self._check(perf_counter())
        self.watcher.end(TRY_AGAIN)

    def _save(self) -> str:
        """Where the checkpoint is, or why it could not be written; nothing if there is none to write.

        The rank that writes it is the lowest, so it is the one that speaks if it answers.
        """
        job = self.watcher.request(None if self.watcher.save else self.watcher.fallback_save)
        if job and not self._sleep(SAVING, lambda: job.ended):
            return f"the checkpoint could not be written within {SAVING:.0f} s"
        return job.sentence if job else ""
