"""Datagrams between the watchers: they travel beside MPI, which may be what hangs.

Each is signed with a key that the ranks shared over MPI. What was not signed with it, or can't be understood, is dropped unread.
"""

import contextlib
import hmac
import json
import os
import socket
from collections.abc import Iterator
from typing import Any

from mpi_pgd.recovery.events import Heard, Message, Send
from mpi_pgd.recovery.members import pack
from mpi_pgd.recovery.verdict import Answer

SIGNATURE = 16  # bytes of the HMAC-SHA256
LARGEST = 4096  # bytes of a datagram
AT_ONCE = 256  # datagrams that are read before the watcher looks after other things


class Datagrams:
    """A UDP socket.

    Args:
        key: signs the messages of this job.
        host: the address to listen at; any, if empty.

    Attributes:
        card: what the others need to send messages here (``members.pack``).
    """

    def __init__(self, key: bytes, host: str) -> None:
        self._key, self._cookie = key, os.urandom(8)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((host, 0))
        self.card = pack(self._cookie, self._socket.getsockname()[1], host)

    def fileno(self) -> int:
        """Readable when messages are there."""
        return self._socket.fileno()

    def close(self) -> None:
        """No more messages."""
        self._socket.close()

    def send(self, action: Send) -> None:
        """Do it, once for each address."""
        data = encode(self._key, self._cookie, action.message)
        for address in action.to:
            with contextlib.suppress(OSError):  # no way there, or no room: lost, as any datagram may be
                self._socket.sendto(data, address)

    def read(self) -> Iterator[Heard]:
        """The messages of this job's ranks that have come: some, as others may send without end."""
        with contextlib.suppress(BlockingIOError):  # that was the last one
            for _ in range(AT_ONCE):
                data, address = self._socket.recvfrom(LARGEST)
                found = decode(self._key, data)
                if found:
                    yield Heard(found[1], found[0], address)


def encode(key: bytes, sender: bytes, message: Message) -> bytes:
    """A message of the rank with this cookie, for the wire."""
    return sign(key, json.dumps([sender.hex(), *message]).encode())


def decode(key: bytes, data: bytes) -> tuple[bytes, Message] | None:
    """The sender's cookie and the message; None of anything that ``encode`` did not give."""
    text = data[SIGNATURE:]
    if hmac.compare_digest(data, sign(key, text)):
        with contextlib.suppress(ValueError, TypeError, ArithmeticError, RecursionError):
            sender, kind, turn, pid, answer = json.loads(text)
            if type(kind) is str and type(turn) is type(pid) is int:
                return bytes.fromhex(sender), Message(kind, turn, pid, _answer(*answer) if answer else None)
    return None


def sign(key: bytes, text: bytes) -> bytes:
    """The text behind its signature."""
    return hmac.digest(key, text, "sha256")[:SIGNATURE] + text


def _answer(round: Any, step: Any, inside: Any) -> Answer:
    return Answer(int(round), str(step), float(inside))
