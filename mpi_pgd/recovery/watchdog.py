"""The watchdog: when a checkpoint is due, and who keeps everyone waiting. It has no thread, socket, file or clock.

When no round finishes, the ranks' watchdogs ask one another what each is doing. A rank that notices asks all. The lowest rank that
answers speaks, and acts; the others notice later, and stay silent when they have been asked. Nobody acts on what may be old: if a
round finishes meanwhile, or this process was itself stopped, all is asked anew. Nobody is ended on another rank's word.
"""

import math
from collections.abc import Callable, Generator, Sequence

from mpi_pgd.recovery.events import Action, Beat, End, Event, Heard, Joined, Kill, Message, Save, Saved, Say, Send, Tick, Wanted
from mpi_pgd.recovery.hang_timeout import HangTimeout
from mpi_pgd.recovery.verdict import Answer, Member, frozen, names, sentence

TRY_AGAIN = 75
RESEND = 0.25  # seconds
LATER = 0.5  # seconds by which a rank notices later than one of half its number: most will have been asked by then
HOLD = 2.0  # seconds, with those for the answers, in which who has been asked does not ask itself
LOOKING = 2.0  # seconds, with those for the answers, for another rank to have looked
SAVING = 60.0  # seconds to write the checkpoint
GAP = 1.0  # seconds of sleep too many by which a process knows that it was stopped
GREETERS = 8  # ranks
GREETINGS = (0.0, 1.0, 3.0, 10.0, 30.0)  # seconds
STEP_LETTERS = 400  # of a step's name

Course = Generator[float, None, None]  # what is done over several ticks; gives until when nothing but events goes on with it


class Watchdog:
    """Told of events, in the order of time, it says what to do. ``due`` is when it wants a ``Tick`` at the latest.

    Args:
        every: seconds between two checkpoints; inf for none.
        timeout: how long a round may take.
        drops: a frozen rank is ended alone, as the others can go on without it; else the run is.
        now: the time, in seconds since whenever.
    """

    def __init__(self, every: float, timeout: HangTimeout, drops: bool, now: float) -> None:
        self.every, self.timeout, self.drops = every, timeout, drops
        self._now, self._save_due = now, now + every
        self._actions: list[Action] = []
        self._beat = Beat(0, "", now, now, 0.0)
        self._members: Sequence[Member] = ()
        self._place = 0  # of this rank among them
        self._course: Course | None = None
        self._until = 0.0  # when the course goes on
        self._wait_until = 0.0  # before the next inquiry
        self._held_until = 0.0  # another rank, lower than this, is looking after things
        self._turn = 0
        self._replies: dict[int, Answer | None] = {}  # by rank, of this turn
        self._turns: dict[bytes, int] = {}  # of each lower rank's newest question
        self._heard: set[bytes] = set()  # whose messages have come here
        self._greetings: list[float] = []  # when to greet those that have not been heard
        self._suspects: dict[int, tuple[Member, Heard]] = {}  # by process, with who asked to look
        self._killed: set[int] = set()
        self._saved: str | None = None
        self._said: object = None

    @property
    def due(self) -> float:
        """When to tick, if nothing happens until then."""
        idle = self._now if self._suspects else self._inquiry_due
        return min([self._save_due, self._until if self._course else idle, *self._greetings[:1]])

    def on(self, event: Event, now: float) -> Sequence[Action]:
        """What is to be done now, in this order."""
        self._now, self._actions = now, []
        match event:
            case Beat():
                if event.finished != self._beat.finished or now > self._until + GAP:
                    self._course = None
                self._beat = event
            case Joined():
                self._join(event.members, event.me)
            case Heard():
                self._hear(event)
            case Saved():
                self._saved = event.sentence
            case Wanted():
                self._save()
            case Tick():
                self._tick()
        if now >= self._save_due:
            self._save()
        return self._actions

    def _save(self, last: bool = False) -> None:
        self._save_due = self._now + self.every
        self._actions.append(Save(last))

    @property
    def _me(self) -> Member:
        return self._members[self._place]

    def _join(self, members: Sequence[Member], me: int) -> None:
        self._course, self._members, self._place = None, members, me
        # Those that may come to speak find out whom they can reach; the others hear of it.
        self._greetings = [self._now + later for later in (GREETINGS if members and me < GREETERS else ())]

    def _hear(self, heard: Heard) -> None:
        """Answer what was asked, and take in what was answered. No message makes this rank do more, whoever wrote it."""
        message, sender, address = heard
        turn = message.turn
        self._heard.add(sender)
        match message.kind:
            case "hello":
                self._actions.append(Send([address], Message("reply", turn)))
            case "ask":
                lower = any(member.cookie == sender for member in self._members[: self._place])
                if lower and turn > self._turns.get(sender, 0):  # not one that is sent again
                    self._turns[sender] = turn
                    self._held_until = self._now + self.timeout.window + HOLD
                self._actions.append(Send([address], Message("reply", turn, answer=self._answer())))
            case "look":
                for member in self._members:
                    if member.pid == message.pid and member.node == self._me.node:
                        self._suspects[member.pid] = member, heard
            case "reply" if turn == self._turn:
                self._replies |= {member.rank: message.answer for member in self._members if member.cookie == sender}

    def _answer(self) -> Answer:
        return Answer(self._beat.round, self._beat.step[:STEP_LETTERS], self._now - self._beat.since)

    def _tick(self) -> None:
        if self._greetings and self._now >= self._greetings[0]:
            unheard = [member for member in self._members if member is not self._me and member.cookie not in self._heard]
            self._greetings = self._greetings[1:] if unheard else []
            for member in unheard:
                self._ask(member, Message("hello", 0))
        self._course, course = None, self._course or self._begin()
        until = next(course, None)
        if until is not None:
            self._course, self._until = course, until

    def _begin(self) -> Course:
        if self._suspects:
            yield from self._look(*self._suspects.pop(next(iter(self._suspects))))
        elif self._now >= self._inquiry_due:
            yield from self._inquire()

    @property
    def _patience(self) -> float:
        return self.timeout.after(self._beat.longest)

    @property
    def _inquiry_due(self) -> float:
        if not self._members:
            return math.inf
        noticed = self._beat.finished + self._patience + LATER * self._place.bit_length()
        return max(noticed, self._wait_until, self._held_until)

    def _ask(self, other: Member, message: Message) -> None:
        """Wherever the other may be reached."""
        hosts = other.addresses[:1] if other.net == self._me.net else other.addresses
        self._actions.append(Send([(host, other.port) for host in hosts], message))

    def _sleep(self, seconds: float, done: Callable[[], bool]) -> Course:
        until = self._now + seconds
        while not done() and self._now < until:
            yield min(until, self._now + RESEND)  # not for longer: a gap is to be noticed

    def _asked(
        self, whom: Sequence[Member], kind: str, seconds: float, pid: int = 0
    ) -> Generator[float, None, dict[int, Answer | None]]:
        """What was replied, by rank; who does not reply is missing."""
        self._turn, self._replies = self._turn + 1, {}
        until = self._now + seconds

        def missing() -> list[Member]:
            return [member for member in whom if member.rank not in self._replies]

        while missing() and self._now < until:
            for member in missing():
                self._ask(member, Message(kind, self._turn, pid))
            yield from self._sleep(RESEND, lambda: not missing())
        return self._replies

    def _answers(self, whom: Sequence[Member]) -> Generator[float, None, dict[int, Answer]]:
        """What these, and this rank, are doing, by rank."""
        replies = yield from self._asked([member for member in whom if member is not self._me], "ask", self.timeout.window)
        answers = {rank: answer for rank, answer in replies.items() if answer} | {self._me.rank: self._answer()}
        return dict(sorted(answers.items()))

    def _look(self, suspect: Member, asked: Heard) -> Course:
        """Another rank holds one of this node to be frozen, and can't end it: see whether it is, and end it then."""
        if self.drops and self._now - self._beat.finished > self._patience:
            answers = yield from self._answers([suspect])
            if frozen([suspect], answers, self.timeout.stuck):
                self._actions += [Kill(suspect.pid), Send([asked.address], Message("reply", asked.message.turn))]

    def _inquire(self) -> Course:
        """Ask everyone; say what was found, and act, if that is for this rank to do."""
        again = self._now + self._patience
        answers = yield from self._answers(self._members)
        if min(answers) == self._me.rank:
            unknown = self._unknown()
            guilty = [member for member in frozen(self._members, answers, self.timeout.stuck) if member not in unknown]
            busy = max((answer.inside for answer in answers.values() if not answer.waits), default=-math.inf)
            soon = self.timeout.stuck - busy  # until the first of the busy is frozen
            if not guilty:
                again = self._now + min(self._patience, max(soon, RESEND))
            if guilty or soon > self.timeout.window:  # else all is said then
                waiting = [rank for rank, answer in answers.items() if answer.waits]
                if guilty or self._said != (self._beat.round, waiting):  # a slow round is told once
                    self._said = (self._beat.round, waiting)
                    self._actions.append(Say(sentence(self._members, answers, self._now - self._beat.finished, unknown)))
                yield self._now  # it may be old when it has been said
            if guilty:
                yield from self._drop(answers, guilty) if self.drops else self._end()
        self._wait_until = again

    def _unknown(self) -> Sequence[Member]:
        """Who can't be asked: all ranks elsewhere, if none of them was ever heard. They may be well behind a firewall."""
        elsewhere = [member for member in self._members if member.net != self._me.net]
        return [] if any(member.cookie in self._heard for member in elsewhere) else elsewhere

    def _drop(self, answers: dict[int, Answer], guilty: Sequence[Member]) -> Course:
        trouble = "no rank would be left" if len(guilty) == len(self._members) else ""
        if not trouble:
            ranks = [member.rank for member in guilty]
            self._actions.append(Say(f"{names(ranks)} {'is' if len(ranks) == 1 else 'are'} ended, so that the others can go on"))
        for victim in guilty:
            trouble = trouble or (yield from self._kill(answers, victim))
        if trouble:
            yield from self._end(trouble)

    def _kill(self, answers: dict[int, Answer], victim: Member) -> Generator[float, None, str]:
        """Why it could not be killed; nothing if it was."""
        near = [member for member in self._members if member.node == victim.node and member.rank in answers]
        near.sort(key=lambda member: (member is victim, member is not self._me))
        if victim.pid in self._killed:
            return f"rank {victim.rank} was ended, and is still waited for"
        if not near:
            return f"rank {victim.rank} can't be ended, as no other rank of its node {victim.host} answers"
        self._killed.add(victim.pid)
        if near[0] is self._me:
            self._actions.append(Kill(victim.pid))
        else:
            looked = yield from self._asked(near[:1], "look", self.timeout.window + LOOKING, victim.pid)
            if not looked and near[0] is not victim:
                return f"rank {near[0].rank} was asked to end rank {victim.rank}, and did not"
        return ""

    def _end(self, why: str = "") -> Course:
        self._saved = None
        self._save(last=True)
        yield from self._sleep(SAVING, lambda: self._saved is not None)
        where = f"the checkpoint could not be written within {SAVING:.0f} s" if self._saved is None else self._saved
        self._actions.append(End(TRY_AGAIN, "; ".join(filter(None, [why, "the run ends", where]))))
