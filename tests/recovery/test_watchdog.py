"""The watchdog without sockets or sleeps: ranks in a time of their own, whose messages arrive at once."""

import math
import os
from collections.abc import Callable, Sequence
from itertools import product
from random import Random

import pytest

from mpi_pgd.observers.heartbeat import COMPUTING, SUMMING
from mpi_pgd.recovery import hang_timeout
from mpi_pgd.recovery.events import Action, Beat, End, Event, Heard, Joined, Kill, Message, Save, Saved, Say, Send, Tick, Wanted
from mpi_pgd.recovery.hang_timeout import HangTimeout
from mpi_pgd.recovery.verdict import Answer, Member
from mpi_pgd.recovery.watchdog import GAP, HOLD, LATER, RESEND, SAVING, Watchdog

PATIENCE = 2.0
WINDOW = PATIENCE / 2
ROUND = 5  # the last that finished, at time 0
READING = "reading rows 0 to 9 of a.h5"


class Rank:
    """One watchdog, and what it watches. ``stopped`` is what SIGSTOP does, and SIGKILL, too."""

    def __init__(self, place: int, node: str, timeout: str | float, drops: bool) -> None:
        self.member = Member(place, node, 1000 + place, b"%d" % place, node.encode(), node.encode(), place, (f"ip of {node}",))
        self.watchdog = Watchdog(math.inf, HangTimeout(timeout), drops, 0.0)
        self.beat = Beat(ROUND, SUMMING, 0.0, 0.0, 0.1)
        self.said: list[str] = []
        self.code: int | None = None
        self.saved = ""
        self.stopped = False
        self.inbox: list[Event] = []
        self.pending: list[Event] = []


class Ranks:
    """Those of a job, ``nodes`` says where each is."""

    def __init__(
        self, nodes: str, *, drops: bool = False, timeout: str | float = PATIENCE, saves: Sequence[int] = (), shut: bool = False
    ) -> None:
        self.now = 0.0
        self.all = [Rank(place, node, timeout, drops) for place, node in enumerate(nodes)]
        for rank in self.all:
            rank.pending.append(Joined([other.member for other in self.all], rank.member.rank))
            rank.saved = f"checkpoint of rank {rank.member.rank}" if rank.member.rank in saves else ""
        self.killers: list[int] = []
        self.shut = shut  # whether datagrams between nodes are lost
        self.run(0.1)  # greetings

    def __getitem__(self, place: int) -> Rank:
        return self.all[place]

    def run(self, until: float, each: Callable[[], None] = lambda: None) -> "Ranks":
        """Let time pass; ``each`` is done before each step of it."""
        steps = 0
        while self.now < until and all(rank.code is None for rank in self.all):
            steps += 1
            assert steps < 20_000, "time stands still"
            each()
            awake = [rank for rank in self.all if not rank.stopped]
            due = [rank for rank in awake if rank.pending or rank.inbox or rank.watchdog.due <= self.now]
            for rank in due:
                self.turn(rank)
            if not due:
                self.now = min([until, self.now + 0.05, *(rank.watchdog.due for rank in awake)])
        return self

    def turn(self, rank: Rank) -> None:
        """As the watcher's thread does it."""
        events = [rank.beat, *rank.pending, *rank.inbox, Tick()]
        rank.pending, rank.inbox = [], []
        for event in events:
            for action in rank.watchdog.on(event, self.now):
                if not rank.stopped:
                    self.do(rank, action)

    def do(self, rank: Rank, action: Action) -> None:
        match action:
            case Say():
                rank.said.append(action.sentence)
            case End():
                rank.said.append(action.sentence)
                rank.code = action.code
            case Kill():
                self.killers.append(rank.member.rank)
                self[action.pid - 1000].stopped = True
            case Save():
                rank.pending += [Saved(rank.saved)] if action.last else []
            case Send():
                for host, port in action.to:
                    other = self[port]
                    if host == other.member.addresses[0] and not (self.shut and other.member.net != rank.member.net):
                        other.inbox.append(Heard(action.message, rank.member.cookie, (rank.member.addresses[0], rank.member.rank)))

    def finish(self) -> None:
        """A round."""
        for rank in self.all:
            rank.beat = rank.beat._replace(round=rank.beat.round + 1, finished=self.now, since=self.now)

    @property
    def said(self) -> dict[int, list[str]]:
        return {rank.member.rank: rank.said for rank in self.all if rank.said}


@pytest.mark.parametrize(
    ("stopped", "saves", "where"),
    [(2, [0], "; checkpoint of rank 0"), (0, [0, 1], "; checkpoint of rank 1"), (0, [0], ""), (1, [0], "; checkpoint of rank 0")],
)
def test_a_stopped_rank_ends_the_run(stopped: int, saves: list[int], where: str) -> None:
    """The lowest that answers says so, and nobody else a word."""
    ranks = Ranks("aab", saves=saves)
    ranks[stopped].stopped = True
    ranks.run(60)
    others = [place for place in range(3) if place != stopped]
    node = ranks[stopped].member.host
    assert ranks.said == {
        others[0]: [
            f"no round has finished for {ranks.now:.0f} s (the last was round 5): rank {stopped} on node {node} does not answer "
            f"(stopped, or its node is gone); ranks {others[0]} and {others[1]} wait in the sums",
            f"the run ends{where}",
        ]
    }
    assert ranks[others[0]].code == 75
    assert ranks.now < PATIENCE + 2 * LATER + WINDOW + RESEND


@pytest.mark.parametrize("stuck", [0, 1])
def test_a_stuck_rank_ends_the_run_when_it_is_stuck_for_long(stuck: int) -> None:
    """It began its step a second after the round: at first nobody is to blame, and there is nothing that is not said soon."""
    ranks = Ranks("aab")
    ranks[stuck].beat = ranks[stuck].beat._replace(step=READING, since=1.0)
    ranks.run(60)
    assert [*ranks.said] == [0]
    first, last = ranks[0].said
    assert f"rank {stuck} on a has been {READING} for 2 s; ranks" in first
    assert last == "the run ends"
    assert 1.0 + PATIENCE < ranks.now < 1.0 + PATIENCE + 2 * RESEND


@pytest.mark.parametrize("slow", [0, 2])
def test_a_slow_rank_is_named_once_and_left_alone(slow: int) -> None:
    """Many short steps, for a long time."""
    ranks = Ranks("aab")

    def step() -> None:
        ranks[slow].beat = ranks[slow].beat._replace(step=READING, since=ranks.now)

    ranks.run(50 * PATIENCE, step)
    assert [*ranks.said] == [0]
    assert len(ranks[0].said) == 1
    assert f"rank {slow} on {ranks[slow].member.host} has been {READING} for 0 s" in ranks[0].said[0]
    ranks.finish()
    ranks.run(ranks.now + 2 * PATIENCE, step)
    assert len(ranks[0].said) == 2


@pytest.mark.parametrize(("stopped", "tenths"), [*product([0, 1, 2], range(15, 30))])
def test_who_was_stopped_for_a_while_neither_acts_nor_suffers(stopped: int, tenths: int) -> None:
    """Whenever it goes on before the others have given it up."""
    ranks = Ranks("aab", drops=True)
    ranks[stopped].stopped = True
    ranks.run(tenths / 10)
    ranks[stopped].stopped = False
    ranks.finish()
    ranks.run(tenths / 10 + PATIENCE, lambda: ranks.finish() if Random(tenths).random() < 0.5 else None)
    assert not ranks.said
    assert not any(rank.stopped for rank in ranks.all)


@pytest.mark.parametrize("drops", [False, True])
def test_who_was_stopped_while_it_asked_asks_anew(drops: bool) -> None:
    """All the answers that it missed would make it end everyone."""
    ranks = Ranks("aab", drops=drops).run(PATIENCE - 0.1)
    ranks.now = PATIENCE
    ranks.turn(ranks[0])
    for other in ranks.all[1:]:
        assert other.inbox
        other.inbox = []
    ranks.now += WINDOW + GAP + 2 * RESEND
    ranks.run(ranks.now + PATIENCE + WINDOW)
    assert ranks.said == {0: [ranks[0].said[0]]}
    assert ranks[0].said[0].endswith("every rank answers and waits for the others; a link between them may be cut")


@pytest.mark.parametrize("drops", [False, True])
def test_a_round_that_finishes_while_something_is_told_goes_on(drops: bool) -> None:
    ranks = Ranks("aa", drops=drops)
    ranks[1].stopped = True

    def late() -> None:
        if ranks[0].said:
            ranks[1].stopped = False
            ranks.finish()

    ranks.run(20, late)
    assert len(ranks[0].said) == 1
    assert ranks[0].code is None
    assert not ranks.killers


def test_a_round_that_finishes_while_the_checkpoint_is_written_goes_on() -> None:
    ranks = Ranks("aa")
    ranks[1].stopped = True

    def late() -> None:
        if any(isinstance(event, Saved) for event in ranks[0].pending):
            ranks[1].stopped = False
            ranks.finish()

    ranks.run(20, late)
    assert not any("ends" in said for said in ranks[0].said)
    assert ranks[0].code is None


def test_who_asked_although_a_lower_rank_answers_says_nothing() -> None:
    ranks = Ranks("aab")
    ranks[0].beat = ranks[0].beat._replace(finished=1.0)  # so it asks later
    ranks[2].stopped = True
    ranks.run(60)
    assert [*ranks.said] == [0]


def test_a_disk_that_hangs_does_not_keep_the_end() -> None:
    ranks = Ranks("ab")
    ranks[1].stopped = True

    def hang() -> None:
        ranks[0].pending = []

    ranks.run(1)
    ranks.run(60 + 2 * SAVING, hang)
    assert ranks[0].said[1] == "the run ends; the checkpoint could not be written within 60 s".replace(
        "the run ends; ", "the run ends; "
    )
    assert ranks[0].code == 75


@pytest.mark.parametrize(("frozen", "stuck"), [*product([0, 1, 2], [False, True])])
def test_a_frozen_rank_is_dropped_by_the_lowest_beside_it(frozen: int, stuck: bool) -> None:
    ranks = Ranks("aaa", drops=True)
    ranks[frozen].stopped = not stuck
    if stuck:
        ranks[frozen].beat = ranks[frozen].beat._replace(step=COMPUTING)
    speaker = 1 if frozen == 0 and not stuck else 0
    ranks.run(PATIENCE + 3)
    assert ranks[frozen].stopped
    assert [*ranks.said] == [speaker]
    assert ranks[speaker].said[1] == f"rank {frozen} is ended, so that the others can go on"
    assert all(rank.code is None for rank in ranks.all)


def test_several_at_once() -> None:
    ranks = Ranks("aaaa", drops=True)
    for place in (1, 3):
        ranks[place].stopped = True
    ranks.run(PATIENCE + 2)
    assert ranks[0].said[1:] == ["ranks 1 and 3 are ended, so that the others can go on"]


@pytest.mark.parametrize(
    ("nodes", "frozen", "stuck", "by", "seconds"),
    [("aabb", 3, False, 2, 2.5), ("aabb", 2, True, 3, 1), ("ab", 1, True, 1, 3.5), ("aa", 1, True, 0, 1)],
)
def test_a_frozen_rank_is_ended_by_one_beside_it_or_by_itself(
    nodes: str, frozen: int, stuck: bool, by: int, seconds: float
) -> None:
    ranks = Ranks(nodes, drops=True)
    ranks[frozen].stopped = not stuck
    ranks[frozen].beat = ranks[frozen].beat._replace(step=COMPUTING)
    ranks.run(PATIENCE + seconds)
    assert {*ranks.killers} == {by}
    assert ranks[0].said[1:2] == [f"rank {frozen} is ended, so that the others can go on"]
    ranks.finish()  # without it
    ranks.run(ranks.now + PATIENCE)
    assert not any(rank.code for rank in ranks.all)


def test_nobody_is_ended_on_anothers_word() -> None:
    """The one beside it hears that it answers, so the first has to end the run."""
    ranks = Ranks("abb", drops=True)
    lost = ranks[2].member

    def unheard() -> None:  # the first can't hear it
        ranks[0].inbox = [event for event in ranks[0].inbox if not (isinstance(event, Heard) and event.sender == lost.cookie)]

    ranks.run(60, unheard)
    assert not ranks[2].stopped
    assert ranks[0].said[2] == "rank 1 was asked to end rank 2, and did not; the run ends"
    assert ranks[0].code == 75


@pytest.mark.parametrize(
    ("nodes", "stopped", "said"),
    [
        ("a", [], "no rank would be left; the run ends"),
        ("ab", [1], "rank 1 can't be ended, as no other rank of its node b answers; the run ends"),
    ],
)
def test_who_can_not_be_dropped_ends_the_run(nodes: str, stopped: list[int], said: str) -> None:
    ranks = Ranks(nodes, drops=True)
    ranks[0].beat = ranks[0].beat._replace(step=SUMMING if stopped else COMPUTING)
    for place in stopped:
        ranks[place].stopped = True
    ranks.run(60)
    assert ranks[0].said[-1] == said
    assert ranks[0].code == 75


def test_who_was_ended_and_is_still_waited_for_ends_the_run() -> None:
    """The library did not notice the loss, so no round finishes, and nobody joins anew."""
    ranks = Ranks("aab", drops=True)
    ranks[1].stopped = True
    ranks.run(60)
    assert ranks[0].said[-1] == "rank 1 was ended, and is still waited for; the run ends"
    assert ranks[0].code == 75


def test_those_that_are_left_are_watched_by_their_old_numbers() -> None:
    ranks = Ranks("aaaa", drops=True)
    ranks[1].stopped = True
    ranks.run(PATIENCE + 2)
    left = [rank.member for rank in ranks.all if not rank.stopped]
    for place, member in enumerate(left):
        ranks[member.rank].pending.append(Joined(left, place))
    ranks.finish()
    ranks[2].stopped = True
    ranks.run(ranks.now + PATIENCE + 2)
    assert ranks[0].said[-1] == "rank 2 is ended, so that the others can go on"
    assert ranks[0].said[-2].endswith("ranks 0 and 3 wait in the sums")


@pytest.mark.parametrize("drops", [False, True])
def test_who_could_never_be_asked_is_not_held_to_be_frozen(drops: bool) -> None:
    ranks = Ranks("abb", drops=drops, shut=True)
    ranks.run(10 * PATIENCE)
    assert len(ranks[0].said) == 1
    assert "ranks 1 and 2 on node b have never answered (datagrams may not pass between the nodes)" in ranks[0].said[0]
    assert not any(rank.stopped or rank.code for rank in ranks.all)


def test_who_was_heard_once_and_is_cut_off_is() -> None:
    ranks = Ranks("abb")
    ranks.shut = True
    ranks.run(60)
    assert ranks[0].code == 75


def test_an_automatic_timeout_waits_for_who_answers() -> None:
    ranks = Ranks("aab", timeout="auto")
    ranks[1].beat = ranks[1].beat._replace(step=READING)
    ranks.run(10 * hang_timeout.LEAST)
    assert len(ranks[0].said) == 1
    ranks[1].stopped = True
    ranks.run(12 * hang_timeout.LEAST)
    assert ranks[0].code == 75


def lone(timeout: str | float = math.inf, every: float = math.inf) -> Watchdog:
    return Watchdog(every, HangTimeout(timeout), drops=True, now=100.0)


def test_checkpoints_are_due_again_and_again_and_after_what_was_wanted() -> None:
    watchdog = lone(every=10.0)
    assert watchdog.due == 110.0
    assert watchdog.on(Tick(), 109.0) == []
    assert watchdog.on(Tick(), 110.0) == [Save()]
    assert watchdog.on(Wanted(), 115.0) == [Save()]
    assert watchdog.due == 125.0
    assert watchdog.on(Beat(0, "", 0.0, 0.0, 0.0), 130.0) == [Save()]


def beside(place: int) -> Watchdog:
    """The watchdog of one of four ranks, the last of which is on another node, as all others were heard."""
    watchdog = lone(PATIENCE)
    nodes = [b"b" if rank == 3 else b"a" for rank in range(4)]
    members = [Member(rank, "host", 1000 + rank, b"%d" % rank, node, node, rank, ("ip",)) for rank, node in enumerate(nodes)]
    watchdog.on(Joined(members, place), 100.0)
    watchdog.on(Tick(), 100.0)
    for rank in range(4):
        watchdog.on(Heard(Message("hello", 0), b"%d" % rank, ("there", 9)), 100.0)
    watchdog.on(Tick(), 101.0)
    return watchdog


@pytest.mark.parametrize(("place", "later"), [(0, 0), (1, 1), (2, 2), (3, 2)])
def test_higher_ranks_notice_later(place: int, later: int) -> None:
    assert beside(place).due == 100.0 + PATIENCE + later * LATER


@pytest.mark.parametrize(("pid", "now", "ends"), [(1002, 100.0 + 2 * PATIENCE, True), (1002, 101.0, False), (1003, 120.0, False)])
def test_who_is_asked_to_look_has_its_own_clock_and_node(pid: int, now: float, ends: bool) -> None:
    """Process 1002 is of this node, and does not answer, which matters if this rank waits, too; 1003 is not."""
    watchdog = beside(1)
    waits = Beat(1, SUMMING, 100.0, 100.0, 0.1)
    watchdog.on(waits, now)
    watchdog.on(Heard(Message("ask", 7), b"0", ("there", 9)), now)  # so it does not ask itself
    watchdog.on(Heard(Message("look", 5, pid), b"3", ("there", 9)), now)
    done: list[Action] = []
    for step in range(12):
        time = now + step * RESEND
        done += [*watchdog.on(waits, time), *watchdog.on(Tick(), time)]
    assert [action for action in done if isinstance(action, Kill)] == [Kill(1002)] * ends
    assert (Send([("there", 9)], Message("reply", 5)) in done) == ends


def test_an_answer_to_an_earlier_question_is_none() -> None:
    watchdog = beside(0)
    waits = Beat(1, SUMMING, 100.0, 100.0, 0.1)
    late = Heard(Message("reply", 0, answer=Answer(1, SUMMING, 9.0)), b"1", ("there", 9))
    said: list[Action] = []
    for step in range(8):
        now = 100.0 + PATIENCE + step * RESEND
        said += [action for event in (waits, late, Tick()) for action in watchdog.on(event, now) if isinstance(action, Say)]
    assert "ranks 1 to 3 on node host do not answer" in said[0].sentence


def test_nobody_is_asked_any_more_when_nobody_takes_part() -> None:
    watchdog = beside(0)
    watchdog.on(Joined((), 0), 101.0)
    assert watchdog.on(Tick(), 200.0) == []
    assert watchdog.due == math.inf


def test_without_a_timeout_nothing_is_ever_due() -> None:
    watchdog = lone()
    assert watchdog.on(Tick(), 1e9) == []
    assert watchdog.due == math.inf


def test_a_message_gets_an_answer_and_nothing_else() -> None:
    """Whatever a rank says: here one whose process is beside this one, so it could be ended."""
    watchdog, random = lone(PATIENCE), Random(5)
    members = [Member(rank, "a", 1000 + rank, b"%d" % rank, b"node", b"net", rank, ("ip",)) for rank in range(3)]
    watchdog.on(Joined(members, 1), 100.0)
    kinds = ("hello", "ask", "look", "reply", "kill", "save", "end", "_look", "__class__", "")
    answers = (None, Answer(0, SUMMING, 0.0), Answer(-(2**70), "\0", math.inf), Answer(7, READING, 1e300))
    for number in range(2000):
        now = 100.0 + number / 100
        watchdog.on(Beat(number, COMPUTING, now, now, 0.1), now)
        message = Message(random.choice(kinds), random.choice([-1, 0, 1, 2**70]), random.choice([0, 1000, 1002, os.getpid()]))
        heard = Heard(message._replace(answer=random.choice(answers)), random.choice([b"0", b"2", b"x"]), ("there", 9))
        done = [*watchdog.on(heard, now), *watchdog.on(Tick(), now)]
        assert all(isinstance(action, Send) for action in done)
        replies = [action for action in done if action.to == [("there", 9)]]
        assert len(replies) == (message.kind in ("hello", "ask"))


def test_a_question_that_is_sent_again_does_not_silence_a_rank_for_ever() -> None:
    """A lower rank that asks looks after things, and this one holds back for some seconds, once for each question."""
    watchdog = beside(1)
    for now in (100.5, 101.0, 102.0):
        watchdog.on(Heard(Message("ask", 7), b"0", ("there", 9)), now)
        assert watchdog.due == max(100.5 + WINDOW + HOLD, 100.0 + PATIENCE + LATER)
    watchdog.on(Heard(Message("ask", 8), b"0", ("there", 9)), 102.0)
    assert watchdog.due == 102.0 + WINDOW + HOLD
