"""What the watchdog is told (events), and what it says is to be done (actions)."""

from collections.abc import Sequence
from typing import NamedTuple

from mpi_pgd.recovery.verdict import Answer, Member

Address = tuple[str, int]


class Message(NamedTuple):
    """What a rank asks or answers.

    It says ``hello``, to find out who can be reached; ``ask``, what it is doing; ``look``, whether a process of its node is frozen,
    and to end it then; or ``reply``.
    """

    kind: str
    turn: int  # the question's number, there and back
    pid: int = 0  # of the process to look at
    answer: Answer | None = None  # of a reply to ``ask``


class Beat(NamedTuple):
    """Event: what the main thread is doing, as ``Heartbeat`` says. Comes before what else is known at that time."""

    round: int
    step: str
    since: float
    finished: float
    longest: float


class Joined(NamedTuple):
    """Event: who takes part from now on, and which of them this rank is."""

    members: Sequence[Member]
    me: int


class Heard(NamedTuple):
    """Event: a message came, from the rank with this cookie."""

    message: Message
    sender: bytes
    address: Address


class Wanted(NamedTuple):
    """Event: a checkpoint is wanted now, as a signal came, or enough rounds are done."""


class Saved(NamedTuple):
    """Event: the ``Save`` that was the last has ended; where the checkpoint is, or what went wrong."""

    sentence: str


class Tick(NamedTuple):
    """Event: it is now, and nothing else is known to have happened until now."""


class Save(NamedTuple):
    """Action: write a checkpoint, if this rank is the one that writes; if it is the ``last``, as well as any other can."""

    last: bool = False


class Say(NamedTuple):
    """Action: tell the user."""

    sentence: str


class Send(NamedTuple):
    """Action: send to all of these addresses."""

    to: Sequence[Address]
    message: Message


class Kill(NamedTuple):
    """Action: end a process of this node by SIGKILL, which a stopped one does not survive either."""

    pid: int


class End(NamedTuple):
    """Action: end the job with this exit code, after these last words."""

    code: int
    sentence: str


Event = Beat | Joined | Heard | Wanted | Saved | Tick
Action = Save | Say | Send | Kill | End
