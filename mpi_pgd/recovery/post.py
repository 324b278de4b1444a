"""Datagrams between the watchers: they travel beside MPI, which may be what hangs.

Each is signed with a key that the ranks shared over MPI. What was not signed with it, or can't be understood, is dropped unread.
"""

import contextlib
import hmac
import json
import os
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

from mpi_pgd.recovery.members import Member, pack
from mpi_pgd.recovery.verdict import Answer

SIGNATURE = 16  # bytes of the HMAC-SHA256
LARGEST = 4096  # bytes of a datagram
AT_ONCE = 256  # datagrams that are read before the watcher looks after other things

Address = tuple[str, int]


class Letter(NamedTuple):
    """What a rank asks or answers.

    Attributes:
        sender: its cookie.
        kind: of the questions those that ``Asking`` knows; else ``reply``.
        turn: the question's number, there and back.
        pid: whom it is about, or 0.
        answer: of a reply.
    """

    sender: bytes
    kind: str
    turn: int
    pid: int = 0
    answer: Answer | None = None

    def text(self) -> bytes:
        """For the wire."""
        return json.dumps([self.sender.hex(), *self[1:]]).encode()

    @classmethod
    def of(cls, text: bytes) -> "Letter | None":
        """What ``text`` gave; None for anything else."""
        with contextlib.suppress(ValueError, TypeError, ArithmeticError, RecursionError):
            sender, kind, turn, pid, answer = json.loads(text)
            if type(kind) is str and type(turn) is type(pid) is int:
                return cls(bytes.fromhex(sender), kind, turn, pid, _answer(*answer) if answer else None)
        return None


def _answer(round: Any, step: Any, inside: Any) -> Answer:
    return Answer(int(round), str(step), float(inside))


class Post:
    """A UDP socket.

    Args:
        key: signs the letters of this job.
        host: the address to listen at; any, if empty.

    Attributes:
        card: what the others need to send letters here (``members.pack``).
    """

    def __init__(self, key: bytes, host: str) -> None:
        self._key, self._cookie = key, os.urandom(8)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self.card = pack(self._cookie, self._socket.getsockname()[1], host)

    def fileno(self) -> int:
        """Readable when letters are there."""
        return self._socket.fileno()

    def close(self) -> None:
        """No more letters."""
        self._socket.close()

    def ask(self, me: Member, other: Member, kind: str, turn: int, pid: int = 0) -> None:
        """Send to wherever the other may be reached."""
        for host in other.addresses[:1] if other.net == me.net else other.addresses:
            self._send((host, other.port), Letter(self._cookie, kind, turn, pid))

    def reply(self, to: Address, turn: int, answer: Answer | None = None) -> None:
        """Answer a letter to where it came from."""
        self._send(to, Letter(self._cookie, "reply", turn, answer=answer))

    def read(self) -> Iterator[tuple[Letter, Address]]:
        """The letters of this job's ranks that have come: some, as others may send without end."""
        with contextlib.suppress(BlockingIOError):  # that was the last one
            for _ in range(AT_ONCE):
                data, address = self._socket.recvfrom(LARGEST)
                letter = (
                    Letter.of(data[SIGNATURE:]) if hmac.compare_digest(data[:SIGNATURE], self._sign(data[SIGNATURE:])) else None
                )
                if letter:
                    yield letter, address

    def _sign(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text, "sha256")[:SIGNATURE]

    def _send(self, to: Address, letter: Letter) -> None:
        text = letter.text()
        with contextlib.suppress(OSError):  # no way there, or no room: lost, as any datagram may be
            self._socket.sendto(self._sign(text) + text, to)
